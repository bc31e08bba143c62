-- Sets `about` to what a backup's fingerprint says of the database that was dumped (about.sql); empty where it is from
-- before that was noted, or where there is no variable `from` that names the file.
\if :{?from}
\else
\set from ''
\endif
\setenv FROM :from
\set about `test -z "$FROM" || grep -m 1 '"about"' "$FROM" 2>/dev/null || :`

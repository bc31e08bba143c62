-- Sets `about` to the description of the dumped database in a backup's fingerprint (about.sql); empty for a backup of
-- an older version, or without the variable `from` that names the file.
\if :{?from}
\else
\set from ''
\endif
\setenv FROM :from
\set about `test -z "$FROM" || grep -m 1 '"about"' "$FROM" 2>/dev/null || :`

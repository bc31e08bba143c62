-- Dumps the database and takes its fingerprint in one exported snapshot, side by side.
-- Variables: service, folder (new and empty), jobs, compress, and where the dump is to be encrypted recipients, age's
-- public keys with blanks between; where rows of tables stay out exclude (see excluded.sql), and rate, bytes a second,
-- where the dump is held back. pg_dump is the one on PATH.
\if :{?recipients}
\else
\set recipients ''
\endif
\if :{?rate}
\else
\set rate ''
\endif
\set excluded_options ''
\setenv RECIPIENTS :recipients
\setenv RATE :rate
\setenv SERVICE :service
\setenv FOLDER :folder
\setenv JOBS :jobs
\setenv COMPRESS :compress
\set fingerprint :folder '/fingerprint.jsonl'
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
\ir settings.sql
SELECT pg_export_snapshot() AS snapshot \gset
\setenv SNAPSHOT :snapshot
-- Where the dump is held back, its fingerprint is read by one process only.
SELECT set_config('max_parallel_workers_per_gather', '0', true) WHERE :'rate' <> '' \g /dev/null
\if :{?exclude}
\ir excluded.sql
\endif
\setenv EXCLUDED :excluded_options
\o :fingerprint
\ir sequences.sql
\if `test -z "$RECIPIENTS$RATE" && echo true || echo false`
\! (out() { (IFS="$(printf '\t')"; set -f; exec pg_dump $EXCLUDED "$@"); }; out --dbname="service=$SERVICE" --format=directory --jobs="$JOBS" --compress="$COMPRESS" --snapshot="$SNAPSHOT" --no-password --file="$FOLDER/dump"; echo $? > "$FOLDER/exit") & echo $! > "$FOLDER/pid"
\else
-- One stream: held back where a rate is given, encrypted where there are recipients, so that nothing readable touches
-- a disk. It ends with 0 where all of its parts did.
\! (umask 077; out() { (IFS="$(printf '\t')"; set -f; exec pg_dump $EXCLUDED "$@"); }; slow() { if [ "$RATE" ]; then "$OPS_PYTHON" -m ops.throttle "$RATE"; else cat; fi; }; into() { if [ "$RECIPIENTS" ]; then "$OPS_PYTHON" -m ops.age seal $RECIPIENTS > "$FOLDER/dump.age"; else cat > "$FOLDER/dump"; fi; }; { out --dbname="service=$SERVICE" --format=custom --compress="$COMPRESS" --snapshot="$SNAPSHOT" --no-password || : > "$FOLDER/failed"; } | { slow || : > "$FOLDER/failed"; } | into && test ! -e "$FOLDER/failed"; echo $? > "$FOLDER/exit") & echo $! > "$FOLDER/pid"
\endif
\ir tables.sql
\o
\! until [ -f "$FOLDER/exit" ] || ! kill -0 "$(cat "$FOLDER/pid")" 2>/dev/null; do sleep 0.02; done
COMMIT;
\set dumped `test "$(cat "$FOLDER/exit" 2>/dev/null)" = 0 && echo true || echo false`
\! rm -f "$FOLDER/pid" "$FOLDER/exit"
\if :dumped
-- The dump's table of contents is written before its data: only this file says that pg_dump came to its end.
\! sync -f "$FOLDER" 2>/dev/null; : > "$FOLDER/dumped"
\else
DO $$ BEGIN RAISE EXCEPTION 'pg_dump failed; its own words stand above' USING ERRCODE = 'GP001'; END $$;
\endif

-- Dumps the database and takes its fingerprint in one exported snapshot, side by side.
-- Variables: service, folder (new and empty), jobs, compress, and where the dump is to be encrypted recipients, age's
-- public keys with blanks between. Where the backup goes to an object store, store and prefix: what is finished is sent
-- there meanwhile (ops/ahead.py), once the dump has taken longer than OPS_AHEAD fifths of a second. pg_dump is the one
-- on PATH.
\if :{?recipients}
\else
\set recipients ''
\endif
\if :{?store}
\else
\set store ''
\set prefix ''
\endif
\setenv STORE :store
\setenv PREFIX :prefix
\setenv RECIPIENTS :recipients
\setenv SERVICE :service
\setenv FOLDER :folder
\setenv JOBS :jobs
\setenv COMPRESS :compress
\set fingerprint :folder '/fingerprint.jsonl'
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
\ir settings.sql
SELECT pg_export_snapshot() AS snapshot \gset
\setenv SNAPSHOT :snapshot
\o :fingerprint
\ir sequences.sql
\if `test -z "$RECIPIENTS" && echo true || echo false`
\! (pg_dump --dbname="service=$SERVICE" --format=directory --jobs="$JOBS" --compress="$COMPRESS" --snapshot="$SNAPSHOT" --no-password --file="$FOLDER/dump"; echo $? > "$FOLDER/exit") & echo $! > "$FOLDER/pid"
\else
-- One stream, in which nothing readable touches a disk; it ends with 0 where pg_dump and the encryption did.
\! (umask 077; { pg_dump --dbname="service=$SERVICE" --format=custom --compress="$COMPRESS" --snapshot="$SNAPSHOT" --no-password || : > "$FOLDER/failed"; } | "$OPS_PYTHON" -m ops.age seal $RECIPIENTS > "$FOLDER/dump.age" && test ! -e "$FOLDER/failed"; echo $? > "$FOLDER/exit") & echo $! > "$FOLDER/pid"
\endif
\! test -z "$STORE" || { psql=$PPID; (left="${OPS_AHEAD:-15}"; while [ "$left" -gt 0 ] && [ ! -f "$FOLDER/exit" ]; do sleep 0.2; left=$((left - 1)); done; [ -f "$FOLDER/exit" ] || "$OPS_PYTHON" -m ops.ahead "$STORE" "$PREFIX" "$FOLDER" "$psql"; rm -f "$FOLDER/ahead") & echo $! > "$FOLDER/ahead"; }
\ir tables.sql
\o
\! until [ -f "$FOLDER/exit" ] || ! kill -0 "$(cat "$FOLDER/pid")" 2>/dev/null; do sleep 0.02; done; [ -f "$FOLDER/exit" ] || echo 1 > "$FOLDER/exit"
COMMIT;
\! while [ -f "$FOLDER/ahead" ] && kill -0 "$(cat "$FOLDER/ahead" 2>/dev/null)" 2>/dev/null; do sleep 0.02; done
\set dumped `test "$(cat "$FOLDER/exit" 2>/dev/null)" = 0 && echo true || echo false`
\! rm -f "$FOLDER/pid" "$FOLDER/exit" "$FOLDER/ahead"
\if :dumped
-- The dump's table of contents is written before its data: only this file says that pg_dump came to its end.
\! sync -f "$FOLDER" 2>/dev/null; : > "$FOLDER/dumped"
\else
DO $$ BEGIN RAISE EXCEPTION 'pg_dump failed; its own words stand above' USING ERRCODE = 'GP001'; END $$;
\endif

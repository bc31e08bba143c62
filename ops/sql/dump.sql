-- Dumps the database and takes its fingerprint in one exported snapshot, side by side.
-- Variables: service, folder (new and empty), jobs, compress, and where the dump is to be encrypted recipients, age's
-- public keys with blanks between. pg_dump is the one on PATH; with over, the words that reach a shell beside the
-- database, it is the one there, and streams here; port is then the server's as that machine knows it, empty in the
-- database's own container.
\if :{?recipients}
\else
\set recipients ''
\endif
\if :{?over}
\else
\set over ''
\endif
\if :{?port}
\else
\set port ''
\endif
\setenv RECIPIENTS :recipients
\setenv SERVICE :service
\setenv FOLDER :folder
\setenv JOBS :jobs
\setenv COMPRESS :compress
\setenv OVER :over
\setenv PORT :port
\set fingerprint :folder '/fingerprint.jsonl'
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
\ir settings.sql
SELECT pg_export_snapshot() AS snapshot \gset
\setenv SNAPSHOT :snapshot
\o :fingerprint
\ir sequences.sql
\if `test -n "$OVER" && echo true || echo false`
SELECT current_database() AS database, system_identifier AS system FROM pg_control_system() \gset
\setenv DATABASE :database
\setenv SYSTEM :system
-- One stream, whose end says what was sent; nothing of it is believed until it was compared (ops/streamed.py).
\! (umask 077; { "$OPS_PYTHON" -m ops.streamed "$OVER" "$SERVICE" "$PORT" "$DATABASE" "$SYSTEM" "$SNAPSHOT" "$COMPRESS" "$FOLDER/streamed.json" || : > "$FOLDER/failed"; } | if test -n "$RECIPIENTS"; then "$OPS_PYTHON" -m ops.age seal $RECIPIENTS > "$FOLDER/dump.age"; else cat > "$FOLDER/dump"; fi && test ! -e "$FOLDER/failed"; echo $? > "$FOLDER/exit") & echo $! > "$FOLDER/pid"
\elif `test -z "$RECIPIENTS" && echo true || echo false`
\! (pg_dump --dbname="service=$SERVICE" --format=directory --jobs="$JOBS" --compress="$COMPRESS" --snapshot="$SNAPSHOT" --no-password --file="$FOLDER/dump"; echo $? > "$FOLDER/exit") & echo $! > "$FOLDER/pid"
\else
-- One stream, in which nothing readable touches a disk; it ends with 0 where pg_dump and the encryption did.
\! (umask 077; { pg_dump --dbname="service=$SERVICE" --format=custom --compress="$COMPRESS" --snapshot="$SNAPSHOT" --no-password || : > "$FOLDER/failed"; } | "$OPS_PYTHON" -m ops.age seal $RECIPIENTS > "$FOLDER/dump.age" && test ! -e "$FOLDER/failed"; echo $? > "$FOLDER/exit") & echo $! > "$FOLDER/pid"
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

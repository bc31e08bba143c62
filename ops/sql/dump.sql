-- Dumps the database and takes its fingerprint in one exported snapshot, side by side.
-- Variables: service, folder (new and empty), jobs, compress, and where the dump is to be encrypted recipients, age's
-- public keys with blanks between; where rows of tables stay out exclude (see excluded.sql), and rate, bytes a second,
-- where the dump is held back. Where the backup goes to a remote store, store and prefix: what is finished is sent there
-- meanwhile (ops/ahead.py), once the dump has taken longer than OPS_AHEAD fifths of a second. pg_dump is the one on PATH;
-- with over, the words that reach a shell beside the database, it is the one there, and streams here; port is then the
-- server's as that machine knows it, empty in the database's own container.
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
\if :{?rate}
\else
\set rate ''
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
\setenv RATE :rate
\setenv SERVICE :service
\setenv FOLDER :folder
\setenv JOBS :jobs
\setenv COMPRESS :compress
\setenv OVER :over
\setenv PORT :port
\set fingerprint :folder '/fingerprint.jsonl'
-- What the processes tell each other is under a name of this call's own: those of one that was killed may still write.
\set notes `n="$FOLDER/notes.$$"; mkdir "$n" 2>/dev/null && echo "$n/" || echo "$n."`
\setenv NOTES :notes
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
\ir settings.sql
SELECT pg_export_snapshot() AS snapshot \gset
\setenv SNAPSHOT :snapshot
-- Where the dump is held back, its fingerprint is read by one process only.
SELECT set_config('max_parallel_workers_per_gather', '0', true) WHERE :'rate' <> '' \g /dev/null
\set options :notes 'options'
\o :options
\if :{?exclude}
\ir excluded.sql
SELECT :'excluded_options' WHERE :'excluded_options' <> '';
\endif
\o :fingerprint
\ir sequences.sql
\if `test -n "$OVER" && echo true || echo false`
SELECT current_database() AS database, system_identifier AS system FROM pg_control_system() \gset
\setenv DATABASE :database
\setenv SYSTEM :system
\endif
\if `test -z "$RECIPIENTS$RATE$OVER" && echo true || echo false`
\! (out() { (IFS="$(printf '\t')"; set -f; exec pg_dump $(cat "${NOTES}options") "$@"); }; out --dbname="service=$SERVICE" --format=directory --jobs="$JOBS" --compress="$COMPRESS" --snapshot="$SNAPSHOT" --no-password --file="$FOLDER/dump"; echo $? > "${NOTES}exit") & echo $! > "${NOTES}pid"
\else
-- One stream: from beside the database, where nothing of it is believed until what arrived was compared with what was
-- sent (ops/streamed.py), or from here; held back where a rate is given, encrypted where there are recipients, so that
-- nothing readable touches a disk. It ends with 0 where all of its parts did.
\! (umask 077; out() { (IFS="$(printf '\t')"; set -f; [ -z "$OVER" ] || exec "$OPS_PYTHON" -m ops.streamed "$OVER" "$SERVICE" "$PORT" "$DATABASE" "$SYSTEM" "$SNAPSHOT" "$COMPRESS" "$FOLDER/streamed.json" $(cat "${NOTES}options"); exec pg_dump $(cat "${NOTES}options") --dbname="service=$SERVICE" --format=custom --compress="$COMPRESS" --snapshot="$SNAPSHOT" --no-password); }; slow() { if [ "$RATE" ]; then "$OPS_PYTHON" -m ops.throttle "$RATE"; else cat; fi; }; into() { if [ "$RECIPIENTS" ]; then "$OPS_PYTHON" -m ops.age seal $RECIPIENTS > "$FOLDER/dump.age"; else cat > "$FOLDER/dump"; fi; }; { out || : > "${NOTES}failed"; } | { slow || { echo "error: what holds the dump back ended early" >&2; : > "${NOTES}failed"; }; } | into && test ! -e "${NOTES}failed"; echo $? > "${NOTES}exit") & echo $! > "${NOTES}pid"
\endif
\! test -z "$STORE" || { psql=$PPID; (left="${OPS_AHEAD:-15}"; while [ "$left" -gt 0 ] && [ ! -f "${NOTES}exit" ]; do sleep 0.2; left=$((left - 1)); done; [ -f "${NOTES}exit" ] || "$OPS_PYTHON" -m ops.ahead "$STORE" "$PREFIX" "$FOLDER" "${NOTES}exit" "$psql"; rm -f "${NOTES}ahead") & echo $! > "${NOTES}ahead"; }
\ir tables.sql
\o
\! until [ -f "${NOTES}exit" ] || ! kill -0 "$(cat "${NOTES}pid")" 2>/dev/null; do sleep 0.02; done; [ -f "${NOTES}exit" ] || echo 1 > "${NOTES}exit"
COMMIT;
\! while [ -f "${NOTES}ahead" ] && kill -0 "$(cat "${NOTES}ahead" 2>/dev/null)" 2>/dev/null; do sleep 0.02; done
\set dumped `test "$(cat "${NOTES}exit" 2>/dev/null)" = 0 && echo true || echo false`
\! rm -rf "${NOTES%[/.]}" "$NOTES"*
\if :dumped
-- The dump's table of contents is written before its data: only this file says that pg_dump came to its end.
\! sync -f "$FOLDER" 2>/dev/null; : > "$FOLDER/dumped"
\else
DO $$ BEGIN RAISE EXCEPTION 'pg_dump failed; its own words stand above' USING ERRCODE = 'GP001'; END $$;
\endif

#!/bin/sh
# The sessions that read tables beside that of fingerprint.sql, which calls this program.
#
#   sh helpers.sh start    start them and return
#   sh helpers.sh wait     wait until all have ended; print true if all succeeded, and else false
#   sh helpers.sh found    print the lines that they read
#   sh helpers.sh forget   remove their files
#
# Of the environment:
#   HELPERS      the folder of their files: "units", and for each helper N.found and N.exit, its exit code
#   SESSIONS     how many sessions read; the first is that of fingerprint.sql
#   SNAPSHOT CONNECTION   what they read
#   PSQL         the process of fingerprint.sql; helpers end with it
set -u
umask 077

helpers() { seq 1 $((SESSIONS - 1)); }

read_tables() {
    psql -XqAt -v ON_ERROR_STOP=1 -v "snapshot=$SNAPSHOT" -v "own={$1}" -v "units=$(cat "$HELPERS/units")" \
        -f "$OPS_SQL/table_helper.sql" "$CONNECTION" > "$HELPERS/$1.found" &
    reader=$!
    # A helper of a psql that is gone would go on reading.
    { while kill -0 "$PSQL" && kill -0 $reader; do sleep 1; done; kill $reader; } &
    wait $reader
    echo $? > "$HELPERS/$1.ended"
    mv "$HELPERS/$1.ended" "$HELPERS/$1.exit"
}

is_running() { kill -0 "$(cat "$HELPERS/$1.pid")" 2>/dev/null; }

exit_code() { cat "$HELPERS/$1.exit" 2>/dev/null || echo 1; }

case $1 in
    start)
        for number in $(helpers); do
            # No helper holds a pipe of psql: whoever reads the pipe would wait for the helper.
            (exec < /dev/null > /dev/null 2>&1; read_tables "$number") &
            echo $! > "$HELPERS/$number.pid"
        done
        ;;
    wait)
        succeeded=true
        for number in $(helpers); do
            until [ -f "$HELPERS/$number.exit" ] || ! is_running "$number"; do sleep 0.02; done
            [ "$(exit_code "$number")" = 0 ] || succeeded=false
        done
        echo $succeeded
        ;;
    found) for number in $(helpers); do cat "$HELPERS/$number.found"; done ;;
    forget) rm -rf "$HELPERS" ;;
    *) echo "helpers.sh: no such command: $1" >&2; exit 2 ;;
esac

#!/bin/sh
# The dump of one attempt of dump.sql. psql calls this program: it begins the dump, asks about it while it reads the
# fingerprint beside it, and waits for its end.
#
#   sh dump.sh notes       make a folder for the notes of this attempt, and print its path
#   sh dump.sh start       begin the dump, and leave it running
#   sh dump.sh ended       print true if the dump has ended, well or not, and else false
#   sh dump.sh wait        wait until it has ended
#   sh dump.sh succeeded   print true if all of its parts ended with 0, and else false
#   sh dump.sh say         print what it said on standard error
#   sh dump.sh forget      remove the notes
#
# Of the environment:
#   FOLDER       where dump, dump/ or dump.age and the notes go
#   SERVICE      the database, as pg_dump finds it in its service file
#   JOBS COMPRESS SNAPSHOT   pg_dump's own options; more of them, with tabs between, are in the note "options"
#   RECIPIENTS   age's public keys with blanks between, where the dump is to be encrypted
#   RATE         bytes a second, where the dump is held back
#   OVER PORT DATABASE SYSTEM   where pg_dump runs beside the database: the words that reach a shell there, the server's
#                port as that machine knows it, and what the database has to be
#   NOTES        the folder of this attempt's notes: those of an attempt that was killed may still write into their own
#   OPS_PYTHON   the Python that this toolkit is installed in
#
# Notes: "pid" of the dump; "said", its standard error; "exit", its exit code, there once it has ended; "failed", there
# where a part of a pipe failed, as a pipe ends with the exit code of its last part.
set -u
umask 077

# Run a program with the words that it is given, and pg_dump's other options: names may have blanks and stars.
with_options() (
    IFS=$(printf '\t')
    set -f
    # shellcheck disable=SC2046
    exec "$@" $(cat "$NOTES/options")
)

local_dump() {
    with_options pg_dump --dbname="service=$SERVICE" --compress="$COMPRESS" --snapshot="$SNAPSHOT" --no-password "$@"
}

# Nothing of what arrives is believed until it was compared with what was sent (ops/backups/remote_dump.py).
remote_dump() {
    with_options "$OPS_PYTHON" -m ops.backups.remote_dump "$OVER" "$SERVICE" "$PORT" "$DATABASE" "$SYSTEM" "$SNAPSHOT" \
        "$COMPRESS" "$FOLDER/streamed.json"
}

source_stream() {
    if [ -n "$OVER" ]; then remote_dump; else local_dump --format=custom; fi
}

hold_back() {
    if [ -z "$RATE" ]; then cat; return; fi
    "$OPS_PYTHON" -m ops.backups.throttle "$RATE" || { echo "error: what holds the dump back ended early" >&2; false; }
}

# Where there are recipients, nothing readable touches a disk.
store_stream() {
    if [ -n "$RECIPIENTS" ]; then
        # shellcheck disable=SC2086
        "$OPS_PYTHON" -m ops.infra.stores.encryption seal $RECIPIENTS > "$FOLDER/dump.age"
    else
        cat > "$FOLDER/dump"
    fi
}

note_failure() { : > "$NOTES/failed"; }

dump() {
    if [ -z "$RECIPIENTS$RATE$OVER" ]; then
        local_dump --format=directory --jobs="$JOBS" --file="$FOLDER/dump"
    else
        { source_stream || note_failure; } | { hold_back || note_failure; } | store_stream && [ ! -e "$NOTES/failed" ]
    fi
}

# The exit code gets its name when all of it is written.
run_and_note() {
    dump
    echo $? > "$NOTES/ended"
    mv "$NOTES/ended" "$NOTES/exit"
}

has_ended() { [ -f "$NOTES/exit" ]; }

# What was killed writes no exit code.
is_running() { kill -0 "$(cat "$NOTES/pid")" 2>/dev/null; }

exit_code() { cat "$NOTES/exit" 2>/dev/null || echo 1; }

tell() { if "$@"; then echo true; else echo false; fi; }

case $1 in
    # Where no folder can be made, whoever writes a note says why.
    notes) mktemp -d "$FOLDER/notes.XXXXXX" 2>/dev/null || echo "$FOLDER/notes" ;;
    start)
        run_and_note 2> "$NOTES/said" &
        echo $! > "$NOTES/pid"
        ;;
    ended) tell has_ended ;;
    wait) until has_ended || ! is_running; do sleep 0.02; done ;;
    succeeded) tell [ "$(exit_code)" = 0 ] ;;
    say)
        cat "$NOTES/said" >&2
        [ -s "$NOTES/said" ] || [ "$(exit_code)" = 0 ] || echo "error: pg_dump ended with $(exit_code) and said nothing" >&2
        ;;
    forget) rm -rf "$NOTES" ;;
    *) echo "dump.sh: no such command: $1" >&2; exit 2 ;;
esac

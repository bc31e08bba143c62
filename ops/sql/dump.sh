#!/bin/sh
# Runs the dump of one attempt of dump.sql. psql calls this program to start the dump, to ask for its state while psql
# reads the fingerprint, and to wait for its end.
#
#   sh dump.sh notes       create a folder for the notes of this attempt, and print its path
#   sh dump.sh reuse       take the rows of unchanged tables from the backup in BASE, and note pg_dump's options for that
#   sh dump.sh start       start the dump in the background
#   sh dump.sh ended       print true if the dump has ended or failed, else false
#   sh dump.sh wait        wait until the dump has ended
#   sh dump.sh succeeded   print true if all parts of the pipe exited with 0, else false
#   sh dump.sh say         print the standard error of the dump
#   sh dump.sh forget      remove the notes
#   sh dump.sh guard       start the session that pauses the replay of a standby until the dump has ended
#   sh dump.sh guarded     wait for the pause; print paused, already, denied, or "not paused" and the reason
#
# Environment variables:
#   FOLDER       the folder of dump, dump/ or dump.age and of the notes
#   SERVICE      the database's name in the service file
#   JOBS COMPRESS SNAPSHOT   options of pg_dump; further options, separated by tabs, are in the note "options"
#   RECIPIENTS   age's public keys separated by blanks, for an encrypted dump
#   RATE         maximum bytes a second
#   OVER PORT DATABASE SYSTEM   for pg_dump beside the database: the words that open a shell there, the server's port on
#                that machine, and the expected database and server
#   BASE         the folder of an earlier backup
#   NOTES        the folder of this attempt's notes; a killed attempt may still write to its own folder
#   OPS_PYTHON   the Python of this toolkit
#   DUMPER LIVE  for a standby: the server's process of the dump, and the oid of its database
#
# Notes: "pid" of the dump; "said", its standard error; "exit", its exit code, written at its end; "failed", written if a
# part of a pipe failed, because a pipe exits with the code of its last part. In FOLDER, for a standby: ".replay", the
# process DUMPER for which the replay is paused; ".guard", the output of the session that pauses it.
set -u
umask 077

# Run a program with the given words and pg_dump's further options. Names may contain blanks and stars.
with_options() (
    IFS=$(printf '\t')
    set -f
    # shellcheck disable=SC2046
    exec "$@" $(cat "$NOTES/options")
)

local_dump() {
    with_options pg_dump --dbname="service=$SERVICE" --compress="$COMPRESS" --snapshot="$SNAPSHOT" --no-password "$@"
}

# The received bytes are compared with the sent bytes (ops/backups/remote_dump.py).
remote_dump() {
    with_options "$OPS_PYTHON" -m ops.backups.remote_dump "$OVER" "$SERVICE" "$PORT" "$DATABASE" "$SYSTEM" "$SNAPSHOT" \
        "$COMPRESS" "$FOLDER/streamed.json"
}

source_stream() {
    if [ -n "$OVER" ]; then remote_dump; else local_dump --format=custom; fi
}

hold_back() {
    if [ -z "$RATE" ]; then cat; return; fi
    "$OPS_PYTHON" -m ops.backups.throttle "$RATE" || { echo "error: the rate limiter ended early" >&2; false; }
}

# With recipients, no unencrypted byte is written to a disk.
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

# The exit code is renamed after it is written completely.
run_and_note() {
    dump
    echo $? > "$NOTES/ended"
    mv "$NOTES/ended" "$NOTES/exit"
}

has_ended() { [ -f "$NOTES/exit" ]; }

# A killed dump writes no exit code.
is_running() { kill -0 "$(cat "$NOTES/pid")" 2>/dev/null; }

exit_code() { cat "$NOTES/exit" 2>/dev/null || echo 1; }

tell() { if "$@"; then echo true; else echo false; fi; }

# Pause the replay. This program's process group may be killed; the server's session goes on.
guard() {
    application=$PGAPPNAME
    PGAPPNAME="generalprobe replay $DUMPER" psql -XqAtw -v dumper="$DUMPER" -v application="$application" -v live="$LIVE" \
        -f "$OPS_SQL/replay_guard.sql" "service=$SERVICE dbname=postgres" < /dev/null > "$FOLDER/.guard" 2>&1
    echo "generalprobe guard: ended" >> "$FOLDER/.guard"
}

guarded() {
    lives=true
    while found=$(grep -o 'generalprobe guard: .*' "$FOLDER/.guard" | head -n 1) && [ -z "$found" ] && $lives; do
        kill -0 "$(cat "$FOLDER/.guard.pid")" 2> /dev/null || lives=false
        sleep 0.05
    done
    case $found in
        *ended | '') echo "not paused: $(sed -n 's/^.*\(ERROR\|FATAL\|error\): *//p' "$FOLDER/.guard" | head -n 1)" ;;
        *) echo "${found#generalprobe guard: }" ;;
    esac
    # Without a pause of this dump, nothing has to be resumed.
    case $found in *paused) ;; *) rm -f "$FOLDER/.replay" ;; esac
}

case $1 in
    # If no folder can be created, the next note reports the error.
    notes) mktemp -d "$FOLDER/notes.XXXXXX" 2>/dev/null || echo "$FOLDER/notes" ;;
    reuse)
        # psql ends the file with a newline.
        { tr -d '\n' < "$NOTES/options"; "$OPS_PYTHON" -m ops.backups.unchanged_tables "$BASE" "$FOLDER" "$NOTES/large"; } \
            > "$NOTES/more" && mv "$NOTES/more" "$NOTES/options"
        ;;
    start)
        run_and_note 2> "$NOTES/said" &
        echo $! > "$NOTES/pid"
        ;;
    ended) tell has_ended ;;
    wait) until has_ended || ! is_running; do sleep 0.02; done ;;
    succeeded) tell [ "$(exit_code)" = 0 ] ;;
    say)
        cat "$NOTES/said" >&2
        [ -s "$NOTES/said" ] || [ "$(exit_code)" = 0 ] || echo "error: pg_dump exited with $(exit_code) without a message" >&2
        ;;
    forget) rm -rf "$NOTES" ;;
    guard)
        echo "$DUMPER" > "$FOLDER/.replay"
        : > "$FOLDER/.guard"
        (exec > /dev/null 2>&1; guard) &
        echo $! > "$FOLDER/.guard.pid"
        ;;
    guarded) guarded ;;
    *) echo "dump.sh: no such command: $1" >&2; exit 2 ;;
esac

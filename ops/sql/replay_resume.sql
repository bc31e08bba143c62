-- Resumes the replay of a standby that a dump has paused, if the guard of the dump is gone without doing that. Runs in
-- the database postgres. Does nothing without the dump's note. Variable: folder, the dump's folder.
\setenv FOLDER :folder
\set dumper `cat "$FOLDER/.replay" 2> /dev/null`
SELECT :'dumper' <> '' AND pg_is_in_recovery() AS noted \gset
\if :noted
SELECT set_config('generalprobe.guard', 'generalprobe replay ' || :'dumper', false) \g /dev/null
DO $$
DECLARE
    patience timestamptz := clock_timestamp() + interval '15 s';
BEGIN
    WHILE clock_timestamp() < patience AND EXISTS (
        SELECT FROM pg_stat_activity WHERE application_name = current_setting('generalprobe.guard')) LOOP
        PERFORM pg_sleep(0.05), pg_stat_clear_snapshot();
    END LOOP;
    -- Another dump may need the pause.
    IF pg_is_wal_replay_paused() AND pg_try_advisory_lock(6776174, 0) THEN
        PERFORM pg_wal_replay_resume(), pg_advisory_unlock(6776174, 0);
    END IF;
END $$;
\endif
\! rm -f "$FOLDER/.replay" "$FOLDER/.guard" "$FOLDER/.guard.pid"

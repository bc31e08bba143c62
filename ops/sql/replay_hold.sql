-- Makes one attempt of replay_guard.sql, in one statement: its end does not depend on its client. It has no EXCEPTION
-- clause, because the server would end the whole session if the replay cancels a subtransaction. The shared lock counts
-- the dumps that need the pause; the last one resumes the replay. Variable: until.
DO $$
DECLARE
    patience timestamptz := clock_timestamp() + interval '5 s';
    blocked text := '';
BEGIN
    IF pg_try_advisory_lock(6776174, 0) THEN
        IF pg_is_wal_replay_paused() THEN
            PERFORM pg_advisory_unlock(6776174, 0);
            RAISE NOTICE 'generalprobe guard: already';
            RETURN;
        END IF;
        PERFORM pg_advisory_lock_shared(6776174, 0), pg_advisory_unlock(6776174, 0);
    ELSE
        PERFORM pg_advisory_lock_shared(6776174, 0);
    END IF;
    PERFORM pg_wal_replay_pause();
    WHILE pg_get_wal_replay_pause_state() <> 'paused' AND clock_timestamp() < patience LOOP
        PERFORM pg_sleep(0.02);
    END LOOP;
    IF pg_get_wal_replay_pause_state() <> 'paused' THEN
        blocked := 'a session of the standby blocks the replay';
    ELSIF EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND locktype = 'relation'
                  AND database IN (0, current_setting('generalprobe.live')::oid)) THEN
        -- The dump would wait for this lock until the replay goes on.
        blocked := 'a transaction on production holds an ACCESS EXCLUSIVE lock';
    ELSE
        RAISE NOTICE 'generalprobe guard: paused';
        WHILE EXISTS (SELECT FROM pg_stat_activity WHERE pid = current_setting('generalprobe.dumper')::int
                      AND application_name = current_setting('generalprobe.application')) LOOP
            PERFORM pg_sleep(0.1), pg_stat_clear_snapshot();
        END LOOP;
    END IF;
    PERFORM set_config('generalprobe.blocked', blocked, false), pg_advisory_unlock_shared(6776174, 0);
    IF pg_try_advisory_lock(6776174, 0) THEN
        IF pg_is_in_recovery() THEN
            PERFORM pg_wal_replay_resume();
        END IF;
        PERFORM pg_advisory_unlock(6776174, 0);
    END IF;
END $$;
\if :ERROR
SELECT pg_advisory_unlock_all() \g /dev/null
SELECT pg_wal_replay_resume() WHERE pg_is_in_recovery() AND pg_try_advisory_lock(6776174, 0) \g /dev/null
\q
\endif
SELECT current_setting('generalprobe.blocked') AS blocked, current_setting('generalprobe.blocked') <> '' AS failed,
       clock_timestamp() < :'until'::timestamptz AND EXISTS (
           SELECT FROM pg_stat_activity WHERE pid = :'dumper' AND application_name = :'application') AS again \gset
\if :failed
\if :again
\! sleep 1
\ir replay_hold.sql
\else
\warn generalprobe guard: not paused within 60 s: :blocked
\endif
\endif

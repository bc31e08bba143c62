-- Locks all tables of the fingerprint as soon as pg_dump has locked them. psql must hold no lock while pg_dump waits
-- for one: a TRUNCATE would queue behind psql, and pg_dump behind the TRUNCATE, forever. pg_dump must hold its locks
-- while psql waits, so the wait is shorter than deadlock_timeout, which would cancel another transaction. Sets
-- `locked`, and on failure the reason in `wrong`. Variable: sequences_before.
\ir lock_list.sql
SELECT set_config('generalprobe.wrong', '', true),
       set_config('generalprobe.ready', CASE WHEN :'locks' = '' THEN 'true' ELSE 'false' END, true) \g /dev/null
\if :unlocked
\set locks ''
\endif
SELECT set_config('generalprobe.locks', :'locks', true) \g /dev/null
\set slice '50 ms'
\ir dump_wait.sql
SET LOCAL lock_timeout = '500 ms';
DO $$
BEGIN
    IF current_setting('generalprobe.locks') <> '' THEN
        EXECUTE current_setting('generalprobe.locks');
    END IF;
EXCEPTION WHEN lock_not_available OR deadlock_detected OR undefined_table THEN
    PERFORM set_config('generalprobe.wrong', 'its tables could not be locked together with pg_dump', true);
END $$;
SET LOCAL lock_timeout = 0;
\ir dump_moved.sql
SELECT set_config('generalprobe.wrong', 'a sequence was created, dropped or renamed', true)
WHERE current_setting('generalprobe.wrong') = '' AND :'sequences' <> :'sequences_before' \g /dev/null
SELECT current_setting('generalprobe.wrong') = '' AS locked \gset
\if :locked
\else
-- A session that truncates repeatedly is visible again a moment later.
DO $$
DECLARE
    deadline timestamptz := clock_timestamp() + interval '1 s';
    who text;
BEGIN
    WHILE who IS NULL AND clock_timestamp() < deadline LOOP
        PERFORM pg_stat_clear_snapshot(), pg_sleep(0.002);
        SELECT format(' (%s): by pid %s (role %s, %s)', l.relation::regclass, pid, a.usename, upper(substring(a.query FROM '^\s*(\w+)'))) INTO who
        FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'relation' AND l.relation >= 16384 AND l.mode = 'AccessExclusiveLock'
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid() LIMIT 1;
    END LOOP;
    PERFORM set_config('generalprobe.wrong', current_setting('generalprobe.wrong') || coalesce(CASE WHEN current_setting('generalprobe.wrong') LIKE '% was truncated, %'
                       THEN regexp_replace(who, '^ \(.*?\)', '') ELSE who END, ''), true);
END $$;
-- pg_dump must release its locks at once, too.
SET LOCAL client_min_messages = error;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = current_setting('application_name') AND datname = current_database()
  AND pid <> pg_backend_pid() \g /dev/null
\endif
SELECT current_setting('generalprobe.wrong') AS wrong \gset

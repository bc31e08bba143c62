-- Waits until the pg_dump of dump_once.sql has the locks of its tables or has ended. Repeats by including itself, with
-- growing pauses. Sets `ready`.
SELECT set_config('generalprobe.slice', :'slice', true) \g /dev/null
DO $$
DECLARE
    slice interval := current_setting('generalprobe.slice')::interval;
    until timestamptz := clock_timestamp() + slice;
BEGIN
    WHILE current_setting('generalprobe.ready') = 'false' AND clock_timestamp() < until LOOP
        PERFORM pg_stat_clear_snapshot(), pg_sleep(CASE WHEN slice < '2 s' THEN 0.002 ELSE 0.02 END);
        PERFORM set_config('generalprobe.ready', 'true', true)
        FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'relation' AND l.relation >= 16384 AND a.datname = current_database()
          AND a.application_name = current_setting('application_name') AND a.pid <> pg_backend_pid()
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        HAVING bool_and(l.granted);
    END LOOP;
END $$;
SELECT current_setting('generalprobe.ready') AS ready, least(:'slice'::interval * 2, '30 s') AS slice \gset
\set ended `sh "$OPS_SQL/dump.sh" ended`
\if :ready
\elif :ended
\else
\ir dump_wait.sql
\endif

-- Freezes production: makes every new session read-only, and ends the present sessions. Looks for writers that cannot
-- be stopped before anything is changed and again afterwards; then the freeze is lifted. Variables: live.
SET default_transaction_read_only = off;
SELECT set_config('generalprobe.live', :'live', false) \g /dev/null
\ir writers.sql
\ir refuse_writers.sql
-- A role's own setting overrides the database's, so each role that has one gets one in this database. The spelling of the
-- value records the former state for unfreeze.sql: `tru` for no setting, `tr` for off. A person writes `on` or `true`,
-- which is not changed. One transaction: all settings or none.
BEGIN;
SELECT format('ALTER DATABASE %I SET default_transaction_read_only = %L', d.datname, CASE WHEN EXISTS (
                  SELECT FROM pg_db_role_setting s, unnest(s.setconfig) setting WHERE s.setdatabase = d.oid AND s.setrole = 0
                  AND CASE split_part(setting, '=', 1) WHEN 'default_transaction_read_only'
                      THEN NOT split_part(setting, '=', 2)::bool OR split_part(setting, '=', 2) = 'tr' END)
              THEN 'tr' ELSE 'on' END)
FROM pg_database d WHERE d.datname = :'live' \gexec
WITH own AS (
    SELECT DISTINCT ON (s.setrole) s.setrole, s.setdatabase, split_part(setting, '=', 2)::bool AS read_only
    FROM pg_db_role_setting s JOIN pg_database d ON d.datname = :'live' AND s.setdatabase IN (0, d.oid),
         unnest(s.setconfig) setting
    WHERE s.setrole <> 0 AND split_part(setting, '=', 1) = 'default_transaction_read_only'
    ORDER BY s.setrole, s.setdatabase DESC
)
SELECT format('ALTER ROLE %I IN DATABASE %I SET default_transaction_read_only = %L', pg_get_userbyid(setrole), :'live',
              CASE setdatabase WHEN 0 THEN 'tru' ELSE 'tr' END)
FROM own WHERE NOT read_only AND setrole = ANY (current_setting('generalprobe.settable')::oid[]) \gexec
COMMIT;
-- A session that is just starting has the former settings and is not listed yet, but its lock on the database is.
DO $$
DECLARE
    live oid := (SELECT oid FROM pg_database WHERE datname = current_setting('generalprobe.live'));
    began text[] := ARRAY(SELECT pid || ' ' || virtualtransaction FROM pg_locks WHERE classid = 'pg_database'::regclass
                          AND objid = live AND database = 0 AND pid <> pg_backend_pid());
    deadline timestamptz := clock_timestamp() + interval '10 s';
BEGIN
    WHILE EXISTS (SELECT FROM pg_locks WHERE pid || ' ' || virtualtransaction = ANY (began)) AND clock_timestamp() < deadline LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = :'live' AND pid <> pg_backend_pid() AND usesysid = ANY (current_setting('generalprobe.endable')::oid[]) \g /dev/null
-- Sessions that started in the meantime.
\ir writers.sql
SELECT :'writers' <> '[]' AS failed \gset
\if :failed
\ir unfreeze.sql
\ir refuse_writers.sql
\endif
-- An administrator's idle session is reported and not waited for, because monitors hold such sessions.
SELECT format('WARNING: %s of the administrator %I, which %I may not end, could still write: process %s; the run checks for new rows before and after the migrations',
              CASE count(*) WHEN 1 THEN 'a session' ELSE count(*) || ' sessions' END, a.usename, current_user,
              string_agg(a.pid::text, ', ' ORDER BY a.pid))
FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
WHERE a.datname = :'live' AND r.rolsuper AND a.pid <> pg_backend_pid()
  AND a.usesysid <> ALL (current_setting('generalprobe.endable')::oid[])
GROUP BY a.usename ORDER BY a.usename;

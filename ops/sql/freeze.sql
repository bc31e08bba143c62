-- Production refuses writes from now on: every new session is read-only, and the old ones are ended. Who could not be
-- stopped is looked for before anything is changed, and once more after it; then the freeze is taken back. Variables: live.
SET default_transaction_read_only = off;
SELECT set_config('generalprobe.live', :'live', false) \g /dev/null
\ir writers.sql
\ir refuse_writers.sql
-- A role's own setting goes before the database's, so each role that has one gets one in this database. What was there
-- before is kept in how the value is spelled, so that unfreeze.sql puts back exactly that: `tru` stands for none, `tr`
-- for off; a person writes `on` or `true`, and that is left alone. One transaction: all of it, or nothing.
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
-- A session that is just beginning has the settings from before, and is not listed yet: its lock on the database is.
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
-- Whoever came meanwhile.
\ir writers.sql
SELECT :'writers' <> '[]' AS failed \gset
\if :failed
\ir unfreeze.sql
\ir refuse_writers.sql
\endif
-- An administrator's session that does nothing now is not waited for, since monitors hold such ones: it is named.
SELECT format('WARNING: %s of the administrator %I, which %I may not end, could still write: process %s; rows written are looked for before the migrations and after',
              CASE count(*) WHEN 1 THEN 'a session' ELSE count(*) || ' sessions' END, a.usename, current_user,
              string_agg(a.pid::text, ', ' ORDER BY a.pid))
FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
WHERE a.datname = :'live' AND r.rolsuper AND a.pid <> pg_backend_pid()
  AND a.usesysid <> ALL (current_setting('generalprobe.endable')::oid[])
GROUP BY a.usename ORDER BY a.usename;

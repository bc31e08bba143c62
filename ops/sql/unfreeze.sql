-- Lifts a freeze: production takes writes again, and every setting has its value from before freeze.sql. Sessions that
-- began during the freeze are ended, because they would stay read-only. Variables: live.
SET default_transaction_read_only = off;
\ir ours.sql
BEGIN;
SELECT CASE s.setrole WHEN 0 THEN format('ALTER DATABASE %I', d.datname)
                      ELSE format('ALTER ROLE %I IN DATABASE %I', pg_get_userbyid(s.setrole), d.datname) END
       || CASE split_part(setting, '=', 2) WHEN 'tr' THEN ' SET default_transaction_read_only = off'
                                           ELSE ' RESET default_transaction_read_only' END
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) setting
WHERE d.datname = :'live' AND CASE split_part(setting, '=', 1) WHEN 'default_transaction_read_only' THEN
    s.setrole = 0 AND split_part(setting, '=', 2)::bool OR split_part(setting, '=', 2) IN ('tr', 'tru') END \gexec
COMMIT;
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = :'live' AND pid <> pg_backend_pid() AND usesysid = ANY (current_setting('generalprobe.endable')::oid[]) \g /dev/null

-- Production refuses writes from now on: every new session is read-only, and the old ones are ended. Variables: live.
SELECT format('ALTER DATABASE %I SET default_transaction_read_only = on', :'live') \gexec
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = :'live' AND pid <> pg_backend_pid() AND usesysid IS NOT NULL AND pg_has_role(usesysid, 'MEMBER') \g /dev/null
-- Administrators' sessions can be looked over; another application's would go on writing.
SELECT set_config('generalprobe.live', :'live', false) \g /dev/null
DO $$
DECLARE
    others text;
BEGIN
    SELECT string_agg(DISTINCT a.usename::text, ', ') INTO others FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
    WHERE a.datname = current_setting('generalprobe.live') AND NOT pg_has_role(a.usesysid, 'MEMBER') AND NOT r.rolsuper;
    IF others IS NOT NULL THEN
        RAISE EXCEPTION 'sessions of other roles go on writing, and are not ours to end: %', others;
    END IF;
END $$;

-- Succeeds if a kept database exists under its name, or is live, is the planned one (by its oid), and, while it is
-- kept, no session is connected. Variables: name, oid, live.
SELECT set_config('generalprobe.name', :'name', false), set_config('generalprobe.oid', :'oid', false),
       set_config('generalprobe.live', :'live', false) \g /dev/null
DO $$
DECLARE
    found record;
BEGIN
    SELECT * INTO found FROM pg_database WHERE oid::text = current_setting('generalprobe.oid');
    IF found.datname IS NULL THEN
        RAISE EXCEPTION '% does not exist any more, or is not the planned database',
            current_setting('generalprobe.name');
    END IF;
    IF found.datname NOT IN (current_setting('generalprobe.name'), current_setting('generalprobe.live')) THEN
        RAISE EXCEPTION '% now has the name %', current_setting('generalprobe.name'), found.datname;
    END IF;
    IF found.datname = current_setting('generalprobe.name')
       AND EXISTS (SELECT FROM pg_stat_activity WHERE datid = found.oid AND usesysid IS NOT NULL) THEN
        RAISE EXCEPTION 'somebody is connected to %', found.datname;
    END IF;
END $$;

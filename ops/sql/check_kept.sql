-- Holds when a kept database is there under its name, or has become the live one, is the one that was planned for (its
-- number on this server), and no session is connected to it as long as it is kept. Variables: name, oid, live.
SELECT set_config('generalprobe.name', :'name', false), set_config('generalprobe.oid', :'oid', false),
       set_config('generalprobe.live', :'live', false) \g /dev/null
DO $$
DECLARE
    found record;
BEGIN
    SELECT * INTO found FROM pg_database WHERE oid::text = current_setting('generalprobe.oid');
    IF found.datname IS NULL THEN
        RAISE EXCEPTION '% is not there any more, or is another database than the one planned for',
            current_setting('generalprobe.name');
    END IF;
    IF found.datname NOT IN (current_setting('generalprobe.name'), current_setting('generalprobe.live')) THEN
        RAISE EXCEPTION '% is called % now', current_setting('generalprobe.name'), found.datname;
    END IF;
    IF found.datname = current_setting('generalprobe.name')
       AND EXISTS (SELECT FROM pg_stat_activity WHERE datid = found.oid AND usesysid IS NOT NULL) THEN
        RAISE EXCEPTION 'somebody is connected to %', found.datname;
    END IF;
END $$;

-- Succeeds if a database is closed to connections and nobody is connected. Variables: name.
SELECT set_config('generalprobe.name', :'name', false) \g /dev/null
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.name') AND datallowconn) THEN
        RAISE EXCEPTION '% accepts connections', current_setting('generalprobe.name');
    END IF;
    IF EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_setting('generalprobe.name') AND usesysid IS NOT NULL) THEN
        RAISE EXCEPTION 'somebody is connected to %', current_setting('generalprobe.name');
    END IF;
END $$;

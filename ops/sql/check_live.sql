-- Succeeds if the live name belongs to the database with this oid, and it accepts connections. Variables: live, oid.
SELECT set_config('generalprobe.live', :'live', false), set_config('generalprobe.oid', :'oid', false) \g /dev/null
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.live') AND datallowconn
                   AND oid::text = current_setting('generalprobe.oid')) THEN
        RAISE EXCEPTION '% is not the open database with the oid %',
            current_setting('generalprobe.live'), current_setting('generalprobe.oid');
    END IF;
END $$;

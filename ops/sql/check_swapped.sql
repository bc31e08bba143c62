-- Succeeds if the live name belongs to the database with this mark, the database accepts connections, and no database
-- has the incoming name. Variables: live, incoming, marker.
SELECT set_config('generalprobe.live', :'live', false), set_config('generalprobe.incoming', :'incoming', false),
       set_config('generalprobe.marker', :'marker', false) \g /dev/null
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.incoming')) THEN
        RAISE EXCEPTION '% is not swapped in yet', current_setting('generalprobe.incoming');
    END IF;
    IF NOT EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.live') AND datallowconn
                   AND starts_with(shobj_description(oid, 'pg_database'), current_setting('generalprobe.marker'))) THEN
        RAISE EXCEPTION '% is not the open database with the mark "%"',
            current_setting('generalprobe.live'), current_setting('generalprobe.marker');
    END IF;
END $$;

-- Holds when the live name belongs to the database with this mark, is open, and the incoming name is gone.
-- Variables: live, incoming, marker.
SELECT set_config('generalprobe.live', :'live', false), set_config('generalprobe.incoming', :'incoming', false),
       set_config('generalprobe.marker', :'marker', false) \g /dev/null
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.incoming')) THEN
        RAISE EXCEPTION '% still waits to be swapped in', current_setting('generalprobe.incoming');
    END IF;
    IF NOT EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.live') AND datallowconn
                   AND starts_with(shobj_description(oid, 'pg_database'), current_setting('generalprobe.marker'))) THEN
        RAISE EXCEPTION '% is not the open database marked "%"',
            current_setting('generalprobe.live'), current_setting('generalprobe.marker');
    END IF;
END $$;

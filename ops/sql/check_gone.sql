-- Holds when no database of this name is there. Variables: name.
SELECT set_config('generalprobe.name', :'name', false) \g /dev/null
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.name')) THEN
        RAISE EXCEPTION '% is still there', current_setting('generalprobe.name');
    END IF;
END $$;

-- Succeeds if no database has this name. Variables: name.
SELECT set_config('generalprobe.name', :'name', false) \g /dev/null
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.name')) THEN
        RAISE EXCEPTION '% still exists', current_setting('generalprobe.name');
    END IF;
END $$;

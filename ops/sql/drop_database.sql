-- Drops a database that this tool made and marked; refuses any other. Variables: name, marker (the mark's beginning).
SELECT set_config('generalprobe.name', :'name', false), set_config('generalprobe.marker', :'marker', false) \g /dev/null
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.name')
               AND NOT coalesce(starts_with(shobj_description(oid, 'pg_database'),
                                            current_setting('generalprobe.marker')), false)) THEN
        RAISE EXCEPTION '% is not marked "%…": it is not ours to drop',
            current_setting('generalprobe.name'), current_setting('generalprobe.marker');
    END IF;
END $$;
SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname) FROM pg_database WHERE datname = :'name' AND datistemplate \gexec
SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE datname = :'name' \gexec

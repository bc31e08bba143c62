-- Drops one kept database: the one with this name and oid, closed to connections, and not live. Variables: name, oid,
-- live.
SELECT set_config('generalprobe.name', :'name', false), set_config('generalprobe.oid', :'oid', false),
       set_config('generalprobe.live', :'live', false) \g /dev/null
DO $$
DECLARE
    name text := current_setting('generalprobe.name');
BEGIN
    IF name = current_setting('generalprobe.live') THEN RAISE EXCEPTION '% is the live database', name; END IF;
    IF EXISTS (SELECT FROM pg_database WHERE datname = name AND oid::text <> current_setting('generalprobe.oid')) THEN
        RAISE EXCEPTION '% is not the planned database', name;
    END IF;
    IF EXISTS (SELECT FROM pg_database WHERE datname = name AND datallowconn) THEN
        RAISE EXCEPTION '% accepts connections: a kept database is closed, so somebody uses this one', name;
    END IF;
END $$;
SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname) FROM pg_database
WHERE datname = :'name' AND oid::text = :'oid' AND datistemplate \gexec
\ir drop_subscriptions.sql
\if :subscribed
SELECT format('ALTER DATABASE %I WITH ALLOW_CONNECTIONS false', :'name') \gexec
\endif
SELECT format('DROP DATABASE %I', datname) FROM pg_database
WHERE datname = :'name' AND oid::text = :'oid' AND NOT datallowconn \gexec

-- Removes one kept database for good: the one with this name and this number, closed, and not the live one.
-- Variables: name, oid, live.
SELECT set_config('generalprobe.name', :'name', false), set_config('generalprobe.oid', :'oid', false),
       set_config('generalprobe.live', :'live', false) \g /dev/null
DO $$
DECLARE
    name text := current_setting('generalprobe.name');
BEGIN
    IF name = current_setting('generalprobe.live') THEN RAISE EXCEPTION '% is the live database', name; END IF;
    IF EXISTS (SELECT FROM pg_database WHERE datname = name AND oid::text <> current_setting('generalprobe.oid')) THEN
        RAISE EXCEPTION '% is another database than the one planned for', name;
    END IF;
    IF EXISTS (SELECT FROM pg_database WHERE datname = name AND datallowconn) THEN
        RAISE EXCEPTION '% is open to connections: a kept database is closed, so this one is used by somebody', name;
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

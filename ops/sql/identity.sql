-- Returns the identity of this server and this database; changes nothing.
BEGIN READ ONLY;
\ir settings.sql
\ir frozen.sql
-- True if messages are in another language, and this role may set English.
SELECT current_setting('server_version_num')::int >= 150000 AS parameters \gset
\if :parameters
SELECT has_parameter_privilege('lc_messages', 'SET') AS chooses \gset
\else
SELECT rolsuper AS chooses FROM pg_roles WHERE rolname = current_user \gset
\endif
SELECT json_build_object(
    -- The number of free connections for this role. Reserved connections are for superusers.
    'connections', (SELECT least(
        current_setting('max_connections')::int - CASE WHEN r.rolsuper THEN 0 ELSE
            current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true), '0')::int END
            - (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL),
        CASE WHEN r.rolconnlimit >= 0 AND NOT r.rolsuper THEN r.rolconnlimit
            - (SELECT count(*) FROM pg_stat_activity WHERE usesysid = r.oid) END,
        CASE WHEN d.datconnlimit >= 0 AND NOT r.rolsuper THEN d.datconnlimit
            - (SELECT count(*) FROM pg_stat_activity WHERE datid = d.oid) END)
        FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()),
    'foreign', current_setting('lc_messages') !~* '^(en|c$|c\.|posix|$)', 'chooses', :'chooses'::bool,
    'system', (SELECT system_identifier::text FROM pg_control_system()),
    'server', current_setting('server_version'), 'number', current_setting('server_version_num')::int,
    'database', current_database(), 'user', current_user,
    'size', pg_database_size(current_database()),
    'read_only', :'frozen',
    'databases', (SELECT json_object_agg(datname, coalesce(shobj_description(oid, 'pg_database'), ''))
                  FROM pg_database WHERE NOT datistemplate));
COMMIT;

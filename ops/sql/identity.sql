-- Who this server and this database are; changes nothing.
BEGIN READ ONLY;
\ir settings.sql
SELECT json_build_object(
    'system', (SELECT system_identifier::text FROM pg_control_system()),
    'server', current_setting('server_version'), 'number', current_setting('server_version_num')::int,
    'database', current_database(), 'user', current_user,
    'size', pg_database_size(current_database()),
    'read_only', current_setting('default_transaction_read_only'),
    'databases', (SELECT json_object_agg(datname, coalesce(shobj_description(oid, 'pg_database'), ''))
                  FROM pg_database WHERE NOT datistemplate));
\ir schema.sql
COMMIT;

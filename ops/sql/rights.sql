-- Returns the rights of this role, other connected sessions, and what the server could restore; changes nothing. Run it
-- on production's database itself; on a test server, on the database postgres. Variable: live, the name of the target's
-- database.
BEGIN READ ONLY;
\ir settings.sql
\ir frozen.sql
\ir ours.sql
SELECT current_setting('server_version_num')::int >= 180000 AS newer \gset
\if :newer
SELECT count(*) AS large, coalesce(to_json((array_agg(oid::int8 ORDER BY oid))[1:3]), '[]') AS first FROM pg_largeobject_metadata
WHERE NOT has_largeobject_privilege(oid, 'SELECT') \gset
\else
SELECT count(*) AS large, coalesce(to_json((array_agg(oid::int8 ORDER BY oid))[1:3]), '[]') AS first FROM pg_largeobject_metadata m
WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AND NOT pg_has_role(lomowner, 'USAGE')
  AND NOT EXISTS (SELECT FROM aclexplode(m.lomacl) g WHERE g.privilege_type = 'SELECT'
                  AND (g.grantee = 0 OR CASE WHEN g.grantee <> 0 THEN pg_has_role(g.grantee, 'USAGE') END)) \gset
\endif
WITH relations AS MATERIALIZED (
    -- The relations of dump and fingerprint; objects of extensions are left out.
    SELECT c.oid, c.relkind, c.relowner, format('%I.%I', n.nspname, c.relname) AS name, n.oid AS schema
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
), named AS (
    SELECT * FROM pg_database WHERE datname = :'live'
)
SELECT json_build_object(
    'role', current_user, 'super', r.rolsuper, 'creates', r.rolcreatedb OR r.rolsuper,
    'exists', EXISTS (SELECT FROM named),
    'owns', (SELECT pg_has_role(datdba, 'USAGE') FROM named), 'owner', (SELECT pg_get_userbyid(datdba) FROM named),
    'unreadable', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM relations WHERE NOT has_schema_privilege(schema, 'USAGE')
                   OR NOT CASE relkind WHEN 'S' THEN has_sequence_privilege(oid, 'SELECT') ELSE has_table_privilege(oid, 'SELECT') END),
    'hidden', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM relations
               WHERE relkind <> 'S' AND has_table_privilege(oid, 'SELECT') AND row_security_active(oid)),
    'large', :large::int, 'first', :'first'::json,
    -- Superusers: no membership in such a role should be granted.
    'foreign', (SELECT coalesce(json_object_agg(o.rolname, o.rolsuper), '{}') FROM pg_roles o
                WHERE o.oid IN (SELECT relowner FROM relations) AND NOT (pg_has_role(o.oid, 'USAGE')
                    AND o.oid = ANY (current_setting('generalprobe.givable')::oid[]))),
    'strangers', (SELECT coalesce(json_object_agg(o.rolname, o.rolsuper), '{}') FROM pg_roles o
                  WHERE o.oid IN (SELECT usesysid FROM pg_stat_activity WHERE datname = :'live')
                    AND o.oid <> ALL (current_setting('generalprobe.endable')::oid[])),
    'reads_only', :'frozen' = 'off' AND current_setting('default_transaction_read_only')::bool,
    'prepared', (SELECT coalesce(json_agg(gid), '[]') FROM pg_prepared_xacts WHERE database = :'live'),
    'extensions', (SELECT coalesce(json_agg(extname ORDER BY extname), '[]') FROM pg_extension WHERE extname <> 'plpgsql'),
    'offered', (SELECT coalesce(json_object_agg(v.name, v.able), '{}') FROM (
                    SELECT name, bool_or(r.rolsuper OR NOT superuser OR to_jsonb(e) ->> 'trusted' = 'true') AS able
                    FROM pg_available_extension_versions e GROUP BY name) v),
    'sizes', (SELECT json_object_agg(datname, pg_database_size(oid)) FROM pg_database
              WHERE NOT datistemplate AND (has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'MEMBER'))))
FROM pg_roles r WHERE r.rolname = current_user;
COMMIT;

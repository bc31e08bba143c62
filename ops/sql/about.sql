-- Returns what a copy of this database requires: encoding, locale, the roles that policies and user mappings name, and
-- extensions. Changes nothing. Reads no settings of roles, which may contain secrets.
SELECT json_build_object('about', json_build_object(
    'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
    'provider', j ->> 'datlocprovider', 'locale', coalesce(j ->> 'datlocale', j ->> 'daticulocale'),
    'rules', j ->> 'daticurules', 'collation_version', j ->> 'datcollversion',
    'roles', (SELECT coalesce(json_agg(rolname ORDER BY rolname), '[]') FROM pg_roles r WHERE r.rolname !~ '^pg_' AND (
                  EXISTS (SELECT FROM pg_policy WHERE r.oid = ANY (polroles))
                  OR EXISTS (SELECT FROM pg_user_mappings WHERE umuser = r.oid))),
    'extensions', (SELECT coalesce(json_object_agg(extname, extversion ORDER BY extname), '{}') FROM pg_extension
                   WHERE extname <> 'plpgsql'),
    'public', EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public'),
    'number', current_setting('server_version_num')::int))
FROM pg_database d, to_jsonb(d) j WHERE d.datname = current_database();

-- Creates an empty, marked database with the owner and tablespace of another database on this server, and with its
-- encoding, locale provider, locale and rules; or with those of the dumped database, if `from` names a backup's
-- fingerprint. A database of the same name is dropped first only if this run created it. Variables: name, like, marker,
-- run; optional: from, and template (default: template0).
\if :{?template}
\else
\set template template0
\endif
\ir read_about.sql
SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database
WHERE datname = :'name' AND (split_part(shobj_description(oid, 'pg_database'), E'\n', 1) = :'marker' OR
      (shobj_description(oid, 'pg_database') IS NULL AND position(:'run' IN datname) > 0)) \gexec
\ir ours.sql
SELECT set_config('generalprobe.name', :'name', false), set_config('generalprobe.like', :'like', false) \g /dev/null
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.name')) THEN
        RAISE EXCEPTION 'database "%" already exists, and another run created it', current_setting('generalprobe.name');
    END IF;
    IF NOT EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.like')) THEN
        RAISE EXCEPTION 'there is no database % whose encoding and locale could be used', current_setting('generalprobe.like');
    END IF;
END $$;
SELECT format('CREATE DATABASE %I TEMPLATE %I OWNER %I ENCODING %L LC_COLLATE %L LC_CTYPE %L%s%s%s%s',
    :'name', :'template', CASE WHEN d.datdba = ANY (current_setting('generalprobe.givable')::oid[]) THEN pg_get_userbyid(d.datdba) ELSE current_user END,
    w ->> 'encoding', w ->> 'collate', w ->> 'ctype',
    -- Servers before 15 support only libc, and have no option for it.
    CASE WHEN current_setting('server_version_num')::int >= 150000 THEN
        CASE w ->> 'provider' WHEN 'i' THEN ' LOCALE_PROVIDER icu' WHEN 'b' THEN ' LOCALE_PROVIDER builtin'
                              ELSE ' LOCALE_PROVIDER libc' END END,
    CASE w ->> 'provider' WHEN 'i' THEN format(' ICU_LOCALE %L', w ->> 'locale')
                          WHEN 'b' THEN format(' BUILTIN_LOCALE %L', w ->> 'locale') END,
    CASE WHEN coalesce(w ->> 'rules', '') <> '' THEN format(' ICU_RULES %L', w ->> 'rules') END,
    (SELECT format(' TABLESPACE %I', spcname) FROM pg_tablespace t WHERE t.oid = d.dattablespace AND spcname <> 'pg_default'))
FROM pg_database d, to_jsonb(d) j, LATERAL (SELECT coalesce(nullif(:'about', '')::jsonb -> 'about', jsonb_build_object(
    'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
    'provider', j ->> 'datlocprovider', 'locale', coalesce(j ->> 'datlocale', j ->> 'daticulocale'),
    'rules', j ->> 'daticurules')) AS w) wanted
WHERE d.datname = :'like' \gexec
SELECT format('COMMENT ON DATABASE %I IS %L', :'name', :'marker') \gexec
-- Every new database has a schema public. Drop it if the dumped database has none.
SELECT coalesce(nullif(:'about', '')::jsonb -> 'about' ->> 'public', 'true')::bool AS public \gset
\if :public
\else
\connect :"name"
DO $$
BEGIN
    DROP SCHEMA public;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'the dumped database has no schema public, and only an administrator may run: DROP SCHEMA public';
END $$;
\endif

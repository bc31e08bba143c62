-- Creates an empty, marked database with the owner, encoding and locale of another one on this server.
-- Variables: name, like, marker, run. One of that name is dropped first only if this run made it.
SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database
WHERE datname = :'name' AND (split_part(shobj_description(oid, 'pg_database'), E'\n', 1) = :'marker' OR
      (shobj_description(oid, 'pg_database') IS NULL AND position(:'run' IN datname) > 0)) \gexec
SELECT set_config('generalprobe.name', :'name', false), set_config('generalprobe.like', :'like', false) \g /dev/null
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.name')) THEN
        RAISE EXCEPTION 'database "%" already exists, and it is not of this run', current_setting('generalprobe.name');
    END IF;
    IF NOT EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.like')) THEN
        RAISE EXCEPTION 'there is no database % to take encoding and locale from', current_setting('generalprobe.like');
    END IF;
END $$;
SELECT format('CREATE DATABASE %I TEMPLATE template0 OWNER %I ENCODING %L LC_COLLATE %L LC_CTYPE %L%s%s%s',
    :'name', CASE WHEN pg_has_role(d.datdba, 'MEMBER') THEN pg_get_userbyid(d.datdba) ELSE current_user END,
    pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
    CASE j ->> 'datlocprovider' WHEN 'c' THEN ' LOCALE_PROVIDER libc' WHEN 'i' THEN ' LOCALE_PROVIDER icu'
                                WHEN 'b' THEN ' LOCALE_PROVIDER builtin' END,
    CASE j ->> 'datlocprovider' WHEN 'i' THEN format(' ICU_LOCALE %L', coalesce(j ->> 'datlocale', j ->> 'daticulocale'))
                                WHEN 'b' THEN format(' BUILTIN_LOCALE %L', j ->> 'datlocale') END,
    (SELECT format(' TABLESPACE %I', spcname) FROM pg_tablespace t WHERE t.oid = d.dattablespace AND spcname <> 'pg_default'))
FROM pg_database d, to_jsonb(d) j WHERE d.datname = :'like' \gexec
SELECT format('COMMENT ON DATABASE %I IS %L', :'name', :'marker') \gexec

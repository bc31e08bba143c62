-- Succeeds if this server can hold a copy of the dumped database: its encoding and locale, its extensions, and the
-- roles that its policies name. Creates nothing; a locale is tried as a setting of this session. Variables: from (the
-- backup's fingerprint).
\ir read_about.sql
SELECT set_config('generalprobe.about', :'about', false) \g /dev/null
DO $$
DECLARE
    w jsonb := nullif(current_setting('generalprobe.about'), '')::jsonb -> 'about';
    number int := current_setting('server_version_num')::int;
    provider text := CASE w ->> 'provider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END;
    one text;
    said text;
BEGIN
    IF w IS NULL THEN RETURN; END IF;
    IF pg_char_to_encoding(w ->> 'encoding') < 0 THEN
        RAISE EXCEPTION 'this server does not support the encoding % of production''s database', w ->> 'encoding';
    END IF;
    IF provider = 'icu' AND NOT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i' AND collname LIKE '%-x-icu')
       OR number < (CASE WHEN provider = 'builtin' THEN 170000 WHEN coalesce(w ->> 'rules', '') <> '' THEN 160000
                        WHEN provider = 'icu' THEN 150000 ELSE 0 END) THEN
        RAISE EXCEPTION 'production''s database has the locale % of the provider %, and this server (PostgreSQL %) has '
            'no database of that kind: text would be compared in another way', w ->> 'locale', provider,
            current_setting('server_version');
    END IF;
    FOREACH one IN ARRAY ARRAY[w ->> 'collate', w ->> 'ctype'] LOOP
        BEGIN
            PERFORM set_config('lc_time', one, true);
        EXCEPTION WHEN OTHERS THEN
            RAISE EXCEPTION 'production''s database has the locale %, which the system of this server does not have: it '
                'would compare text differently. On that system, as root: locale-gen %, and restart PostgreSQL', one, one;
        END;
    END LOOP;
    SELECT string_agg(name, ', ') INTO said FROM jsonb_object_keys(w -> 'extensions') AS name
    WHERE name NOT IN (SELECT e.name FROM pg_available_extensions e);
    IF said IS NOT NULL THEN
        RAISE EXCEPTION 'production''s database uses the extensions %, which are not installed on this server', said;
    END IF;
    SELECT string_agg(format('CREATE ROLE %I NOLOGIN', name), '; ') INTO said FROM jsonb_array_elements_text(w -> 'roles') AS name
    WHERE name NOT IN (SELECT rolname FROM pg_roles);
    IF said IS NOT NULL AND NOT (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'policies or user mappings name roles that this server does not have, and % may not create them; '
            'an administrator has to run: %', current_user, said;
    END IF;
END $$;

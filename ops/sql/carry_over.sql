-- Copies owner, grants, connection limit, settings and comment of the database source to the database name, because
-- they do not follow a database's name. Removes what source does not have. A mark of this tool stays, above the comment
-- of people. Does nothing if the database name does not exist: an undo runs this file also after a swap that was
-- interrupted before it began. Variables: source, name.
SELECT set_config('generalprobe.source', :'source', false), set_config('generalprobe.name', :'name', false) \g /dev/null
-- Report settings of other roles that only an administrator may write, before anything is changed.
DO $$
DECLARE
    name text := current_setting('generalprobe.name');
    wanted text;
BEGIN
    WITH settings AS (
        SELECT d.datname, s.setrole, s.setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
        WHERE s.setrole <> 0
    ), differing AS (
        SELECT setrole, (SELECT setconfig FROM settings i WHERE i.datname = current_setting('generalprobe.source')
                         AND i.setrole = o.setrole) AS setconfig
        FROM settings o WHERE datname IN (name, current_setting('generalprobe.source'))
        GROUP BY setrole HAVING count(DISTINCT setconfig) > 1 OR count(*) < 2
    )
    SELECT string_agg(format('ALTER ROLE %I IN DATABASE %I ', r.rolname, name)
                      || coalesce(format('SET %s = ', split_part(setting, '=', 1))
                                  || CASE WHEN split_part(setting, '=', 1) IN ('search_path', 'temp_tablespaces')
                                          THEN substr(setting, strpos(setting, '=') + 1)
                                          ELSE quote_literal(substr(setting, strpos(setting, '=') + 1)) END, 'RESET ALL'), '; ')
    INTO wanted FROM differing d JOIN pg_roles r ON r.oid = d.setrole JOIN pg_roles me ON me.rolname = current_user
    LEFT JOIN unnest(d.setconfig) AS setting ON true
    WHERE NOT me.rolsuper AND r.oid <> me.oid AND EXISTS (SELECT FROM pg_database WHERE datname = name)
      AND (r.rolsuper OR NOT me.rolcreaterole
           OR current_setting('server_version_num')::int >= 160000 AND NOT pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION'));
    IF wanted IS NOT NULL THEN
        RAISE EXCEPTION '% may not write settings of other roles; an administrator has to run: %; then continue',
            current_user, wanted;
    END IF;
END $$;
SELECT format('ALTER DATABASE %I OWNER TO %I', :'name', pg_get_userbyid(s.datdba)) FROM pg_database s, pg_database d
WHERE s.datname = :'source' AND d.datname = :'name' AND s.datdba <> d.datdba \gexec
SELECT format('ALTER DATABASE %I CONNECTION LIMIT %s', :'name', s.datconnlimit) FROM pg_database s, pg_database d
WHERE s.datname = :'source' AND d.datname = :'name' AND s.datconnlimit <> d.datconnlimit \gexec
SELECT format('ALTER DATABASE %I IS_TEMPLATE %s', :'name', s.datistemplate) FROM pg_database s, pg_database d
WHERE s.datname = :'source' AND d.datname = :'name' AND s.datistemplate <> d.datistemplate \gexec
SELECT s.datacl IS DISTINCT FROM d.datacl AS differ FROM pg_database s, pg_database d
WHERE s.datname = :'source' AND d.datname = :'name' UNION ALL SELECT false LIMIT 1 \gset
\if :differ
SELECT format('REVOKE ALL ON DATABASE %I FROM %s CASCADE', :'name', r.who)
FROM (SELECT DISTINCT g.grantee FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) g
      WHERE d.datname = :'name') have,
     LATERAL (SELECT CASE WHEN have.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(have.grantee)) END AS who) r \gexec
SELECT format('GRANT %s ON DATABASE %I TO %s', g.privilege_type, :'name', r.who)
       || CASE WHEN bool_or(g.is_grantable) THEN ' WITH GRANT OPTION' ELSE '' END
FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) g,
     LATERAL (SELECT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END AS who) r
WHERE d.datname = :'source' GROUP BY g.privilege_type, r.who \gexec
\endif
SELECT CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %I', :'name')
            ELSE format('ALTER ROLE %I IN DATABASE %I', pg_get_userbyid(s.setrole), :'name') END
       || format(' RESET %s', (SELECT string_agg(quote_ident(part), '.') FROM unnest(string_to_array(c.name, '.')) part))
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS setting,
     LATERAL (SELECT split_part(setting, '=', 1) AS name) c
WHERE d.datname = :'name' AND NOT EXISTS (
    SELECT FROM pg_db_role_setting o JOIN pg_database i ON i.oid = o.setdatabase, unnest(o.setconfig) AS same
    WHERE i.datname = :'source' AND o.setrole = s.setrole AND split_part(same, '=', 1) = c.name) \gexec
-- Lists of identifiers have their own syntax, so they are set through this session. All other values are one literal.
SELECT CASE WHEN p.list THEN format('SELECT FROM set_config(%L, %L, false)', p.name, p.raw) END,
       CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %I', :'name')
            ELSE format('ALTER ROLE %I IN DATABASE %I', pg_get_userbyid(s.setrole), :'name') END
       || format(' SET %s ', p.quoted) || CASE WHEN p.list THEN 'FROM CURRENT' ELSE format('= %L', p.raw) END
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS setting,
     LATERAL (SELECT split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS raw) c,
     LATERAL (SELECT c.name, c.raw, (SELECT string_agg(quote_ident(part), '.') FROM unnest(string_to_array(c.name, '.')) part)
                     AS quoted, c.name IN ('search_path', 'temp_tablespaces', 'local_preload_libraries',
                                           'session_preload_libraries') AS list) p
WHERE d.datname = :'source' AND EXISTS (SELECT FROM pg_database WHERE datname = :'name') AND NOT EXISTS (
    SELECT FROM pg_db_role_setting o JOIN pg_database i ON i.oid = o.setdatabase
    WHERE i.datname = :'name' AND o.setrole = s.setrole AND setting = ANY (o.setconfig)) \gexec
RESET search_path;
SELECT format('COMMENT ON DATABASE %I IS %L', :'name', nullif(concat_ws(E'\n', own.mark, theirs.rest), ''))
FROM (SELECT substring(shobj_description(oid, 'pg_database') FROM '^generalprobe [^\n]*') AS mark,
             shobj_description(oid, 'pg_database') AS whole FROM pg_database WHERE datname = :'name') own,
     (SELECT nullif(regexp_replace(shobj_description(oid, 'pg_database'), '^generalprobe [^\n]*\n?', ''), '') AS rest
      FROM pg_database WHERE datname = :'source') theirs
WHERE own.whole IS DISTINCT FROM nullif(concat_ws(E'\n', own.mark, theirs.rest), '') \gexec

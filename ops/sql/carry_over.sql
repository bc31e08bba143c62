-- Gives one database the grants, the connection limit and the settings of another: they do not follow a name.
-- Variables: source, name.
SELECT format('ALTER DATABASE %I CONNECTION LIMIT %s', :'name', datconnlimit) FROM pg_database
WHERE datname = :'source' \gexec
SELECT CASE WHEN g.is_grantable
            THEN format('GRANT %s ON DATABASE %I TO %s WITH GRANT OPTION', g.privilege_type, :'name', r.who)
            ELSE format('GRANT %s ON DATABASE %I TO %s', g.privilege_type, :'name', r.who) END
FROM pg_database d, aclexplode(d.datacl) g,
     LATERAL (SELECT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END AS who) r
WHERE d.datname = :'source' \gexec
SELECT format('REVOKE %s ON DATABASE %I FROM PUBLIC', privilege, :'name') FROM pg_database d,
     unnest(ARRAY['CONNECT', 'TEMPORARY']) privilege
WHERE d.datname = :'source' AND d.datacl IS NOT NULL
  AND NOT EXISTS (SELECT FROM aclexplode(d.datacl) g WHERE g.grantee = 0 AND g.privilege_type = privilege) \gexec
-- Text settings go through this session, since some of them are lists with a spelling of their own.
SELECT CASE WHEN p.text THEN format('SELECT FROM set_config(%L, %L, false)', p.name, p.raw) END,
       CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %I', :'name')
            ELSE format('ALTER ROLE %I IN DATABASE %I', pg_get_userbyid(s.setrole), :'name') END
       || format(' SET %s ', p.quoted) || CASE WHEN p.text THEN 'FROM CURRENT' ELSE format('= %L', p.raw) END
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS setting,
     LATERAL (SELECT split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS raw) c,
     LATERAL (SELECT c.name, c.raw, (SELECT string_agg(quote_ident(part), '.') FROM unnest(string_to_array(c.name, '.')) part)
                     AS quoted, EXISTS (SELECT FROM pg_settings g WHERE g.name = c.name AND g.vartype = 'string'
                                        AND g.context IN ('user', 'superuser')) AS text) p
WHERE d.datname = :'source' \gexec

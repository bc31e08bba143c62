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
SELECT CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %I SET %I = %s', :'name', p.name, p.value)
            ELSE format('ALTER ROLE %I IN DATABASE %I SET %I = %s', pg_get_userbyid(s.setrole), :'name', p.name, p.value) END
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS setting,
     LATERAL (SELECT split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS raw) c,
     LATERAL (SELECT c.name, CASE WHEN c.name IN ('search_path', 'temp_tablespaces', 'session_preload_libraries')
                                  THEN c.raw ELSE quote_literal(c.raw) END AS value) p
WHERE d.datname = :'source' \gexec

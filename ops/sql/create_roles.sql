-- Creates the roles that policies and user mappings of a dump name and that this server lacks. They cannot log in;
-- drop_database.sql drops them with the last copy that needs them. Variables: from (the backup's fingerprint).
\ir read_about.sql
SELECT format('CREATE ROLE %I NOLOGIN', name), format('COMMENT ON ROLE %I IS %L', name, 'generalprobe role of copies')
FROM jsonb_array_elements_text(nullif(:'about', '')::jsonb -> 'about' -> 'roles') AS name
WHERE name NOT IN (SELECT rolname FROM pg_roles) \gexec

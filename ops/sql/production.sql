-- Returns the present state of production: which database has its name, whether a new session is read-only, and the
-- settings that make it so, each with the transaction that wrote it: a freeze that was lifted and made again has
-- another transaction. Changes nothing.
BEGIN READ ONLY;
\ir settings.sql
\ir frozen.sql
SELECT json_build_object(
    'database', d.oid::text,
    'read_only', :'frozen',
    'since', coalesce((
        SELECT json_agg(json_build_array(s.setdatabase::text, s.setrole::text, s.xmin::text) ORDER BY s.setdatabase, s.setrole)
        FROM pg_db_role_setting s
        WHERE s.setdatabase IN (0, d.oid) AND array_to_string(s.setconfig, ' ') LIKE '%default\_transaction\_read\_only=%'
    ), '[]'),
    'comment', coalesce(shobj_description(d.oid, 'pg_database'), ''))
FROM pg_database d WHERE d.datname = current_database();
COMMIT;

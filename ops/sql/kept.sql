-- Lists databases on this server whose names could be those of kept databases; changes nothing. Run it on the database
-- postgres.
SELECT json_build_object(
    'name', datname, 'oid', oid::text, 'open', datallowconn, 'mark', coalesce(shobj_description(oid, 'pg_database'), ''),
    'size', CASE WHEN has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'MEMBER')
                 THEN pg_database_size(oid) END,
    'sessions', (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid AND a.usesysid IS NOT NULL))
FROM pg_database d WHERE datname ~ '_(replaced|undone|restored|salvage)_[0-9]{8}_[0-9]{6}_[0-9a-z]+$' ORDER BY datname;

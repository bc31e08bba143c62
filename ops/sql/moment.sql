-- Returns the state of this database: which transactions have ended, and how many rows of each table were updated and
-- deleted since the server's counters were reset; changes nothing.
SELECT json_build_object('moment', json_build_object(
    'snapshot', txid_current_snapshot()::text,
    'lsn', CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn() END,
    'database', (SELECT oid::int8 FROM pg_database WHERE datname = current_database()),
    'at', extract(epoch FROM clock_timestamp())::float8,
    'updated', (SELECT coalesce(json_object_agg(format('%I.%I', schemaname, relname), n_tup_upd), '{}')
                FROM pg_stat_user_tables WHERE n_tup_upd > 0),
    'deleted', (SELECT coalesce(json_object_agg(format('%I.%I', schemaname, relname), n_tup_del), '{}')
                FROM pg_stat_user_tables WHERE n_tup_del > 0)));

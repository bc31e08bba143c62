-- Returns the state of production or of its standby; changes nothing. `pauses`: this role may pause the replay, which
-- needs rights on functions of this database. Variable: database, the database that is dumped.
SELECT json_build_object(
    'recovers', pg_is_in_recovery(),
    'system', (SELECT system_identifier::text FROM pg_control_system()),
    'database', (SELECT oid::int8 FROM pg_database WHERE datname = :'database'),
    'lsn', (CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_lsn() END)::text,
    'at', extract(epoch FROM clock_timestamp())::float8,
    'replayed', extract(epoch FROM pg_last_xact_replay_timestamp())::float8,
    'paused', CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END,
    'guarded', EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'generalprobe replay %'),
    'user', current_user,
    'pauses', has_function_privilege('pg_wal_replay_pause()', 'EXECUTE') AND has_function_privilege('pg_wal_replay_resume()', 'EXECUTE'));

-- Returns the position of the standby in production's WAL and its lag in seconds, then the moment of the dump. A standby
-- does not have production's counters of rows, and its oldest transaction is what matters of its snapshot. Without
-- commits on production, the last replayed commit is older than the standby's state. Variables: there, asked, caught.
SELECT json_build_object('standby', json_build_object('lsn', pg_last_wal_replay_lsn()::text, 'lag', round(greatest(0, least(
    extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()),
    CASE WHEN :'caught'::bool THEN extract(epoch FROM clock_timestamp() - :'asked'::timestamptz) END)), 3)));
SELECT json_build_object('moment', (:'there'::jsonb -> 'moment') || jsonb_build_object('snapshot', txid_current_snapshot()::text));

-- Returns the state of this database: the WAL position of the server (bytes), and the locks above ROW SHARE of other
-- sessions, as two lists. Weaker locks block nobody. Background workers are left out.
SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS wal,
       coalesce(array_agg(l.relation::int8) FILTER (WHERE l.relation IS NOT NULL), '{}') AS relations,
       coalesce(array_agg(l.mode) FILTER (WHERE l.relation IS NOT NULL), '{}') AS modes
FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid AND a.backend_type IN ('client backend', 'parallel worker')
WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid() AND l.relation >= 16384
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')

-- One of the sessions that read tables beside that of fingerprint.sql, in its snapshot. Variables: snapshot, units, own.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET TRANSACTION SNAPSHOT :'snapshot';
\ir settings.sql
SET LOCAL max_parallel_workers_per_gather = 0;
-- The session that is helped holds the locks. Who waits for one of them would be waited for here, by all, and for ever.
SET LOCAL lock_timeout = '1s';
\ir table_rows.sql
COMMIT;

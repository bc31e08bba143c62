-- Runs in each session that reads tables together with the session of fingerprint.sql, in its snapshot. Variables:
-- snapshot, units, own.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET TRANSACTION SNAPSHOT :'snapshot';
\ir settings.sql
SET LOCAL max_parallel_workers_per_gather = 0;
-- The main session holds the locks. A session that waits for one of them would block this session forever.
SET LOCAL lock_timeout = '1s';
\ir table_rows.sql
COMMIT;

-- Determines for how many locks the server has memory. A parallel pg_dump holds two locks for each table, a pg_dump
-- with one job holds one, and psql holds one more, besides the locks of indexes. Sets `unlocked` if psql must work
-- without locks: then a truncated table is detected only at the end (dump_moved.sql), and the dump is repeated.
-- Variable: jobs.
\set parallel `test -z "$RECIPIENTS$RATE$OVER" && echo true || echo false`
SELECT room < 3 * tables + 1500 AND :'jobs'::int > 1 AND :'parallel'::bool AS one_job, room < 2 * tables + 1500 AS unlocked, tables, each
FROM (SELECT current_setting('max_locks_per_transaction')::bigint AS each,
             current_setting('max_locks_per_transaction')::bigint
             * (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int)
             - (SELECT count(*) FROM pg_locks WHERE NOT fastpath) AS room,
             (SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND relpersistence <> 't') AS tables) s \gset
\if :one_job
\warn pg_dump with one job instead of :jobs: max_locks_per_transaction = :each has no room for more locks on :tables tables
\set jobs 1
\setenv JOBS 1
\endif

-- Starts the sessions that read tables together with this one, in its snapshot (helpers.sh). Sets `helped`, and `own`,
-- the sessions whose units are read here: all sessions, if no other session can be started.
SELECT pg_export_snapshot() AS snapshot, array_agg(n) AS own FROM generate_series(0, :sessions - 1) n \gset
\setenv SNAPSHOT :snapshot
\setenv CONNECTION :connection
\setenv SESSIONS :sessions
\setenv PSQL `echo $PPID`
\setenv HELPERS `test -r "$OPS_SQL/helpers.sh" && mktemp -d`
\set helped `test -d "$HELPERS" && echo true || echo false`
\if :helped
\set own '{0}'
\set file `echo "$HELPERS/units"`
SELECT :'units' \g :file
-- These sessions use the cores of parallel workers.
SET LOCAL max_parallel_workers_per_gather = 0;
\! sh "$OPS_SQL/helpers.sh" start
\endif

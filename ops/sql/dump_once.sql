-- Makes one attempt of dump.sql. Sets `dumped`, and `again` with the reason `why` if locks of other sessions
-- interfered.
\set notes `sh "$OPS_SQL/dump.sh" notes`
\setenv NOTES :notes
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
\ir settings.sql
\o :fingerprint
\ir about.sql
\ir sequences.sql
\if :{?production}
\ir standby_moment.sql
\else
\ir moment.sql
\endif
COMMIT;
\set sequences_before :sequences
\ir dump_places.sql
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
\ir settings.sql
\ir sequence_names.sql
\set options :notes '/options'
\set excluded_options ''
\set excluded '{}'
\if :{?exclude}
\ir excluded.sql
\endif
-- Whatever our sessions and this role read, a dump is in the database's own encoding: SQL_ASCII fits no other.
SELECT concat_ws(E'\t', '--encoding=' || getdatabaseencoding(), nullif(:'excluded_options', '')) \g :options
SELECT pg_export_snapshot() AS snapshot \gset
\setenv SNAPSHOT :snapshot
-- Where the dump is held back, its fingerprint is read by one process only.
SELECT set_config('max_parallel_workers_per_gather', '0', true) WHERE :'rate' <> '' \g /dev/null
\if `test -n "$OVER" && echo true || echo false`
SELECT current_database() AS database, system_identifier AS system FROM pg_control_system() \gset
\setenv DATABASE :database
\setenv SYSTEM :system
\endif
\if :{?base}
-- What pg_dump can leave out is known only after the fingerprint.
\ir objects.sql
\ir tables.sql
\set large :notes '/large'
\o :large
\ir large_tables.sql
\o
\! sh "$OPS_SQL/dump.sh" reuse
\! sh "$OPS_SQL/dump.sh" start
\ir dump_locks.sql
\else
\! sh "$OPS_SQL/dump.sh" start
\ir dump_locks.sql
\if :locked
\ir objects.sql
\ir tables.sql
\endif
\o
\endif
\! sh "$OPS_SQL/dump.sh" wait
\if :unlocked
\ir dump_moved.sql
SELECT :'locked'::bool AND current_setting('generalprobe.wrong') = '' AS locked, current_setting('generalprobe.wrong') AS wrong \gset
\endif
\set dumped `sh "$OPS_SQL/dump.sh" succeeded`
-- Who waits for us: the processes of a pg_dump with several jobs fail where somebody does.
SELECT coalesce((SELECT format('pid %s (role %s, %s) waited for it', pid, usename, upper(substring(query FROM '^\s*(\w+)')))
                 FROM pg_stat_activity JOIN (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) w USING (pid)
                 WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)) LIMIT 1), '') AS waited \gset
COMMIT;
SELECT NOT :'locked'::bool OR (NOT :'dumped'::bool AND :'waited' <> '') AS again, :'dumped'::bool AND :'locked'::bool AS dumped,
       coalesce(nullif(:'wrong', ''), :'waited') AS why \gset
\if :again
\else
\! sh "$OPS_SQL/dump.sh" say
\endif
\! sh "$OPS_SQL/dump.sh" forget

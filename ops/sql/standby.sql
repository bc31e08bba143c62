-- A part of dump.sql for a standby: waits a few seconds for the changes that production has made by now, and pauses the
-- replay, because a replayed change can cancel the dump. The pause outlives the session that requests it, so another
-- session (replay_guard.sql) pauses, and resumes when the session of this file has ended. Sets `there`, production's
-- moment; `asked`, its time; and `caught`, whether the standby has it. Variables: service, folder, production.
-- The server detects within a minute that this machine is gone.
SELECT set_config(name, value, false)
FROM (VALUES ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3')) s (name, value) \g /dev/null
SELECT pg_backend_pid() AS dumper, clock_timestamp() AS asked,
       (SELECT oid FROM pg_database WHERE datname = current_database()) AS live \gset
\setenv DUMPER :dumper
\setenv LIVE :live
\setenv PRODUCTION :production
\set there `psql -XqAtw -v ON_ERROR_STOP=1 -f "$OPS_SQL/moment.sql" "service=$PRODUCTION"`
SELECT :'there' <> '' AS answered \gset
\if :answered
\else
DO $$ BEGIN RAISE EXCEPTION 'production did not answer; its own words stand above' USING ERRCODE = 'GP001'; END $$;
\endif
\ir standby_wait.sql
\! sh "$OPS_SQL/dump.sh" guard
\set replay `sh "$OPS_SQL/dump.sh" guarded`
SELECT :'replay' = 'denied' AS denied, :'replay' = 'already' AS already, :'replay' LIKE 'not paused%' AS failed \gset
\if :denied
\echo WARNING: the replay of the standby was not paused, since this role may not pause it: a replayed change can cancel the dump
\elif :already
\echo WARNING: the replay of the standby was paused before this backup, and stays paused
\elif :failed
SELECT set_config('generalprobe.why', :'replay', false) \g /dev/null
DO $$ BEGIN RAISE EXCEPTION 'the replay of the standby was %', current_setting('generalprobe.why') USING ERRCODE = 'GP001'; END $$;
\endif

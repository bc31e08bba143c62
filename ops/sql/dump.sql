-- Dumps the database and takes its fingerprint in one exported snapshot, in parallel. pg_dump is the one on PATH, or
-- the one beside the database, which streams its output. dump.sh runs pg_dump; OPS_SQL of the environment names the
-- folder of these files. If another session truncates or changes a table in between, all locks are released and the
-- dump is repeated with one job: the processes of a parallel pg_dump request locks until the end. Variables: service,
-- folder (new and empty), jobs, compress; recipients, age's public keys separated by blanks, for an encrypted dump;
-- exclude (see excluded.sql); rate, the maximum bytes a second; over, the words that open a shell beside the database,
-- and port, the server's port there, empty in the database's own container; base, the folder of an earlier backup of
-- this database, from which the rows of unchanged tables are taken (ops/backups/unchanged_tables.py), and with it
-- sessions and connection (see tables.sql); production, the name of production in the service file if the service is
-- its standby.
\if `test -r "$OPS_SQL/dump.sh" && echo true || echo false`
\else
DO $$ BEGIN RAISE EXCEPTION 'OPS_SQL of the environment is not the folder of dump.sql' USING ERRCODE = 'GP001'; END $$;
\endif
\if :{?recipients}
\else
\set recipients ''
\endif
\if :{?rate}
\else
\set rate ''
\endif
\if :{?over}
\else
\set over ''
\endif
\if :{?port}
\else
\set port ''
\endif
\if :{?base}
\setenv BASE :base
\endif
\setenv RECIPIENTS :recipients
\setenv RATE :rate
\setenv SERVICE :service
\setenv FOLDER :folder
\setenv JOBS :jobs
\setenv COMPRESS :compress
\setenv OVER :over
\setenv PORT :port
\set fingerprint :folder '/fingerprint.jsonl'
-- Identifies the sessions of pg_dump on the server.
SELECT set_config('application_name', CASE WHEN name LIKE 'generalprobe %' THEN name
                                      ELSE 'generalprobe dump ' || pg_backend_pid() END, false) AS application
FROM current_setting('application_name') name \gset
\setenv PGAPPNAME :application
\if :{?production}
\ir standby.sql
\endif
\set again false
\ir dump_once.sql
\if :again
\ir dump_again.sql
\endif
\if :again
\ir dump_again.sql
\endif
\if :again
\ir dump_again.sql
\endif
\if :{?production}
-- The guard of the pause waits while a session has the run's name.
SELECT set_config('application_name', 'generalprobe', false) \g /dev/null
\endif
\if :dumped
-- A dump's table of contents is written before its data, so only this file proves that pg_dump has finished.
\! sync -f "$FOLDER" 2>/dev/null; : > "$FOLDER/dumped"
\elif :again
SELECT format('lock timeout: %s; tried 4 times', :'why') AS why \gset
SELECT set_config('generalprobe.why', :'why', false) \g /dev/null
\set VERBOSITY verbose
DO $$ BEGIN RAISE EXCEPTION '%', current_setting('generalprobe.why') USING ERRCODE = '55P03'; END $$;
\else
DO $$ BEGIN RAISE EXCEPTION 'pg_dump failed; its own words stand above' USING ERRCODE = 'GP001'; END $$;
\endif

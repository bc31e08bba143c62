-- Dumps the database and takes its fingerprint in one exported snapshot, side by side.
-- Variables: service, folder (new and empty), jobs, compress, and where the dump is to be encrypted recipients, age's
-- public keys with blanks between; where rows of tables stay out exclude (see excluded.sql), and rate, bytes a second,
-- where the dump is held back. pg_dump is the one on PATH; with over, the words that reach a shell beside the database,
-- it is the one there, and streams here; port is then the server's as that machine knows it, empty in the database's
-- own container. dump.sh runs it; it is found by OPS_SQL of the environment, the folder of these files.
-- Where another session's TRUNCATE or change of a table gets in between, all locks are released and it is tried again,
-- with one job: the processes of a pg_dump with several ask for locks until its end.
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
\setenv RECIPIENTS :recipients
\setenv RATE :rate
\setenv SERVICE :service
\setenv FOLDER :folder
\setenv JOBS :jobs
\setenv COMPRESS :compress
\setenv OVER :over
\setenv PORT :port
\set fingerprint :folder '/fingerprint.jsonl'
-- Under this name pg_dump is found among the sessions of the server.
SELECT set_config('application_name', CASE WHEN name LIKE 'generalprobe %' THEN name
                                      ELSE 'generalprobe dump ' || pg_backend_pid() END, false) AS application
FROM current_setting('application_name') name \gset
\setenv PGAPPNAME :application
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
\if :dumped
-- The dump's table of contents is written before its data: only this file says that pg_dump came to its end.
\! sync -f "$FOLDER" 2>/dev/null; : > "$FOLDER/dumped"
\elif :again
SELECT format('lock timeout: %s; tried 4 times', :'why') AS why \gset
SELECT set_config('generalprobe.why', :'why', false) \g /dev/null
\set VERBOSITY verbose
DO $$ BEGIN RAISE EXCEPTION '%', current_setting('generalprobe.why') USING ERRCODE = '55P03'; END $$;
\else
DO $$ BEGIN RAISE EXCEPTION 'pg_dump failed; its own words stand above' USING ERRCODE = 'GP001'; END $$;
\endif

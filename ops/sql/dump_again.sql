-- Repeats an attempt of dump.sql with one job.
\! rm -rf "$FOLDER/dump" "$FOLDER/dump.age" "$FOLDER/streamed.json" "$FOLDER/base"
\set jobs 1
\setenv JOBS 1
SELECT pg_sleep(random()) \g /dev/null
\ir dump_once.sql

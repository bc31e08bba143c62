-- Takes the fingerprint of the database in one snapshot, one JSON object a line; changes nothing. The tables are locked
-- before the snapshot: a table that is truncated after the snapshot would look empty in it. With objects, every object
-- is listed, too (objects.sql), to prove a restore. Variables: objects; sessions and connection, if several sessions
-- may read (tables.sql).
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
\ir settings.sql
\ir lock_list.sql
\ir sequences.sql
SELECT pg_client_encoding() AS encoding \gset
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL client_encoding = :'encoding';
SET LOCAL lock_timeout = 0;
SET LOCAL statement_timeout = 0;
:locks ;
\ir settings.sql
\if :{?objects}
\ir objects.sql
\endif
\ir tables.sql
COMMIT;

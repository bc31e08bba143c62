-- The fingerprint of a whole database in one snapshot, one JSON object a line; changes nothing. The tables are locked
-- before the snapshot is taken: what a TRUNCATE empties after that would look empty in it. Where objects is set, every
-- object stands there, too (objects.sql), as a proof of a restore needs it. Variables: objects;
-- sessions and connection, where several sessions may read (tables.sql).
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

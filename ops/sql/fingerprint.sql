-- The fingerprint of a whole database in one snapshot, one JSON object a line; changes nothing.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
\ir settings.sql
\ir sequences.sql
\ir tables.sql
COMMIT;

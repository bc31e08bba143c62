-- The digest of this database's schema, as a fingerprint holds it; changes nothing. The expressions of a table under ACCESS
-- EXCLUSIVE can't be read: that is waited for only briefly, since nobody sees why nothing happens.
-- The SQLSTATE tells in any language that a lock was not to be had.
\set VERBOSITY verbose
BEGIN READ ONLY;
\ir settings.sql
SET LOCAL lock_timeout = '10 s';
\ir schema.sql
COMMIT;

-- Returns the digest of this database's schema, as in a fingerprint; changes nothing. The expressions of a table under
-- ACCESS EXCLUSIVE cannot be read; the wait for the lock is short, because nobody would see the cause of a long one.
-- The SQLSTATE reports the missed lock in any language.
\set VERBOSITY verbose
BEGIN READ ONLY;
\ir settings.sql
SET LOCAL lock_timeout = '10 s';
\ir schema.sql
COMMIT;

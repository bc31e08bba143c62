-- Opens a kept database for reading: new sessions are read-only. Does nothing if the database is live. Variables: name,
-- oid, live.
SELECT format('ALTER DATABASE %I SET default_transaction_read_only = on', datname) FROM pg_database
WHERE datname = :'name' AND oid::text = :'oid' AND datname <> :'live' \gexec
SELECT format('ALTER DATABASE %I WITH ALLOW_CONNECTIONS true', datname) FROM pg_database
WHERE datname = :'name' AND oid::text = :'oid' AND datname <> :'live' \gexec

-- Opens the live database again after a swap that was interrupted while the database was closed: by Ctrl-C, a lost
-- connection or a restart. Changes nothing else, whether the names were exchanged or not. Variables: live (incoming,
-- aside: unused).
SELECT format('ALTER DATABASE %I WITH ALLOW_CONNECTIONS true', datname) FROM pg_database
WHERE datname = :'live' AND NOT datallowconn \gexec

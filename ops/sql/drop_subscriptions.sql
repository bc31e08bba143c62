-- Removes the subscriptions of a database that is going to be dropped, because they block the drop. Their slots at the
-- publisher stay: production may use them. Variables: name. Afterwards the session is connected to the database
-- postgres.
SELECT count(*) > 0 AS subscribed FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = :'name' \gset
\if :subscribed
SELECT format('ALTER DATABASE %I WITH ALLOW_CONNECTIONS true', :'name') \gexec
\connect :"name"
SELECT format('ALTER SUBSCRIPTION %I DISABLE', subname), format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', subname),
       format('DROP SUBSCRIPTION %I', subname)
FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \gexec
\connect postgres
\endif

-- Takes the subscriptions out of a database that is to be dropped, since they hold it; what they have at the publisher (a
-- slot, perhaps the one that production uses) is left alone. Variables: name. Afterwards the session is on the database
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

-- Production refuses writes from now on: every new session is read-only, and the old ones are ended. Variables: live.
SELECT format('ALTER DATABASE %I SET default_transaction_read_only = on', :'live') \gexec
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = :'live' AND pid <> pg_backend_pid() AND coalesce(backend_type, 'client backend') = 'client backend' \g /dev/null

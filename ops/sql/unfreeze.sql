-- Production takes writes again; sessions that began while it was frozen are ended, since they would stay read-only.
-- Variables: live.
SELECT format('ALTER DATABASE %I RESET default_transaction_read_only', :'live') \gexec
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = :'live' AND pid <> pg_backend_pid() AND usesysid IS NOT NULL AND pg_has_role(usesysid, 'MEMBER') \g /dev/null

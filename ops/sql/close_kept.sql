-- Closes a kept database and ends its sessions; does nothing if it is live. Variables: name, oid, live.
\ir ours.sql
SELECT format('ALTER DATABASE %I WITH ALLOW_CONNECTIONS false', datname) FROM pg_database
WHERE datname = :'name' AND oid::text = :'oid' AND datname <> :'live' \gexec
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = :'name' AND datid::text = :'oid' AND datname <> :'live' AND pid <> pg_backend_pid()
  AND usesysid = ANY (current_setting('generalprobe.endable')::oid[]) \g /dev/null

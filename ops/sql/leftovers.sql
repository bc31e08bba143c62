-- Ends the sessions that an interrupted run left on this server; they carry the run's name. Variables: application.
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE application_name = :'application' AND pid <> pg_backend_pid() \g /dev/null

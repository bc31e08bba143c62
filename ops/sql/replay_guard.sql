-- Pauses the replay of a standby until the session of a dump has ended. Variables: dumper, its process; application, its
-- application name; live, the oid of its database.
SELECT set_config('generalprobe.dumper', :'dumper', false), set_config('generalprobe.application', :'application', false),
       set_config('generalprobe.live', :'live', false), set_config('generalprobe.blocked', '', false) \g /dev/null
-- The session goes on if its client is killed.
SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'client_connection_check_interval' \g /dev/null
SELECT NOT (has_function_privilege('pg_wal_replay_pause()', 'EXECUTE') AND has_function_privilege('pg_wal_replay_resume()', 'EXECUTE')) AS denied,
       clock_timestamp() + interval '60 s' AS until \gset
\if :denied
\warn generalprobe guard: denied
\else
\ir replay_hold.sql
\endif

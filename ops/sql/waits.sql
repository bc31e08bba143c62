-- Lists the sessions that wait for a lock on this server and their blockers, a row for each pair. Of a query only the
-- first word is shown: the rest could contain row values. A blocker with pid 0 is a prepared transaction.
WITH waiting AS (
    SELECT pid, unnest(pg_blocking_pids(pid)) AS blocker FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) w
), seen AS (
    SELECT pid, coalesce(usename::text, backend_type, '') AS role, coalesce(application_name, '') AS application,
           coalesce(state, '') AS state, backend_type = 'client backend' AS client,
           coalesce(to_char(coalesce(xact_start, backend_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), '') AS since,
           coalesce(upper(substring(regexp_replace(query, '^(\s|/\*.*?\*/|--[^\n]*\n)*', '') FROM '^\w+')), '') AS word
    FROM pg_stat_activity
)
SELECT w.pid, coalesce(a.role, ''), coalesce(a.application, ''), coalesce(a.state, ''), coalesce(a.client, true),
       coalesce(a.since, ''), coalesce(a.word, ''), w.blocker, coalesce(b.role, ''), coalesce(b.application, ''),
       coalesce(b.state, ''), coalesce(b.client, true), coalesce(b.since, ''), coalesce(b.word, '')
FROM waiting w LEFT JOIN seen a ON a.pid = w.pid LEFT JOIN seen b ON b.pid = w.blocker

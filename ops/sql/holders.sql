-- Lists sessions that hold locks on tables of this database that block even readers, a line each: pid and description.
-- Of a statement only the first word is shown: the rest could contain row values.
SELECT DISTINCT format(E'%s\tpid %s (role %s, %s since %s, statement %s)', a.pid, a.pid, coalesce(a.usename, a.backend_type),
    coalesce(a.state, 'state unknown'), coalesce(to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'), 'unknown'),
    coalesce(upper(substring(regexp_replace(a.query, '^(\s|/\*.*?\*/|--[^\n]*\n)*', '') FROM '^\w+')), 'unknown'))
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.relation >= 16384
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database());

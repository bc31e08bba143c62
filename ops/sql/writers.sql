-- Determines who could still write to a frozen database and cannot be stopped by this role; changes nothing. Sets
-- `writers`, as JSON: what each is, what stops it, and whether it stays until somebody acts. An administrator's open
-- transaction counts if it is still open a moment later. Variables: live.
\ir ours.sql
SELECT set_config('generalprobe.open', coalesce(array_agg(l.pid || ' ' || l.virtualtransaction), '{}')::text, false) AS open
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_roles r ON r.oid = a.usesysid
WHERE a.datname = :'live' AND r.rolsuper AND l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted
  AND a.pid <> pg_backend_pid() AND a.usesysid <> ALL (current_setting('generalprobe.endable')::oid[]) \gset
SELECT pg_sleep(2) WHERE :'open' <> '{}' \g /dev/null
WITH live AS (
    SELECT oid, datname FROM pg_database WHERE datname = :'live'
), connected AS (
    SELECT a.pid, a.usename, r.rolsuper FROM pg_stat_activity a JOIN live ON a.datid = live.oid JOIN pg_roles r ON r.oid = a.usesysid
    WHERE a.usesysid <> ALL (current_setting('generalprobe.endable')::oid[])
), own AS (
    -- A role's setting in this database overrides its general setting, and both override the database's.
    SELECT DISTINCT ON (s.setrole) s.setrole, s.setdatabase, split_part(setting, '=', 2)::bool AS read_only
    FROM pg_db_role_setting s, unnest(s.setconfig) setting, live
    WHERE s.setrole <> 0 AND s.setdatabase IN (0, live.oid) AND split_part(setting, '=', 1) = 'default_transaction_read_only'
    ORDER BY s.setrole, s.setdatabase DESC
), found AS (
    SELECT 1 AS rank, true AS lasting, format('a prepared transaction, %s of %s', quote_literal(gid), quote_ident(owner)) AS who,
           format('ROLLBACK PREPARED %L   or   COMMIT PREPARED %L   in %I', gid, gid, database) AS stop
    FROM pg_prepared_xacts JOIN live ON datname = database
    UNION ALL
    SELECT 2, true, format('the subscription %I: logical replication writes to tables in spite of the settings', subname),
           format('ALTER SUBSCRIPTION %I DISABLE   in %I, and ENABLE afterwards', subname, datname)
    FROM pg_subscription JOIN live ON subdbid = live.oid WHERE subenabled
    UNION ALL
    SELECT 3, false, format('%s of %I, which %s may not end: process %s', CASE count(*) WHEN 1 THEN 'a session' ELSE count(*) || ' sessions' END,
                     usename, current_user, string_agg(pid::text, ', ' ORDER BY pid)),
           format('GRANT %I TO %I   or end them: SELECT %s', usename, current_user,
                  string_agg(format('pg_terminate_backend(%s)', pid), ', ' ORDER BY pid))
    FROM connected WHERE NOT rolsuper GROUP BY usename
    UNION ALL
    SELECT 4, false, format('an open transaction of the administrator %I: process %s', c.usename, c.pid),
           format('end it: SELECT pg_terminate_backend(%s)   as an administrator', c.pid)
    FROM connected c JOIN pg_locks l ON l.pid = c.pid AND l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock'
    WHERE c.rolsuper AND c.pid || ' ' || l.virtualtransaction = ANY (:'open'::text[])
    UNION ALL
    SELECT 5, true, format('%I, whose own default_transaction_read_only is off', r.rolname),
           format('ALTER ROLE %I%s RESET default_transaction_read_only   as an administrator', r.rolname,
                  CASE o.setdatabase WHEN 0 THEN '' ELSE format(' IN DATABASE %I', live.datname) END)
    FROM own o JOIN pg_roles r ON r.oid = o.setrole, live
    WHERE NOT o.read_only AND r.rolcanlogin AND NOT r.rolsuper
      AND r.oid <> ALL (current_setting('generalprobe.settable')::oid[])
)
SELECT coalesce(json_agg(json_build_array(who, stop, lasting) ORDER BY rank, who), '[]') AS writers FROM found \gset

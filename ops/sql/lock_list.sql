-- Sets `locks` to one statement that locks all tables of a fingerprint against TRUNCATE and ALTER; empty if there are
-- no tables. An older snapshot does not show such a change: the table looks empty. Variable: excluded, the excluded
-- tables, which are not locked.
\if :{?excluded}
\else
\set excluded '{}'
\endif
SELECT coalesce((
    SELECT format('LOCK TABLE %s IN ACCESS SHARE MODE', string_agg(format('ONLY %I.%I', n.nspname, c.relname), ', ' ORDER BY c.oid))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE format('%I.%I', n.nspname, c.relname) <> ALL (:'excluded'::text[]) AND c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
    HAVING count(*) > 0), '') AS locks \gset

-- Lists the tables of more than 1 MB, the largest first, for unchanged_tables.py; at most 500, because pg_dump queries
-- each of them.
SELECT json_build_object('name', format('%I.%I', n.nspname, c.relname), 'oid', c.oid::text, 'schema', n.nspname,
                         'table', c.relname, 'bytes', pg_table_size(c.oid))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND format('%s%s', n.nspname, c.relname) !~ '[[:cntrl:]]' AND pg_table_size(c.oid) > 1000000
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY pg_table_size(c.oid) DESC LIMIT 500;

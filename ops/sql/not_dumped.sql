-- Lists properties that no dump contains and that a restore may make differently; a part of objects.sql, and of each
-- restore. An extension belongs to the role that creates it, and a table that inherits begins with its parent's
-- columns.
SELECT json_build_object('object', 'extension owner', 'name', format('extension %I', extname), 'is', pg_get_userbyid(extowner)) FROM pg_extension
UNION ALL
SELECT json_build_object('object', 'column order', 'name', format('table %I.%I', n.nspname, c.relname), 'is', (
           SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'f') AND c.relpersistence <> 't' AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');

-- Returns one digest of the schema: tables, columns, types, defaults, constraints, indexes, triggers, policies and
-- functions, without oids of this server. Definitions of views are left out: two versions of PostgreSQL print them
-- differently. Properties that no restore retains are left out, too: invalid indexes, which no dump contains, and
-- foreign keys to single partitions, which are numbered in the order of attachment; the key to the partitioned table is
-- included. Besides the digest, the result has a hash of each object's lines, by its name, so that a message can name
-- the differences.
WITH relations AS (
    SELECT c.oid, c.relkind, c.relrowsecurity, c.relforcerowsecurity, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), expressions AS (
    SELECT format('default of column %s.%I', r.name, a.attname) AS what,
           concat_ws(' ', 'default', r.name, a.attname, pg_get_expr(d.adbin, d.adrelid)) AS line
    FROM relations r JOIN pg_attrdef d ON d.adrelid = r.oid
    JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    UNION ALL
    SELECT format('constraint %I on %s', k.conname, coalesce(r.name, k.contypid::regtype::text)),
           concat_ws(' ', 'constraint', coalesce(r.name, k.contypid::regtype::text), k.conname, CASE
               -- A restore may leave a foreign key NOT VALID (ops/backups/foreign_keys.py), and a check that
               -- depends on more than its row (ops/backups/deferred_checks.py).
               WHEN k.contype = 'f' THEN regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '')
               WHEN k.contype <> 'c' OR k.convalidated THEN pg_get_constraintdef(k.oid)
               WHEN k.conbin::text ~ '\{SQLVALUEFUNCTION ' OR EXISTS (
                        SELECT FROM pg_depend d WHERE d.classid = 'pg_constraint'::regclass AND d.objid = k.oid AND d.refobjid >= 16384
                        AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass))
                    OR EXISTS (SELECT FROM regexp_matches(k.conbin::text, ':(?:funcid|opfuncid) (\d+)', 'g') m
                               JOIN pg_proc p ON p.oid = m[1]::oid WHERE p.provolatile <> 'i')
               THEN regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') ELSE pg_get_constraintdef(k.oid) END)
    FROM pg_constraint k LEFT JOIN relations r ON r.oid = k.conrelid
    WHERE k.contype <> 'n' AND NOT (k.contype = 'f' AND k.conparentid <> 0) AND (r.oid IS NOT NULL OR k.contypid <> 0 AND k.connamespace::regnamespace::text !~ '^(pg_|information_schema$)')
    UNION ALL
    SELECT format('index %s on %s', i.indexrelid::regclass, r.name), concat_ws(' ', 'index', pg_get_indexdef(i.indexrelid))
    FROM relations r JOIN pg_index i ON i.indrelid = r.oid AND (i.indisvalid OR r.relkind = 'p') AND i.indisready
    -- Indexes of constraints are left out: they would take most of the time and add nothing.
    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT format('policy %I on %s', p.polname, r.name), concat_ws(' ', 'policy', r.name, p.polname, p.polcmd, p.polpermissive,
                     pg_get_expr(p.polqual, p.polrelid), '/', pg_get_expr(p.polwithcheck, p.polrelid))
    FROM relations r JOIN pg_policy p ON p.polrelid = r.oid
), plain AS (
    -- A restore moves the casts of "v IN ('a', 'b')" on a varchar into the array. So casts between text types, and
    -- their parentheses, are removed from such lines.
    SELECT what, CASE WHEN line NOT LIKE '%ARRAY[%' THEN line ELSE
           regexp_replace(regexp_replace(regexp_replace(
               line, '::(?:text|bpchar|character(?: varying)?)(?:\(\d+\))?(?:\[\])?', '', 'g'),
               '\(("(?:[^"]|"")*"|''(?:[^'']|'''')*''|[a-z_][a-z0-9_$.]*)\)', '\1', 'g'),
               '\(\((ARRAY\[(?:''(?:[^'']|'''')*''|[^][''])*\])\)\)', '(\1)', 'g') END AS line
    FROM expressions
), lines AS (
    SELECT concat(CASE relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'f' THEN 'foreign table '
                  ELSE 'table ' END, name) AS what, concat_ws(' ', relkind, name, CASE WHEN relrowsecurity THEN 'guarded' END,
                     CASE WHEN relforcerowsecurity THEN 'forced' END) AS line FROM relations
    UNION ALL
    SELECT format('column %s.%I', r.name, a.attname), concat_ws(' ', 'column', r.name, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                     a.attidentity, a.attgenerated)
    FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE r.relkind <> 'S'
    UNION ALL
    SELECT what, line FROM plain
    UNION ALL
    SELECT concat('type ', enumtypid::regtype), concat_ws(' ', 'label', enumtypid::regtype, row_number() OVER (PARTITION BY enumtypid ORDER BY enumsortorder),
                     enumlabel)
    FROM pg_enum
    UNION ALL
    SELECT format('trigger %I on %s', t.tgname, r.name), concat_ws(' ', 'trigger', r.name, t.tgname, t.tgtype, t.tgenabled, t.tgfoid::regproc)
    FROM relations r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT concat('function ', p.oid::regprocedure), concat_ws(' ', 'function', p.oid::regprocedure, p.prorettype::regtype, p.prosecdef, p.provolatile,
                     encode(sha256(convert_to(p.prosrc, pg_client_encoding())), 'hex'))
    FROM pg_proc p
    WHERE p.pronamespace::regnamespace::text !~ '^(pg_|information_schema$)'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
)
SELECT json_build_object('schema', encode(sha256(convert_to(coalesce(string_agg(line, E'\n' ORDER BY line COLLATE "C"),
                                                                     ''), pg_client_encoding())), 'hex'),
    'parts', (SELECT coalesce(json_object_agg(what, hash), '{}') FROM (
        SELECT what, hashtextextended(string_agg(line, E'\n' ORDER BY line COLLATE "C") COLLATE "C", 0)::text AS hash FROM lines GROUP BY what) p))
FROM lines;

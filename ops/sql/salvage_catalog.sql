-- Lists every table of this database with the properties that a salvage needs, one JSON object a row: columns, primary
-- key, unique indexes with their expressions, foreign keys, sequences, triggers, rules. Run it with search_path =
-- pg_catalog, so that expressions contain qualified names only.
WITH tables AS (
    SELECT c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
)
SELECT json_build_object(
    'name', t.name, 'partitioned', t.relkind = 'p',
    'partitions', (SELECT coalesce(json_agg(p.name ORDER BY p.name), '[]') FROM pg_partition_tree(t.oid) tree
                   JOIN tables p ON p.oid = tree.relid WHERE t.relkind = 'p' AND tree.isleaf),
    'columns', (SELECT coalesce(json_agg(json_build_object(
                    'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
                    'filled', a.atthasdef OR a.attidentity <> '', 'generated', a.attgenerated <> '') ORDER BY a.attnum), '[]')
                FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'key', (SELECT coalesce(json_agg(a.attname ORDER BY k.place), '[]') FROM pg_index i
            CROSS JOIN unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY k (number, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
            WHERE i.indrelid = t.oid AND i.indisprimary),
    'uniques', (SELECT coalesce(json_agg(json_build_object(
                    'name', i.indexrelid::regclass::text,
                    'parts', (SELECT json_agg(pg_get_indexdef(i.indexrelid, place, false) ORDER BY place)
                              FROM generate_series(1, i.indnkeyatts) place),
                    'condition', coalesce(pg_get_expr(i.indpred, i.indrelid), 'true'),
                    'nulls_equal', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false))
                    ORDER BY i.indexrelid), '[]')
                FROM pg_index i WHERE i.indrelid = t.oid AND i.indisunique AND NOT i.indisprimary AND i.indisvalid),
    'links', (SELECT coalesce(json_agg(json_build_object(
                  'columns', (SELECT json_agg(a.attname ORDER BY k.place)
                              FROM unnest(f.conkey) WITH ORDINALITY k (number, place)
                              JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number),
                  'to', to_table.name,
                  'to_columns', (SELECT json_agg(a.attname ORDER BY k.place)
                                 FROM unnest(f.confkey) WITH ORDINALITY k (number, place)
                                 JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number)) ORDER BY f.oid), '[]')
              FROM pg_constraint f JOIN tables to_table ON to_table.oid = f.confrelid
              LEFT JOIN pg_constraint above ON above.oid = f.conparentid
              -- A key that refers to a partitioned table also has a redundant row for each partition.
              WHERE f.conrelid = t.oid AND f.contype = 'f' AND above.conrelid IS DISTINCT FROM f.conrelid),
    'sequences', (SELECT coalesce(json_agg(json_build_array(a.attname, format('%I.%I', n.nspname, s.relname))), '[]')
                  FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
                  JOIN pg_namespace n ON n.oid = s.relnamespace
                  JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
                    AND d.refobjid = t.oid AND d.deptype IN ('a', 'i')),
    'triggers', (SELECT coalesce(json_agg(json_build_array(g.tgname, g.tgenabled) ORDER BY g.tgname), '[]')
                 FROM pg_trigger g WHERE g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D'),
    'rules', (SELECT coalesce(json_agg(json_build_array(r.rulename, r.ev_enabled) ORDER BY r.rulename), '[]')
              FROM pg_rewrite r WHERE r.ev_class = t.oid AND r.ev_type <> '1' AND r.ev_enabled <> 'D'))::text
FROM tables t;

-- Returns for each table its rows, its columns, and the sum of a hash of each row, which depends neither on the order
-- of rows nor of columns. hash_array_extended over record_send detects every difference in the binary value of a
-- built-in type. All other types (enum, domain, composite, extension, reg*, xml) are hashed as text, because their
-- binary form contains oids of this server. Floating point numbers and arrays are hashed as text, too, because equal
-- values can differ in binary: a NaN has a sign, and an array records that it once contained a NULL. Neither survives a
-- dump, and neither is visible. Partitioned tables have no rows of their own: their partitions are listed, and each
-- table of an inheritance is listed separately. Objects of extensions are left out, as in pg_dump. Variables: excluded,
-- an array of excluded tables: each is listed as the empty table that a restore creates, with the number of excluded
-- rows; `units` of table_units.sql; own, an array of the sessions whose units are read here. The planner locks each
-- index of a table that it reads: each statement releases the locks of the statement before, so that no more than 200
-- tables' locks are held. The planner also inlines functions of index expressions, which may depend on search_path: if
-- an index uses a user's function or operator, the table is read with a search_path of all schemas behind pg_catalog.
\if :{?excluded}
\else
\set excluded '{}'
\endif
SAVEPOINT batch;
WITH units AS MATERIALIZED (
    SELECT (u ->> 0)::oid AS oid, (u ->> 2)::int AS parts, (u ->> 3)::int AS part, (u ->> 4)::int8 AS low, (u ->> 5)::int8 AS high, (u ->> 6)::bool AS large,
           row_number() OVER () AS place
    FROM json_array_elements(:'units') u WHERE (u ->> 1)::int = ANY (:'own'::int[])
), tables AS (
    SELECT u.*, format('%I.%I', n.nspname, c.relname) AS name,
           format('%I.%I', n.nspname, c.relname) = ANY (:'excluded'::text[]) AS excluded,
           l.columns, l.list,
           (SELECT coalesce(json_agg(a.attname), '[]') FROM pg_index i JOIN pg_attribute a
            ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary) AS key,
           (SELECT coalesce(json_object_agg(a.attname, json_build_array(k.confrelid::regclass, f.attname)), '{}')
            FROM pg_constraint k
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
            JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = k.confkey[1]
            WHERE k.conrelid = c.oid AND k.contype = 'f' AND cardinality(k.conkey) = 1) AS links,
           EXISTS (SELECT FROM pg_index i JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                   WHERE i.indrelid = c.oid AND d.refobjid >= 16384
                   AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)) AS own_path,
           u.large OR l.width > 200 AS alone
    FROM units u JOIN pg_class c ON c.oid = u.oid JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (
        SELECT count(*) AS width, coalesce(json_agg(json_build_array(name, type, read_as) ORDER BY name COLLATE "C"), '[]') AS columns,
               coalesce(string_agg(format('x.%I::%s', name, read_as), ', ' ORDER BY name COLLATE "C"), '') AS list
        FROM (SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
                     CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'm') AND t.typsend <> 0
                               AND t.typcategory <> 'A' AND t.typname !~ '^(reg|xml$|float|point$|lseg$|line$|box$|path$|polygon$|circle$)'
                          THEN format_type(a.atttypid, -1) ELSE 'text' END AS read_as
              FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) a) l
), numbered AS (
    -- Fifty small tables in one query, because the planning time of UNION ALL grows with its square, and four queries
    -- in one statement, because round trips would take longer than the rows. Large tables, and tables with very many
    -- columns, have their own query, so that several workers can read them.
    SELECT *, CASE WHEN alone OR own_path OR parts > 1 THEN -place ELSE row_number() OVER (PARTITION BY alone OR own_path OR parts > 1 ORDER BY name) / 50 END AS batch
    FROM tables
), queries AS (
    SELECT batch, CASE WHEN batch < 0 THEN batch ELSE batch / 4 END AS statement, bool_or(own_path) AS own_path, string_agg(format(
        'SELECT pg_catalog.json_build_object(''table'', %L, ''rows'', pg_catalog.count(*), ''checksum'', '
        'coalesce(pg_catalog.sum(pg_catalog.hash_array_extended(ARRAY[pg_catalog.record_send(ROW(%s))], 0)), 0)::text, ''columns'', %L::json, ''key'', %L::json, ''links'', %L::json%s) FROM %s x%s',
        name, CASE WHEN excluded THEN '' ELSE list END, columns, key, links, CASE WHEN parts > 1 THEN format(', ''part'', %s, ''parts'', %s', part, parts) END,
        -- A standby cannot read an unlogged table, not even without rows.
        CASE WHEN excluded THEN '(SELECT)' ELSE 'ONLY ' || name END, CASE WHEN excluded THEN ' WHERE false' WHEN parts > 1 THEN format(
            ' WHERE x.ctid >= ''(%s,0)''%s', coalesce(low, 0), CASE WHEN high IS NOT NULL THEN format(' AND x.ctid < ''(%s,0)''', high) END) END), ' UNION ALL ' ORDER BY name) AS query
    FROM numbered GROUP BY batch
)
SELECT 'ROLLBACK TO SAVEPOINT batch; ' || CASE WHEN bool_or(own_path) THEN (
           SELECT format('SET LOCAL search_path = pg_catalog, %s; ', string_agg(quote_ident(nspname), ', ' ORDER BY nspname))
           FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema') ELSE '' END
       || CASE WHEN statement < 0 THEN min(query)
            ELSE format('SELECT unnest(ARRAY(%s))', string_agg(query, ') || ARRAY(' ORDER BY batch)) END
FROM queries GROUP BY statement ORDER BY statement >= 0, abs(statement) \gexec
ROLLBACK TO SAVEPOINT batch;
RELEASE SAVEPOINT batch;

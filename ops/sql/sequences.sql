-- Every sequence with its last value. Sequences know no snapshot, so they are read before the dump reads them: a
-- restored one must stand there or further on. One that was not used since it was created or set stands one step before
-- its next value; only the sequence itself knows that. One that this role may not read is an error, as in pg_dump.
WITH sequences AS MATERIALIZED (
    SELECT format('%I.%I', n.nspname, c.relname) AS name, s.seqincrement AS step, s.seqcycle AS cycle,
           pg_sequence_last_value(c.oid) AS last
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
    WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
), queries AS (
    SELECT name, row_number() OVER (ORDER BY name) / 200 AS batch, format(
        'SELECT json_build_object(''sequence'', %L, ''last'', %s, ''step'', %s, ''cycle'', %L::bool)%s', name,
        coalesce(last::text, format('last_value::numeric - CASE WHEN is_called THEN 0 ELSE %s END', step)),
        step, cycle, CASE WHEN last IS NULL THEN ' FROM ' || name END) AS query
    FROM sequences
)
SELECT string_agg(query, ' UNION ALL ' ORDER BY name) FROM queries GROUP BY batch ORDER BY batch \gexec

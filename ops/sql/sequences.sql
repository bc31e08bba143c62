-- Lists every sequence with its last value. Sequences are not part of a snapshot, so they are read before the dump
-- reads them: a restored sequence must have this value or a later one. An unused sequence is listed one step before its
-- next value, which only the sequence itself knows. A sequence that this role may not read is an error, as in pg_dump.
-- The sequences' locks are held until the transaction ends, and a TRUNCATE … RESTART IDENTITY waits for them; so this
-- file has its own transaction. Sets `sequences`, a digest of their names.
WITH sequences AS MATERIALIZED (
    SELECT format('%I.%I', n.nspname, c.relname) AS name, s.seqincrement AS step, s.seqcycle AS cycle,
           pg_sequence_last_value(c.oid) AS last
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
    WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      -- A standby does not have unlogged sequences.
      AND NOT (c.relpersistence = 'u' AND pg_is_in_recovery())
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
), unused AS (
    SELECT row_number() OVER (ORDER BY name) / 50 AS batch, format(
        'SELECT json_build_object(''sequence'', %L, ''last'', last_value::numeric - CASE WHEN is_called THEN 0 ELSE %s END, '
        '''step'', %s, ''cycle'', %L::bool) FROM %s', name, step, step, cycle, name) AS query
    FROM sequences WHERE last IS NULL
)
SELECT format('SELECT value FROM json_array_elements(%L)', json_agg(json_build_object(
           'sequence', name, 'last', last, 'step', step, 'cycle', cycle) ORDER BY name))
FROM sequences WHERE last IS NOT NULL
UNION ALL
SELECT string_agg(query, ' UNION ALL ') FROM unused GROUP BY batch \gexec
\ir sequence_names.sql

-- Every sequence with its last value. Sequences know no snapshot, so they are read before the dump reads them: a
-- restored one must stand there or further on.
SELECT json_build_object('sequence', format('%I.%I', schemaname, sequencename),
                         'last', coalesce(last_value, start_value - increment_by), 'step', increment_by)
FROM pg_sequences
WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'
ORDER BY 1::text;

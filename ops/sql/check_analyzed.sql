-- Succeeds if every table with rows that this role may analyze has statistics. Variable: beyond (optional): larger
-- tables must have more detail than default_statistics_target = beyond gives.
\if :{?beyond}
\else
\set beyond 0
\endif
SELECT set_config('generalprobe.beyond', :'beyond', false) \g /dev/null
DO $$
DECLARE
    lacking text;
BEGIN
    SELECT string_agg(c.oid::regclass::text, ', ') INTO lacking FROM pg_class c JOIN pg_stat_all_tables s ON s.relid = c.oid
    WHERE c.relkind = 'r' AND c.reltuples > 0 AND c.relpersistence <> 't' AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema$)'
      AND pg_has_role(c.relowner, 'USAGE') AND s.last_analyze IS NULL AND s.last_autoanalyze IS NULL;
    IF lacking IS NULL AND current_setting('generalprobe.beyond')::int BETWEEN 1 AND current_setting('default_statistics_target')::int - 1 THEN
        SELECT string_agg(r.oid::regclass::text, ', ') INTO lacking FROM (
            SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND coalesce(a.attstattarget, -1) = -1
            JOIN pg_stats s ON s.schemaname = c.relnamespace::regnamespace::text AND s.tablename = c.relname AND s.attname = a.attname
            WHERE c.relkind = 'r' AND c.reltuples > 300 * current_setting('default_statistics_target')::int
              AND pg_has_role(c.relowner, 'USAGE') AND (s.n_distinct < 0 OR s.n_distinct > current_setting('default_statistics_target')::int)
            GROUP BY c.oid HAVING max(greatest(array_length(s.histogram_bounds::text::text[], 1), array_length(s.most_common_vals::text::text[], 1)))
                                  <= current_setting('generalprobe.beyond')::int + 1) r;
    END IF;
    IF lacking IS NOT NULL THEN
        RAISE EXCEPTION 'tables without statistics: %', lacking;
    END IF;
END $$;

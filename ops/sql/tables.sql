-- Lists every table with its rows (table_rows.sql), the applied migrations, large objects, what is left out, and the
-- schema. Variables: sessions, the number of sessions that may read (table_units.sql; default 1), connection, the words
-- with which psql connects to this database again; excluded and exclude, the excluded tables.
\ir table_units.sql
\set helped false
\set own '{0}'
SELECT :sessions > 1 AS several \gset
\if :several
\ir table_helpers.sql
\endif
\ir table_rows.sql
SELECT format('SELECT json_build_object(''migration'', app || ''.'' || name) FROM %I.django_migrations ORDER BY id',
              n.nspname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'django_migrations' AND c.relkind = 'r' AND n.nspname !~ '^pg_' \gexec
\if :{?exclude}
SELECT json_build_object('excluded', name, 'rows', (CASE WHEN c.reltuples > 0 THEN c.reltuples ELSE pg_stat_get_live_tuples(c.oid) END)::int8,
                         'bytes', pg_total_relation_size(c.oid))
FROM unnest(:'excluded'::text[]) name JOIN pg_class c ON c.oid = name::regclass;
\endif
\ir large_objects.sql
\ir left_out.sql
\ir schema.sql
\if :helped
\ir table_helpers_end.sql
\endif
SELECT json_build_object('complete', true, 'server', current_setting('server_version_num')::int);

-- Sets `sessions`, the number of sessions that read the tables, and `units`, which assign each table, or ranges of its
-- blocks, to a session. A large table has several ranges; the last range has no end, so that every row is in a range.
-- Few rows are read by one session, which is faster. Variable: sessions, the maximum number of sessions (default 1).
\if :{?sessions}
\else
\set sessions 1
\endif
WITH tables AS (
    SELECT c.oid, c.relam = 2 AS heap, CASE WHEN c.relpages BETWEEN 1 AND 1000 AND c.reltuples >= 0 THEN c.relpages
                                            ELSE pg_relation_size(c.oid) / 8192 END AS pages
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
), allowed AS (
    SELECT CASE WHEN sum(pages) > 4000 OR count(*) > 400 THEN :sessions ELSE 1 END AS sessions FROM tables
), shares AS (
    SELECT greatest(1000, sum(pages) / (4 * max(sessions))) AS pages, max(sessions) AS sessions FROM tables, allowed
), parts AS (
    SELECT t.oid, t.pages, s.sessions, CASE WHEN t.heap AND s.sessions > 1 THEN greatest(ceil(t.pages / s.pages)::int, 1) ELSE 1 END AS parts
    FROM tables t, shares s
), numbered AS (
    -- Opening a table takes about as long as reading four blocks.
    SELECT oid, pages, parts, part, floor(pages::numeric * (part - 1) / parts)::bigint AS low,
           floor(pages::numeric * part / parts)::bigint AS high, sessions,
           row_number() OVER (ORDER BY pages / parts DESC, oid, part) - 1 AS place
    FROM parts, generate_series(1, parts) part
)
SELECT (SELECT sessions FROM allowed) AS sessions, coalesce(json_agg(json_build_array(
    oid::int8, CASE WHEN place % (2 * sessions) < sessions THEN place % sessions ELSE sessions - 1 - place % sessions END,
    parts, part, CASE WHEN part > 1 THEN low END, CASE WHEN part < parts THEN high END, pages > 1000) ORDER BY place), '[]') AS units
FROM numbered \gset

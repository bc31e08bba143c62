-- Lists each large object with a hash of its pages, as in large_objects.sql, by its oid. PAGES stands for the source of
-- the pages: the catalog if the role may read it, else lo_get.
WITH RECURSIVE pages (loid, pageno, data) AS (
    PAGES
)
SELECT m.oid::bigint, coalesce(sum(CASE WHEN rtrim(data, '\x00') <> '' THEN hash_array_extended(ARRAY[record_send(ROW(pageno, rtrim(data, '\x00')))], 0) END), 0)::text,
       coalesce(max(pageno * 2048::bigint + length(data)), 0)
FROM pg_largeobject_metadata m LEFT JOIN pages p ON p.loid = m.oid
GROUP BY m.oid ORDER BY 1

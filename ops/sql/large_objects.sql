-- Returns the number of large objects, and the sum of the hashes of each page and each object's length. Zeros at a
-- page's end are ignored, because a restore writes out missing pages of zeros. If the role may not read the catalog,
-- lo_get reads each object; an object that the role may not read is an error, as in pg_dump.
SELECT has_table_privilege('pg_catalog.pg_largeobject', 'SELECT') AS readable \gset
WITH RECURSIVE pages (loid, pageno, data) AS (
\if :readable
    SELECT loid, pageno, data FROM pg_largeobject
\else
    SELECT oid, 0, lo_get(oid, 0, 2048) FROM pg_largeobject_metadata
    UNION ALL
    SELECT loid, pageno + 1, lo_get(loid, (pageno + 1) * 2048::bigint, 2048) FROM pages WHERE length(data) = 2048
\endif
), hashes (hash) AS (
    SELECT hash_array_extended(ARRAY[record_send(ROW(loid, pageno, rtrim(data, '\x00')))], 0)
    FROM pages WHERE rtrim(data, '\x00') <> ''
    UNION ALL
    SELECT hash_array_extended(ARRAY[record_send(ROW(m.oid, coalesce(l.length, 0)))], 0)
    FROM pg_largeobject_metadata m
    LEFT JOIN (SELECT loid, max(pageno * 2048::bigint + length(data)) AS length FROM pages GROUP BY 1) l ON l.loid = m.oid
)
SELECT json_build_object('large_objects', (SELECT count(*) FROM pg_largeobject_metadata),
                         'checksum', coalesce(sum(hash), 0)::text)
FROM hashes;

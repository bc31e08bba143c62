-- Lists what all sessions of this server copy, index and read for a fingerprint, one row for each session: the work, the
-- database, the table's oid, the finished and all units of the work (0: unknown; an index's blocks in bytes), the rows
-- that were inserted into the database by finished transactions, the table that a fingerprint reads (empty: small
-- tables), and when its statement began. The server counts the rows of a running COPY only in pg_stat_progress_copy.
SELECT a.pid, coalesce(a.application_name, '') AS application, w.work, w.datname AS database, w.relid::int8 AS relation,
       w.done::int8 AS done, w.total::int8 AS total, coalesce(d.tup_inserted, 0) AS inserted,
       CASE WHEN w.work = 'read' AND a.query !~ 'unnest\(ARRAY'
            THEN replace(coalesce(substring(a.query FROM $$'table', '((?:[^']|'')*)'$$), ''), $$''$$, $$'$$) ELSE '' END AS reads,
       coalesce(a.query_start::text, '') AS since
FROM (SELECT pid, datid, datname, relid, CASE command WHEN 'COPY FROM' THEN 'copy in' ELSE 'copy out' END AS work,
             tuples_processed AS done, 0 AS total
      FROM pg_stat_progress_copy
      UNION ALL
      -- Blocks of the table are read first, then rows are sorted and written to the index.
      SELECT pid, datid, datname, relid, CASE WHEN tuples_total > 0 THEN 'index rows' ELSE 'index blocks' END,
             CASE WHEN tuples_total > 0 THEN tuples_done ELSE blocks_done * block END,
             CASE WHEN tuples_total > 0 THEN tuples_total ELSE blocks_total * block END
      FROM pg_stat_progress_create_index, (SELECT current_setting('block_size')::int8) b (block) WHERE tuples_total > 0 OR blocks_total > 0
      UNION ALL
      SELECT pid, datid, datname, 0::oid, 'read', 0, 0 FROM pg_stat_activity
      WHERE state = 'active' AND backend_type = 'client backend' AND application_name LIKE 'generalprobe%'
        AND query LIKE '%json_build_object(''table'', %record_send%' AND pid <> pg_backend_pid()) w
JOIN pg_stat_activity a USING (pid) LEFT JOIN pg_stat_database d ON d.datid = w.datid

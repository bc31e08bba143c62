-- Lists what all sessions of this server copy and index, one row for each session: the work, the database, the table,
-- the finished and all units of the work (0: unknown; an index's blocks in bytes), and the rows that were inserted into
-- the database by finished transactions. The server counts the rows of a running COPY only in pg_stat_progress_copy.
SELECT a.pid, coalesce(a.application_name, '') AS application, w.work, w.datname AS database, w.relid::int8 AS relation,
       w.done::int8 AS done, w.total::int8 AS total, coalesce(d.tup_inserted, 0) AS inserted
FROM (SELECT pid, datid, datname, relid, CASE command WHEN 'COPY FROM' THEN 'copy in' ELSE 'copy out' END AS work,
             tuples_processed AS done, 0 AS total
      FROM pg_stat_progress_copy
      UNION ALL
      -- Blocks of the table are read first, then rows are sorted and written to the index.
      SELECT pid, datid, datname, relid, CASE WHEN tuples_total > 0 THEN 'index rows' ELSE 'index blocks' END,
             CASE WHEN tuples_total > 0 THEN tuples_done ELSE blocks_done * block END,
             CASE WHEN tuples_total > 0 THEN tuples_total ELSE blocks_total * block END
      FROM pg_stat_progress_create_index, (SELECT current_setting('block_size')::int8) b (block) WHERE tuples_total > 0 OR blocks_total > 0) w
JOIN pg_stat_activity a USING (pid) LEFT JOIN pg_stat_database d ON d.datid = w.datid

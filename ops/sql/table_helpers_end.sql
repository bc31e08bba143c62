-- Waits for the other sessions, and prints what they read. Where one of them failed, as when another session waits for
-- a table that is locked here, this session reads their units: an error then has the words of this session.
\set read `exec 2>/dev/null; sh "$OPS_SQL/helpers.sh" wait`
\set found `sh "$OPS_SQL/helpers.sh" found`
\! sh "$OPS_SQL/helpers.sh" forget
\if :read
\qecho :found
\else
SELECT array_agg(n) AS own FROM generate_series(1, :sessions - 1) n \gset
\ir table_rows.sql
\endif

-- Waits for the other sessions, and prints what they read. If one of them failed, for example because another session
-- waits for a locked table, this session reads their units, and an error is reported by this session.
\set read `exec 2>/dev/null; sh "$OPS_SQL/helpers.sh" wait`
\set found `sh "$OPS_SQL/helpers.sh" found`
\! sh "$OPS_SQL/helpers.sh" forget
\if :read
\qecho :found
\else
SELECT array_agg(n) AS own FROM generate_series(1, :sessions - 1) n \gset
\ir table_rows.sql
\endif

-- Takes the fingerprint of a frozen database again. If no transaction has written anything on this server since another
-- fingerprint, only the sequences are read, and the rest is that fingerprint: it is proved to be still true. Otherwise
-- every table is read. Changes nothing. Variables: since, the file of the other fingerprint, and those of
-- fingerprint.sql.
\setenv SINCE :since
\set then `grep '^{"moment"' "$SINCE" || echo '{}'`
SELECT coalesce(:'then'::json -> 'moment' ->> 'snapshot' = now::text, false)
       AND txid_snapshot_xmin(now) = txid_snapshot_xmax(now) AS unwritten
FROM txid_current_snapshot() now \gset
\if :unwritten
BEGIN READ ONLY;
\ir settings.sql
\ir sequences.sql
COMMIT;
\! grep -v '^{"sequence"' "$SINCE"
\else
\ir fingerprint.sql
\endif

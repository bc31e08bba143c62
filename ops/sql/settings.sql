-- Sets everything that changes the text of a value, so that a fingerprint is the same on every server. psql sends
-- statements joined by \; in one message, which takes one round trip.
SET LOCAL search_path = pg_catalog\;
SET LOCAL standard_conforming_strings = on\;
SET LOCAL quote_all_identifiers = off\;
-- Fail instead of fingerprinting only the rows that a policy shows.
SET LOCAL row_security = off\;
SET LOCAL timezone = 'UTC'\;
SET LOCAL datestyle = 'ISO, YMD'\;
SET LOCAL intervalstyle = 'iso_8601'\;
SET LOCAL extra_float_digits = 3\;
SET LOCAL bytea_output = 'hex'\;
SET LOCAL xmloption = 'content'\;
SET LOCAL jit = off\;
SET LOCAL statement_timeout = 0\;
SET LOCAL lock_timeout = 0\;
SET LOCAL idle_in_transaction_session_timeout = 0\;
-- SQL_ASCII may contain bytes of any encoding, so they are read without conversion.
DO $$ BEGIN
    PERFORM set_config(name, '0', true) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout';
    PERFORM set_config('client_encoding', CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true);
END $$\;
-- Let several workers hash the rows of one table.
SET LOCAL max_parallel_workers_per_gather = 2\;
SET LOCAL parallel_setup_cost = 100\;
SET LOCAL parallel_tuple_cost = 0\;
SET LOCAL min_parallel_table_scan_size = '4MB';

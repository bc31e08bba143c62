-- Settings under which a fingerprint is the same on every server: each of them changes the text of some value.
-- psql sends what \; joins in one message: one round trip, however far away the server is.
SET LOCAL search_path = pg_catalog\;
SET LOCAL standard_conforming_strings = on\;
SET LOCAL quote_all_identifiers = off\;
-- A policy would hide rows: rather an error than a fingerprint of some of them.
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
-- SQL_ASCII stands for bytes of any encoding, or of several: they are read as they are.
DO $$ BEGIN
    PERFORM set_config(name, '0', true) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout';
    PERFORM set_config('client_encoding', CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true);
END $$\;
-- Both cores: the rows of one table are hashed by several workers where the server has them.
SET LOCAL max_parallel_workers_per_gather = 2\;
SET LOCAL parallel_setup_cost = 100\;
SET LOCAL parallel_tuple_cost = 0\;
SET LOCAL min_parallel_table_scan_size = '4MB';

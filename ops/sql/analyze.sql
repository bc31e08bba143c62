-- Gathers the statistics that a restore leaves out: without statistics a migration can take minutes instead of seconds.
-- Tables that this role may not analyze are skipped without a warning. Variable: target, the statistics target
-- (optional; default: the database's).
\if :{?target}
SET default_statistics_target = :target;
\endif
SET client_min_messages = error;
SET statement_timeout = 0;
ANALYZE;

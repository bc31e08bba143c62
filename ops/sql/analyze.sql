-- Gathers the statistics that a restore leaves out: without them a migration of a second can take minutes. Tables that
-- are not ours are left out without a word. Variable: target, how much is looked at of each (may be left out: as the
-- database says).
\if :{?target}
SET default_statistics_target = :target;
\endif
SET client_min_messages = error;
SET statement_timeout = 0;
ANALYZE;

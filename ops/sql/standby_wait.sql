-- Waits until the standby has replayed production's moment, at most 10 seconds. Repeats by including itself: a long
-- statement could be cancelled by the replay. Variables: there, asked.
SELECT caught, NOT caught AND NOT pg_is_wal_replay_paused() AND clock_timestamp() < :'asked'::timestamptz + interval '10 s' AS behind
FROM (SELECT coalesce(pg_last_wal_replay_lsn() >= (:'there'::json -> 'moment' ->> 'lsn')::pg_lsn, false) AS caught) s \gset
\if :behind
\! sleep 0.2
\ir standby_wait.sql
\endif

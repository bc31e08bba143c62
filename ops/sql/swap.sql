-- Gives the live name to another database: gate, drain, and both renames in one transaction. Run it on the database
-- postgres. The former live one is kept under the third name, closed to connections.
-- Variables: live, incoming, aside. Run again after a crash, it finishes what is left.
SELECT set_config('generalprobe.live', :'live', false), set_config('generalprobe.incoming', :'incoming', false),
       set_config('generalprobe.aside', :'aside', false) \g /dev/null
-- Before the gate closes: a session that is not ours to end would hold everybody off.
DO $$
DECLARE
    others text;
BEGIN
    SELECT string_agg(DISTINCT format('%s on %s', usename, datname), ', ') INTO others FROM pg_stat_activity
    WHERE datname IN (current_setting('generalprobe.live'), current_setting('generalprobe.incoming'))
      AND usesysid IS NOT NULL AND NOT pg_has_role(usesysid, 'MEMBER');
    IF others IS NOT NULL THEN
        RAISE EXCEPTION 'not swapped: sessions of other roles are connected, and not ours to end: %', others;
    END IF;
END $$;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = :'incoming' AND usesysid IS NOT NULL AND pg_has_role(usesysid, 'MEMBER') \g /dev/null
-- For how long clients are away is told at the end; nothing, where nothing is left to be swapped.
SELECT coalesce((SELECT clock_timestamp()::text FROM pg_database WHERE datname = :'incoming'), '') AS closed \gset
\set ON_ERROR_STOP off
SELECT format('ALTER DATABASE %I WITH ALLOW_CONNECTIONS false', d.datname) FROM pg_database d
WHERE d.datname = :'live' AND EXISTS (SELECT FROM pg_database WHERE datname = :'incoming') \gexec
DO $$
DECLARE
    live text := current_setting('generalprobe.live');
    incoming text := current_setting('generalprobe.incoming');
    aside text := current_setting('generalprobe.aside');
    had_live boolean := EXISTS (SELECT FROM pg_database WHERE datname = live);
    deadline timestamptz := clock_timestamp() + interval '15 s';
    busy integer;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_database WHERE datname = incoming) THEN
        IF had_live THEN RETURN; END IF;
        RAISE EXCEPTION 'there is neither % nor %', incoming, live;
    END IF;
    IF EXISTS (SELECT FROM pg_prepared_xacts WHERE database = live) THEN
        RAISE EXCEPTION 'a prepared transaction on % is in the way: COMMIT PREPARED or ROLLBACK PREPARED it first', live;
    END IF;
    LOOP
        LOOP
            PERFORM pg_stat_clear_snapshot();
            -- Background workers have no user; they give way to a rename by themselves.
            SELECT count(pg_terminate_backend(pid)) INTO busy FROM pg_stat_activity
            WHERE datname IN (live, incoming) AND usesysid IS NOT NULL AND pg_has_role(usesysid, 'MEMBER');
            EXIT WHEN busy = 0;
            IF clock_timestamp() > deadline THEN
                RAISE EXCEPTION '% sessions on % would not go within 15 s', busy, live;
            END IF;
            PERFORM pg_sleep(0.001);
        END LOOP;
        BEGIN
            IF had_live THEN EXECUTE format('ALTER DATABASE %I RENAME TO %I', live, aside); END IF;
            EXECUTE format('ALTER DATABASE %I RENAME TO %I', incoming, live);
            RETURN;
        EXCEPTION WHEN object_in_use THEN
            IF clock_timestamp() > deadline THEN RAISE; END IF;
        END;
    END LOOP;
END $$;
\set failed :ERROR
\set message :LAST_ERROR_MESSAGE
SELECT format('ALTER DATABASE %I WITH ALLOW_CONNECTIONS true', datname) FROM pg_database WHERE datname = :'live' \gexec
\set ON_ERROR_STOP on
\if :failed
SELECT set_config('generalprobe.message', :'message', false) \g /dev/null
DO $$ BEGIN RAISE EXCEPTION 'not swapped: %', current_setting('generalprobe.message'); END $$;
\endif
SELECT format('clients were away for %s s', round(extract(epoch FROM clock_timestamp() - nullif(:'closed', '')::timestamptz)::numeric, 3))
WHERE :'closed' <> '';

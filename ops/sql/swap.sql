-- Gives the live name to another database: closes the live one, ends its sessions, and exchanges the names in one
-- transaction. Run it on the database postgres. The former live database gets the name aside and stays closed to
-- connections. Repeated after a crash, it finishes the swap. Variables: live, incoming, aside.
\ir ours.sql
SELECT set_config('generalprobe.live', :'live', false), set_config('generalprobe.incoming', :'incoming', false),
       set_config('generalprobe.aside', :'aside', false), set_config('generalprobe.ended', '', false),
       set_config('generalprobe.opened', '', false),
       set_config('generalprobe.deadline', (clock_timestamp() + interval '15 s')::text, false) \g /dev/null
-- Check before closing the database: a session that this role may not end would block the swap and all clients.
DO $$
DECLARE
    others text;
BEGIN
    SELECT string_agg(DISTINCT format('%s on %s', usename, datname), ', ') INTO others FROM pg_stat_activity
    WHERE datname IN (current_setting('generalprobe.live'), current_setting('generalprobe.incoming'))
      AND usesysid <> ALL (current_setting('generalprobe.endable')::oid[]);
    IF others IS NOT NULL THEN
        RAISE EXCEPTION 'not swapped: sessions of other roles are connected, which this role may not end: %', others;
    END IF;
END $$;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = :'incoming' AND usesysid = ANY (current_setting('generalprobe.endable')::oid[]) \g /dev/null
-- Record when the database is closed, to report for how long clients were disconnected.
SELECT coalesce((SELECT clock_timestamp()::text FROM pg_database WHERE datname = :'incoming'), '') AS closed \gset
\set ON_ERROR_STOP off
-- Wait for the disk only once, at the end: later commits reach the disk after the renames.
SET synchronous_commit = off;
-- Suppress warnings about processes that have already ended.
SET client_min_messages = error;
SELECT format('ALTER DATABASE %I WITH ALLOW_CONNECTIONS false', d.datname) FROM pg_database d
WHERE d.datname = :'live' AND EXISTS (SELECT FROM pg_database WHERE datname = :'incoming') \gexec
DO $$
DECLARE
    live text := current_setting('generalprobe.live');
    incoming text := current_setting('generalprobe.incoming');
    deadline timestamptz := current_setting('generalprobe.deadline');
    ending integer[] := '{}';
    busy integer[];
    left_over integer;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_database WHERE datname = incoming) THEN
        PERFORM set_config('generalprobe.ended', CASE WHEN EXISTS (SELECT FROM pg_database WHERE datname = live) THEN 'done'
            ELSE format('there is neither %s nor %s', incoming, live) END, false);
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pg_prepared_xacts WHERE database = live) THEN
        PERFORM set_config('generalprobe.ended', format('a prepared transaction on %s is in the way: COMMIT PREPARED or '
            'ROLLBACK PREPARED it first', live), false);
        RETURN;
    END IF;
    LOOP
        PERFORM pg_stat_clear_snapshot();
        -- Background workers have no user, and do not block a rename.
        SELECT array_agg(pid) INTO busy FROM pg_stat_activity
        WHERE datname IN (live, incoming) AND usesysid = ANY (current_setting('generalprobe.endable')::oid[]);
        ending := ending || coalesce(busy, '{}');
        -- A rename still counts a session that has left pg_stat_activity until its process has ended.
        SELECT count(*) INTO left_over FROM unnest(ending) pid WHERE pg_terminate_backend(pid);
        EXIT WHEN left_over = 0;
        IF clock_timestamp() > deadline THEN
            PERFORM set_config('generalprobe.ended', format('%s sessions on %s did not end within 15 s', left_over, live), false);
            RETURN;
        END IF;
        PERFORM pg_sleep(0.001);
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    PERFORM set_config('generalprobe.ended', SQLERRM, false);
END $$;
-- A rename that finds another process, even a refused connection, checks again only after 100 ms. So each attempt is
-- cancelled sooner and repeated; after a success, further attempts do nothing.
SELECT $attempt$DO $do$
DECLARE
    live text := current_setting('generalprobe.live');
    incoming text := current_setting('generalprobe.incoming');
BEGIN
    IF current_setting('generalprobe.ended') <> '' THEN RETURN; END IF;
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname IN (live, incoming) AND usesysid = ANY (current_setting('generalprobe.endable')::oid[]);
    IF EXISTS (SELECT FROM pg_database WHERE datname = live) THEN
        EXECUTE format('ALTER DATABASE %I RENAME TO %I', live, current_setting('generalprobe.aside'));
    END IF;
    EXECUTE format('ALTER DATABASE %I RENAME TO %I', incoming, live);
    EXECUTE format('ALTER DATABASE %I WITH ALLOW_CONNECTIONS true', live);
    PERFORM set_config('generalprobe.ended', 'done', false), set_config('generalprobe.opened', clock_timestamp()::text, false);
EXCEPTION
    WHEN object_in_use OR query_canceled THEN
        IF clock_timestamp() > current_setting('generalprobe.deadline')::timestamptz THEN
            PERFORM set_config('generalprobe.ended', format('sessions on %s did not end within 15 s', live), false);
        END IF;
    WHEN OTHERS THEN
        PERFORM set_config('generalprobe.ended', SQLERRM, false);
END $do$ $attempt$ AS attempt \gset
SET statement_timeout = '15 ms';
SELECT :'attempt' FROM generate_series(1, 60) \gexec
SET statement_timeout = '1 s';
SELECT :'attempt' FROM generate_series(1, 20) \gexec
SET statement_timeout = 0;
SET synchronous_commit = on;
SELECT format('ALTER DATABASE %I WITH ALLOW_CONNECTIONS true', datname) FROM pg_database WHERE datname = :'live' \gexec
\set ON_ERROR_STOP on
DO $$
BEGIN
    IF current_setting('generalprobe.ended') <> 'done' THEN
        RAISE EXCEPTION 'not swapped: %', coalesce(nullif(current_setting('generalprobe.ended'), ''), 'sessions blocked the swap');
    END IF;
END $$;
SELECT format('clients were away for %s s', round(extract(epoch FROM opened::timestamptz - nullif(:'closed', '')::timestamptz)::numeric, 3))
FROM (SELECT nullif(current_setting('generalprobe.opened'), '') AS opened) o WHERE :'closed' <> '' AND opened IS NOT NULL;

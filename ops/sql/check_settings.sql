-- Succeeds if this role may write every setting of a database, as a rollback does for the restored one. Each setting is
-- written with its present value, and the transaction is rolled back. Reports all refused settings at once, and as a
-- line of JSON. Variables: live.
SET default_transaction_read_only = off;
\ir ours.sql
SELECT set_config('generalprobe.live', :'live', false) \g /dev/null
DO $$
DECLARE
    one record;
    refused text[] := '{}';
    ways text[] := '{}';
BEGIN
    FOR one IN
        SELECT c.name, c.raw, c.name IN ('search_path', 'temp_tablespaces') AS list, s.setrole,
               format('%s SET %s ', CASE s.setrole WHEN 0 THEN format('ALTER DATABASE %I', d.datname)
                   ELSE format('ALTER ROLE %I IN DATABASE %I', pg_get_userbyid(s.setrole), d.datname) END,
                   (SELECT string_agg(quote_ident(part), '.') FROM unnest(string_to_array(c.name, '.')) part)) AS sets
        FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS setting,
             LATERAL (SELECT split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS raw) c
        WHERE d.datname = current_setting('generalprobe.live') ORDER BY s.setrole, c.name
    LOOP
        BEGIN
            IF one.list THEN PERFORM set_config(one.name, one.raw, true); END IF;
            EXECUTE one.sets || CASE WHEN one.list THEN 'FROM CURRENT' ELSE format('= %L', one.raw) END;
            RAISE EXCEPTION 'taken back' USING ERRCODE = 'GP000';
        EXCEPTION WHEN SQLSTATE 'GP000' THEN NULL; WHEN insufficient_privilege THEN
            refused := refused || trim(one.sets);
            ways := ways || CASE
                WHEN one.setrole <> 0 AND one.setrole <> ALL (current_setting('generalprobe.settable')::oid[])
                    THEN format('GRANT %I TO %I WITH ADMIN OPTION; ALTER ROLE %2$I CREATEROLE', pg_get_userbyid(one.setrole), current_user)
                WHEN current_setting('server_version_num')::int >= 150000
                    THEN format('GRANT SET ON PARAMETER %s TO %I', one.name, current_user)
                ELSE format('%s', replace(trim(one.sets), ' SET ', ' RESET ') || ' (and set it again afterwards)') END;
        END;
    END LOOP;
    PERFORM set_config('generalprobe.refused', array_to_string(refused, ', '), false),
        set_config('generalprobe.ways', (SELECT coalesce(string_agg(DISTINCT way, '; '), '') FROM unnest(ways) way), false);
END $$;
SELECT json_build_object('refused', r, 'ways', current_setting('generalprobe.ways'))
    FROM current_setting('generalprobe.refused') r WHERE r <> '';
DO $$
BEGIN
    IF current_setting('generalprobe.refused') <> '' THEN
        RAISE EXCEPTION '% may not write settings of the database, so a rollback would fail: %; an administrator has to run: %',
            quote_ident(current_user), current_setting('generalprobe.refused'), current_setting('generalprobe.ways');
    END IF;
END $$;

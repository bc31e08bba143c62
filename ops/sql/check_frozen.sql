-- Succeeds if new sessions of this database are read-only by a freeze (wanted = on), or are not (wanted = off). A
-- role's own setting is no freeze, and must not allow the role to write during one. Variables: wanted.
SELECT set_config('generalprobe.wanted', :'wanted', false) \g /dev/null
DO $$
DECLARE
    frozen bool;
    role_frozen bool;
    writing text;
BEGIN
    WITH own AS (
        SELECT DISTINCT ON (s.setrole) s.setrole, split_part(setting, '=', 2) AS value
        FROM pg_db_role_setting s JOIN pg_database d ON d.datname = current_database() AND s.setdatabase IN (0, d.oid),
             unnest(s.setconfig) setting
        WHERE split_part(setting, '=', 1) = 'default_transaction_read_only' AND (s.setrole <> 0 OR s.setdatabase <> 0)
        ORDER BY s.setrole, s.setdatabase DESC
    )
    SELECT coalesce(bool_or(value::bool) FILTER (WHERE setrole = 0), false),
           coalesce(bool_or(value IN ('tr', 'tru')) FILTER (WHERE setrole <> 0), false),
           string_agg(quote_ident(r.rolname), ', ') FILTER (WHERE NOT value::bool AND r.rolcanlogin AND NOT r.rolsuper)
    INTO frozen, role_frozen, writing FROM own LEFT JOIN pg_roles r ON r.oid = setrole;
    IF current_setting('generalprobe.wanted') = 'off' THEN
        IF frozen OR role_frozen THEN RAISE EXCEPTION 'default_transaction_read_only is on, not off'; END IF;
        RETURN;
    END IF;
    IF NOT frozen THEN RAISE EXCEPTION 'default_transaction_read_only is off, not on'; END IF;
    IF NOT current_setting('default_transaction_read_only')::bool THEN
        writing := concat_ws(', ', writing, quote_ident(current_user));
    END IF;
    IF writing IS NOT NULL THEN RAISE EXCEPTION 'default_transaction_read_only is off, not on, for %', writing; END IF;
END $$;

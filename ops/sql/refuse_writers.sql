-- Fails if somebody could still write to a frozen database. Variables: live, writers (see writers.sql).
SELECT set_config('generalprobe.writers', :'writers', false) \g /dev/null
DO $$
DECLARE
    said text := (SELECT string_agg(format('%s (%s)', one ->> 0, one ->> 1), '; ')
                  FROM json_array_elements(current_setting('generalprobe.writers')::json) one);
BEGIN
    IF said IS NOT NULL THEN RAISE EXCEPTION 'could still write to a frozen database: %', said; END IF;
END $$;

-- Holds when a new session of this database is read-only (wanted = on) or not (wanted = off). Variables: wanted.
SELECT set_config('generalprobe.wanted', :'wanted', false) \g /dev/null
DO $$
BEGIN
    IF current_setting('default_transaction_read_only') <> current_setting('generalprobe.wanted') THEN
        RAISE EXCEPTION 'default_transaction_read_only is %, not %',
            current_setting('default_transaction_read_only'), current_setting('generalprobe.wanted');
    END IF;
END $$;

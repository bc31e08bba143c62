-- Sets `frozen` to `on` if this database is frozen, else `off`. A role's own setting is no freeze. A part of a
-- transaction with settings.sql.
SELECT CASE WHEN coalesce((SELECT split_part(setting, '=', 2)::bool FROM pg_db_role_setting s, unnest(s.setconfig) setting
                           WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
                           AND split_part(setting, '=', 1) = 'default_transaction_read_only'),
                          source NOT IN ('user', 'database user') AND setting::bool) THEN 'on' ELSE 'off' END AS frozen
FROM pg_settings WHERE name = 'default_transaction_read_only' \gset

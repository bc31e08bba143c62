COMMENT ON DATABASE {name} IS 'the shop
of many lines'; ALTER DATABASE {name} SET search_path = '$user', "Ä x", public; ALTER DATABASE {name} SET array_nulls = off;
ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'; GRANT CONNECT ON DATABASE {name} TO analyst WITH GRANT OPTION;
REVOKE TEMP ON DATABASE {name} FROM PUBLIC; ALTER DATABASE {name} CONNECTION LIMIT 50;

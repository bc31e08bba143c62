"""Everything outside this process: PostgreSQL, SSH, Railway, stores, and the session that holds them together."""

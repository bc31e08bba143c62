"""Everything outside this process: PostgreSQL, SSH, Railway, stores, and the session that holds them together.

It knows commands and the inventory, and no feature. Begin with ``session``.
"""

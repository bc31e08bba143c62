"""Everything outside this process: PostgreSQL, SSH, Railway, stores, and the session that combines them.

The package knows commands and the inventory, and no feature. Begin with ``session``.
"""

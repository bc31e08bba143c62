"""Makes, selects, checks and reports backups, and restores them; ``pgbackrest`` is the other kind.

It does not know a release. Begin with ``actions`` and ``selection``.
"""

"""Make, select, check, report and restore backups: dumps, and in ``pgbackrest`` those of pgBackRest.

No module imports ``ops.release``. Begin with ``actions`` and ``selection``.
"""

"""Recover data: ``rollback`` swaps a restored backup in, ``salvage`` inserts lost rows. Neither imports the other.

Begin with ``rollback``.
"""

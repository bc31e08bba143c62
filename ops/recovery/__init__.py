"""Brings data back: ``rollback`` swaps a backup in, ``salvage`` brings single rows back. Neither knows the other.

Begin with ``rollback``.
"""

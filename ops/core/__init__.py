"""Helpers that every other package may import: errors with exit codes, atomic files, permissions, run ids, YAML.

This package knows no server, no step and no feature, and imports no other package of ``ops``. Begin with ``errors``
and ``files``.
"""

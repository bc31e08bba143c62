"""Compute fingerprints and the verdict: compare two databases and account for each table, column and link.

This package queries databases through a protocol and knows no procedure. Begin with ``accounting.judge``.
``accounting.match_tables`` decides that rows moved to another table.
"""

"""Fingerprints, and what became of every row: two databases are compared and each table, column and link is accounted
for.

It knows databases by what they answer, and no procedure. Begin with ``accounting.judge``; ``accounting.match_tables``
decides that rows moved to another table.
"""

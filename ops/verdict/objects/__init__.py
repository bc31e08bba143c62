"""Judge what is not a row: sequences, grants, triggers, content types, links, and keys within other columns.

This package uses fingerprints and the verdict's model. Begin with ``beyond_rows``.
"""

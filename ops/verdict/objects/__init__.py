"""What is no row: sequences, grants, triggers, content types, links and keys that other columns hold.

It knows fingerprints and the verdict's model. Begin with ``beyond_rows``.
"""

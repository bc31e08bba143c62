"""The definitions: what each procedure needs and does, read by plan, run, page and undo.

One file per procedure, found by ``catalog``; ``checks`` is what several of them ask first. Begin with ``backup``, which
says how a dump is made; ``freeze`` makes production read-only and lifts that again.
"""

"""The definitions: what each procedure needs and does, read by plan, run, page and undo.

One file per procedure, found by ``catalog``; begin with ``backup``. ``checks`` is what several of them ask first.
"""

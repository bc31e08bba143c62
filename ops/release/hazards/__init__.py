"""Hazards: what the pending migrations would do to production, before anything runs.

A rule is a function that ``rule`` decorates, in any module of this package; ``scan`` collects them and asks them of the
application's own plan (``ops.application.operations``) and of production's rows, read-only. What they say is not proof:
the rehearsal is.
"""

"""Hazards: what the pending migrations would do to production, before anything runs.

A rule is a function that ``rule`` decorates, in any module of this package; ``scan`` collects them and asks them of the
application's own plan (``ops.application.operations``) and of production's rows, read-only. What they say is not proof:
the rehearsal is. Begin with ``rule``.

The text of a code is in the module of its hundred: GP1… ``data_loss``, GP2… ``constraints``, GP3… ``plan_order``, GP4…
``style``, GP5… ``locks``, GP6… ``outside_effects``; GP105 and GP205, what no longer fits, in ``narrowing``.
"""

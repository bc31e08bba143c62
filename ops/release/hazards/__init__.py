"""Report the hazards of pending migrations before anything runs.

A rule is a function with the decorator ``rule``, in any module of this package. ``scan`` collects the rules and applies
each rule to the application's plan (``ops.application.operations``) and to production's rows, read-only. A hazard is a
prediction; the rehearsal is the proof. Begin with ``rule``.

The first digit of a code names the module: GP1… ``data_loss``, GP2… ``constraints``, GP3… ``plan_order``, GP4…
``style``, GP5… ``locks``, GP6… ``outside_effects``. GP105 and GP205 (values that do not fit a type) are in
``narrowing``.
"""

"""Define the procedures: the needs and steps of each. Plan, run, page and undo read the definitions.

Each procedure has a file, which ``catalog`` finds. ``checks`` contains gates that several procedures share. Begin with
``backup``, which defines how a dump is made. ``freeze`` makes production read-only, and lifts the freeze.
"""

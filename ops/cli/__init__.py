"""The command line: Invoke's tasks, the console, listings and pages.

This package may import every other package; no other package may import it. Begin with ``namespace``, then ``run``.
``console`` prints for people, ``json_output`` for programs.
"""

"""Generalprobe: releases of Django applications on PostgreSQL, rehearsed on a restored copy of production.

Packages are drawn in docs/contributing/architecture.md, each importing only those below it: ``cli`` above ``doctor``,
``procedures``, ``recovery``, ``backups`` and ``release``, these above ``application``, ``defang`` and ``schedule``,
these above ``infra``, ``engine``, ``inventory`` and ``verdict``, and ``core`` below all. Begin with ``procedures``,
which says what is done, and ``engine``, which does it.
"""

__version__ = "0.2.0"

"""Generalprobe: release Django applications on PostgreSQL after a rehearsal on a restored copy of production.

docs/contributing/architecture.md shows the packages. A package imports only the packages below it: ``cli`` is above
``doctor``, ``procedures``, ``recovery``, ``backups`` and ``release``; these are above ``application``, ``defang`` and
``schedule``; these are above ``infra``, ``engine``, ``inventory`` and ``verdict``; ``core`` is below all. Begin with
``procedures``, which defines the steps, and ``engine``, which runs them.
"""

__version__ = "0.2.0"

"""The command line, for your own ``tasks.py``: ``from ops.tasks import namespace``."""

from ops.cli.namespace import namespace

__all__ = ["namespace"]

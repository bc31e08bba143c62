"""The command line of this checkout; a project of your own has the same two lines."""

from ops.tasks import namespace

__all__ = ["namespace"]

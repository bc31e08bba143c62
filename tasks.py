"""The tasks of this checkout. Each project has a file with the same two lines."""

from ops.tasks import namespace

__all__ = ["namespace"]

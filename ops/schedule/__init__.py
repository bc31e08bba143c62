"""Run tasks automatically on this machine, by cron or systemd (``inv schedule``).

This package knows the inventory and no procedure. Begin with ``installer``, then ``task_runner``.
"""

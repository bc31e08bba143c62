"""``inv schedule``: our own tasks run by themselves, through cron or systemd, on this machine.

It knows the inventory, and no procedure. Begin with ``installer``, then ``task_runner``.
"""

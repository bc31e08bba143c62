"""``inv schedule``: our own tasks run by themselves, through cron or systemd, on this machine."""

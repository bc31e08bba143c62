"""Decide which backups are retained and why; pin and remove backups. Begin with ``policy``."""

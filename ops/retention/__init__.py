"""Decides which backups stay, and why. It removes nothing. Begin with ``policy``."""

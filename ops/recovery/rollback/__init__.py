"""Show, retain and count what a rollback sets aside. Begin with ``loss``."""

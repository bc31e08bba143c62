"""What a rollback sets aside, keeps and accounts for. Begin with ``loss``."""

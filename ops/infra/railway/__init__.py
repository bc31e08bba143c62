"""Access Railway by its CLI: services, variables, deployments, volume backups. Begin with ``railway_cli``."""

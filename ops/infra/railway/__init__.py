"""The Railway CLI: services, variables, deployments, and volumes with their own backups. Begin with ``railway_cli``."""

"""Backup engines that are there already, and that we drive: pgBackRest."""

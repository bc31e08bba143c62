"""Generalprobe: releases of Django applications on PostgreSQL, rehearsed on a restored copy of production."""

__version__ = "0.2.0"

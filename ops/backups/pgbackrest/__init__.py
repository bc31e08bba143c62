"""Backup engines that are there already, and that we drive: pgBackRest.

Begin with ``stanza``, then ``actions``.
"""

"""Runs programs here or on a host behind SSH, and forwards connections. Begin with ``local`` and ``ssh``."""

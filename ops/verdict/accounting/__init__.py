"""Finds where the rows and values of every table went, and counts what did not arrive. Begin with ``judge``."""

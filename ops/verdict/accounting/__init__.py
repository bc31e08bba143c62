"""Find where the rows and values of every table went, and count what is missing. Begin with ``judge``."""

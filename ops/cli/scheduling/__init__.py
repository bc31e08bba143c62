"""``inv schedule`` and ``inv scheduled``: install, try and run the automatic runs. Begin with ``installation``."""

"""``inv schedule`` and ``inv scheduled``: install, test and run scheduled tasks. Begin with ``installation``."""

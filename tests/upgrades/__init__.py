"""Upgrades of well-known applications over several releases, with real data, released by our own ``inv release``.

One command: ``python -m tests.upgrades [NAME …]``; or ``pytest -m upgrades``. Needs PyPI the first time; virtual
environments and filled databases are kept in a cache folder (``UPGRADES_CACHE``).
"""

"""The Django application, asked through its own ``manage.py``: operations, models, links, database aliases.

``inside`` runs within the application's Python and imports nothing of ours. Begin with ``probe``.
"""

"""Query the Django application through its own ``manage.py``: operations, models, links, database aliases.

``inside`` runs in the application's Python and imports nothing of this project. Begin with ``probe``.
"""

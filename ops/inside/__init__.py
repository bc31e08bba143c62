"""Programs that run inside the application, handed to its own ``manage.py shell -c``; none is imported here."""

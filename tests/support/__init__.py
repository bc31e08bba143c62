"""What the tests share: ``inv`` in this process, a quick ``python manage.py``, scenes."""

# mypy: ignore-errors
"""Inside the application: report the server and database of each alias, and the settings that reach the server."""

from django.db import connections

ASKED = (
    "SELECT system_identifier::text, current_database(), "
    "coalesce(shobj_description((SELECT oid FROM pg_database WHERE datname = current_database()), 'pg_database'), '') "
    "LIKE 'generalprobe clone of %%', "
    "(SELECT setting FROM pg_settings WHERE name = 'default_transaction_read_only'), "
    "(SELECT setting FROM pg_settings WHERE name = 'lock_timeout') FROM pg_control_system()"
)
KEYS = ("system", "database", "clone", "default_transaction_read_only", "lock_timeout")


def whereabouts(alias):
    """Return the server and database of one alias. Of an error return the class only: its text may contain a secret."""
    own = connections[alias]
    found = {"vendor": own.vendor, "disabled": own.settings_dict["ENGINE"] == "django.db.backends.dummy"}
    if own.vendor == "sqlite":
        found["memory"] = own.is_in_memory_db()
    if own.vendor == "postgresql":
        try:
            with own.cursor() as cursor:
                cursor.execute(ASKED, ())
                found.update(zip(KEYS, cursor.fetchone()))
        except Exception as error:
            found["error"] = type(error).__name__
    return found


def aliases():
    """Return every database of the application by its alias."""
    return {alias: whereabouts(alias) for alias in connections}

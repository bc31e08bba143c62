# mypy: ignore-errors
"""Inside the application: where each of its databases leads, and which settings arrive at the server."""

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
    """Where one alias leads. Only the kind of an error is told: its text could hold what is secret."""
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
    """Every database of the application, by its alias."""
    return {alias: whereabouts(alias) for alias in connections}

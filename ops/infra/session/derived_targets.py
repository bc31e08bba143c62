"""Derived targets: ``shop-test@rehearsal``, the scratch server ``shop@aside``, the replica ``shop@standby``. Pure.

If clones are defanged, a release is rehearsed with unmasked rows in a separate database beside the test database. The
derived target has the test target's address with that database, which no settings name. So the test database's name
never leads to a clone that is not defanged. ``shop@aside`` is the scratch server on which a pgBackRest backup is
restored. ``shop@standby`` is production's streaming replica; the inventory has its address.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from ops.engine.database_names import named
from ops.engine.inputs import ASIDE, REHEARSAL, STANDBY
from ops.infra.postgres.client import parts_of
from ops.inventory.targets import Reference, Target

# The port of the scratch server, which listens on a socket only: a part of the socket's name.
PORT = "5432"


def rehearsal_of(test: str) -> str:
    """Return the name of the rehearsal target of a test target."""
    return test + REHEARSAL


def is_rehearsal(target: str) -> bool:
    """Return True if a name is a rehearsal target."""
    return target.endswith(REHEARSAL)


def entry_of(target: str) -> str:
    """Return the inventory's name of a derived target: the test target or the production target."""
    return target.removesuffix(REHEARSAL).removesuffix(ASIDE).removesuffix(STANDBY)


def standby_of(target: str) -> str:
    """Return the name of the streaming replica of a production target."""
    return target + STANDBY


def dumped_targets(entry: Target) -> tuple[str, ...]:
    """Return the names of the targets that a backup connects to: production, and the standby if that is dumped."""
    return (entry.name, standby_of(entry.name)) if entry.dump.from_ == "standby" else (entry.name,)


def key_of(target: str, entry: Target) -> tuple[str, Reference]:
    """Return the inventory's key with a target's address, and its value."""
    if target.endswith(STANDBY) and entry.standby:
        return "standby", entry.standby
    return "database", entry.database


def led(url: str, target: str) -> str:
    """Return the address of a target, derived from its entry's address; both are secrets.

    Raises:
        ValueError: the database in the address cannot be replaced.
    """
    if not is_rehearsal(target):
        return url
    database = named(parts_of(url)["dbname"], "rehearsal")
    if "://" in url:
        changed = urlsplit(url)._replace(path="/" + quote(database, safe="")).geturl()
    else:
        from psycopg.conninfo import make_conninfo

        changed = make_conninfo(url, dbname=database)
    if parts_of(changed).get("dbname") != database:
        raise ValueError("names its database in its query")
    return changed


def aside_of(target: str) -> str:
    """Return the name of the scratch server of a target."""
    return target + ASIDE


def folder_of(entry: Target) -> str:
    """Return the folder in which a target's pgBackRest backups are restored; empty if there is none."""
    return f"{entry.pgbackrest.aside}/{entry.name}" if entry.pgbackrest else ""


def led_aside(url: str, target: str, entry: Target) -> str:
    """Return the address of a scratch server, derived from its target's: same role and database, no password."""
    if not target.endswith(ASIDE):
        return url
    from psycopg.conninfo import make_conninfo

    parts = parts_of(url)
    known = {key: parts[key] for key in ("user", "dbname") if key in parts}
    return make_conninfo(host=f"{folder_of(entry)}/s", port=PORT, sslmode="disable", gssencmode="disable", **known)


def socket_of(parts: Mapping[str, str]) -> str:
    """Return the socket file of an address; empty if the host is no folder."""
    name = parts.get("host", "")
    return f"{name}/.s.PGSQL.{parts.get('port') or PORT}" if name.startswith("/") else ""

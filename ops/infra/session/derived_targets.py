"""Where a release is rehearsed if clones are defanged: on true rows, in a database of its own beside the test database.

``shop-test@rehearsal`` stands for it wherever a test target's name does: the same address with another database, which
nobody's settings name. So the test database's own name never leads to a copy that is not defanged. ``shop@aside``
stands for the server in which one of pgBackRest's backups is restored aside. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from ops.engine.database_names import named
from ops.engine.inputs import ASIDE, REHEARSAL
from ops.infra.postgres.client import parts_of
from ops.inventory.targets import Target

# Of the server aside, which listens on a socket only: a part of the socket's name.
PORT = "5432"


def rehearsal_of(test: str) -> str:
    """The name that stands for the rehearsal of a test target."""
    return test + REHEARSAL


def is_rehearsal(target: str) -> bool:
    """Whether a name stands for a rehearsal."""
    return target.endswith(REHEARSAL)


def entry_of(target: str) -> str:
    """The inventory's name for a target; for a rehearsal the test target's, for what is restored aside production's."""
    return target.removesuffix(REHEARSAL).removesuffix(ASIDE)


def led(url: str, target: str) -> str:
    """The address of a target, made of that of its entry: a secret, as that is.

    Raises:
        ValueError: another database can't be put into it.
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
    """The name that stands for the server beside a target."""
    return target + ASIDE


def folder_of(entry: Target) -> str:
    """The folder of a target in which its backups are restored; empty where there is none."""
    return f"{entry.pgbackrest.aside}/{entry.name}" if entry.pgbackrest else ""


def led_aside(url: str, target: str, entry: Target) -> str:
    """The address of a server aside, made of that of its target: the same role and database, and no password."""
    if not target.endswith(ASIDE):
        return url
    from psycopg.conninfo import make_conninfo

    parts = parts_of(url)
    known = {key: parts[key] for key in ("user", "dbname") if key in parts}
    return make_conninfo(host=f"{folder_of(entry)}/s", port=PORT, sslmode="disable", gssencmode="disable", **known)


def socket_of(parts: Mapping[str, str]) -> str:
    """The file at which the server of an address listens; empty where that is no folder's."""
    name = parts.get("host", "")
    return f"{name}/.s.PGSQL.{parts.get('port') or PORT}" if name.startswith("/") else ""

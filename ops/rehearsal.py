"""Where a release is rehearsed if clones are defanged: on true rows, in a database of its own beside the test database.

``shop-test@rehearsal`` stands for it wherever a test target's name does: the same address with another database, which
nobody's settings name. So the test database's own name never leads to a copy that is not defanged. Pure.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from ops.inputs import ASIDE, REHEARSAL, named
from ops.postgres import parts_of


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

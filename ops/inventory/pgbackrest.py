"""The inventory's key ``pgbackrest``: which stanza, and where its backups are restored aside."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ops.inventory.fields import Account, Frozen, bad

PGBACKREST = "{stanza: main, aside: /var/lib/postgresql/aside}"
# They lead into the words of a server that a shell starts.
PLAIN = r"(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)+"
# Where a socket's path ends, PostgreSQL does not start (sun_path, less what stands behind the folder).
LONGEST = 50


def _path(value: str) -> str:
    if not re.fullmatch(PLAIN, value) or "/../" in f"{value}/":
        raise bad("should be a whole path of letters, digits and . _ -", f"pgbackrest: {PGBACKREST}")
    return value


def _aside(value: str) -> str:
    if len(value) > LONGEST or value.count("/") < 2:
        raise bad(
            f"should be a folder of its own, by its whole path, of at most {LONGEST} characters",
            f"pgbackrest: {PGBACKREST}",
        )
    return value


Place = Annotated[str, AfterValidator(_path)]


class PgBackRest(Frozen):
    """A stanza of pgBackRest on the database's machine."""

    stanza: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
    """The name of the stanza."""
    aside: Annotated[Place, AfterValidator(_aside)]
    """The folder in which backups are restored to be proved; it needs space for the whole server."""
    config: Place | None = None
    """pgBackRest's configuration file. Left out: where pgBackRest itself looks."""
    kind: Annotated[Literal["full", "diff", "incr"], Field(alias="type")] = "incr"
    """What pgBackRest makes. Where there is no full backup yet, it makes one."""
    user: Account = "postgres"
    """The operating system's user that runs the server."""
    bin: Place | None = None
    """The folder of the server's programs. Left out: found by the server's version."""

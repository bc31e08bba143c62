"""The inventory's key ``pgbackrest``: the stanza, and the folder in which its backups are restored to prove them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ops.inventory.fields import Account, Frozen, bad

PGBACKREST = "{stanza: main, aside: /var/lib/postgresql/aside}"
# The paths become part of a command line that a shell runs.
PLAIN = r"(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)+"
# PostgreSQL does not start if a socket's path is longer (sun_path, less the file name in the folder).
LONGEST = 50


def _path(value: str) -> str:
    if not re.fullmatch(PLAIN, value) or "/../" in f"{value}/":
        raise bad("should be an absolute path of letters, digits and . _ -", f"pgbackrest: {PGBACKREST}")
    return value


def _aside(value: str) -> str:
    if len(value) > LONGEST or value.count("/") < 2:
        raise bad(
            f"should be the absolute path of a separate folder, at most {LONGEST} characters long",
            f"pgbackrest: {PGBACKREST}",
        )
    return value


Place = Annotated[str, AfterValidator(_path)]


class PgBackRest(Frozen):
    """A stanza of pgBackRest on the database's host."""

    stanza: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
    """The name of the stanza."""
    aside: Annotated[Place, AfterValidator(_aside)]
    """The folder in which backups are restored to prove them. It needs disk space for the whole server."""
    config: Place | None = None
    """pgBackRest's configuration file. If omitted: pgBackRest's default."""
    kind: Annotated[Literal["full", "diff", "incr"], Field(alias="type")] = "incr"
    """The type of pgBackRest's backups. The first backup is always full."""
    user: Account = "postgres"
    """The operating system user that runs the server."""
    bin: Place | None = None
    """The folder of the server's programs. If omitted: found by the server's version."""

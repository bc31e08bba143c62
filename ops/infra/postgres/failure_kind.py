"""The type of an entry of the failure catalogue."""

from __future__ import annotations

from dataclasses import dataclass

# The same command succeeds after a correction on the server.
MENDED = "mended"
# The backup cannot be restored: correct production and make a new backup.
BACKUP = "backup"
# The cause is in the application's code or rows: correct the release.
RELEASE = "release"
MIGRATE, RESTORE = "migrate", "restore"
# The failure of a function that finds an object by search_path only.
BY_PATH = "search_path"


@dataclass(frozen=True)
class Failure:
    """One kind of failure.

    Args:
        name: the name in tests and documentation.
        said: the pattern of the server's first line; its groups are ``{0}``, ``{1}`` … in the texts.
        cause: the cause.
        then: what an administrator types or does.
        where: what must be corrected: ``MENDED``, ``BACKUP`` or ``RELEASE``.
        states: the SQLSTATEs; any if empty.
        further: the pattern of the lines below the first, if the first line is not specific.
        command: the pattern of the beginning of the failed statement.
        tool: ``MIGRATE`` for failures of the application's migrate only, ``RESTORE`` for all other failures only.
    """

    name: str
    said: str
    cause: str
    then: str
    where: str = MENDED
    states: tuple[str, ...] = ()
    further: str = ""
    tool: str = ""
    command: str = ""

"""One kind of failure, as the catalogue of failures holds it, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass

# A failure that the same command can't get over by itself: it goes on when something was mended on the server.
MENDED = "mended"
# The backup itself can't be restored: production is to be mended, and backed up anew.
BACKUP = "backup"
# What is in the way is in the application's code, or in its rows: then nothing but the release is to be mended.
RELEASE = "release"
MIGRATE, RESTORE = "migrate", "restore"
# A function finds something by search_path only.
BY_PATH = "search_path"


@dataclass(frozen=True)
class Failure:
    """One kind of failure.

    Args:
        name: what it is called in tests and documentation.
        said: a pattern of the server's first line; its groups are ``{0}``, ``{1}`` … of the texts.
        cause: what is wrong.
        then: what an administrator types, or does.
        where: ``MENDED`` where the same command can succeed afterwards, ``BACKUP`` where only a new backup can.
        states: the SQLSTATEs; any where empty.
        further: a pattern of the lines below, where the first one says too little.
        command: a pattern of the beginning of the statement that failed.
        tool: ``MIGRATE`` where it is the application's migrate that fails so, ``RESTORE`` where it is none of that.
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

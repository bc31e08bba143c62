"""The kinds of backups, and the kinds that count for each purpose. Pure; the functions keep the order.

| content | ``real`` | ``dumps`` | ``whole`` | ``held`` | ``sized`` |
|---|---|---|---|---|---|
| production; also frozen (``_last``), also unpacked from pgBackRest's (``_unpacked``) | yes | yes | yes | | yes |
| production without the rows of some tables | yes | yes | | | yes |
| production, and pgBackRest has the data (``_pgbackrest``) | yes | | | yes | |
| what a rollback replaced (``_safety``) | | | | | yes |
| what was written since a backup (``_delta``) | | | | | |

Callers check other properties: whether a backup is damaged, is from the future, or was removed from pgBackRest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ops.engine.inputs import PHYSICAL

if TYPE_CHECKING:
    from ops.infra.stores.manifest import Manifest

SAFETY, DELTA = "_safety", "_delta"
# Backups that are used only if they are named, by the suffix of their ID, and the reason.
SPECIAL = {
    SAFETY: "it contains the data that a rollback or salvage replaced",
    DELTA: "it contains only the rows written since a backup",
    PHYSICAL: "pgBackRest stores it, and `inv unpack` must make a dump of it first",
}


def special(one: Manifest) -> str:
    """Return the key of ``SPECIAL`` for a backup; empty for a dump of production."""
    if one.delta_of:
        return DELTA
    return PHYSICAL if one.engine else next((end for end in SPECIAL if one.backup.endswith(end)), "")


def real(known: Iterable[Manifest]) -> list[Manifest]:
    """Return the backups of production, including pgBackRest's: for the age of the newest backup, and for pins."""
    return [one for one in known if special(one) in ("", PHYSICAL)]


def dumps(known: Iterable[Manifest]) -> list[Manifest]:
    """Return the dumps of production: for restores, drills, salvages, comparisons and the retention policy."""
    return [one for one in known if not special(one)]


def whole(known: Iterable[Manifest]) -> list[Manifest]:
    """Return the dumps of all tables, which may become production."""
    return [one for one in dumps(known) if not one.excluded]


def held(known: Iterable[Manifest]) -> list[Manifest]:
    """Return pgBackRest's backups, which must be unpacked first."""
    return [one for one in known if special(one) == PHYSICAL]


def sized(known: Iterable[Manifest]) -> list[Manifest]:
    """Return every dump of a complete database, also of a replaced one: to estimate the size of the next dump."""
    return [one for one in known if special(one) in ("", SAFETY)]


def newest(known: Iterable[Manifest]) -> Manifest | None:
    """Return the last backup of a list in the order of ``ops.infra.stores.manifest.backups``; None if it is empty."""
    return next(reversed(list(known)), None)

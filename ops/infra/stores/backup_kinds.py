"""Which backups count, and for what: the rule, said once. Pure; the order of what is given stays.

| it holds | ``real`` | ``dumps`` | ``whole`` | ``held`` | ``sized`` |
|---|---|---|---|---|---|
| production; also frozen (``_last``), also unpacked from pgBackRest's (``_unpacked``) | yes | yes | yes | | yes |
| production without the rows of some tables | yes | yes | | | yes |
| production, and pgBackRest has the data (``_pgbackrest``) | yes | | | yes | |
| what a rollback replaced (``_safety``) | | | | | yes |
| what was written since a backup (``_delta``) | | | | | |

What else can be wrong with one is no matter of its kind, and is looked at where it matters: whether it is damaged, of
the future, or gone from pgBackRest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ops.engine.inputs import PHYSICAL

if TYPE_CHECKING:
    from ops.infra.stores.manifest import Manifest

SAFETY, DELTA = "_safety", "_delta"
# What is a backup only for somebody who names it, by the end of its id, and why.
SPECIAL = {
    SAFETY: "it holds what a rollback or salvage replaced",
    DELTA: "it holds only what was written since a backup",
    PHYSICAL: "pgBackRest has it, and `inv unpack` makes a dump of it first",
}


def special(one: Manifest) -> str:
    """The key of ``SPECIAL`` for a backup; empty for a dump of production."""
    if one.delta_of:
        return DELTA
    return PHYSICAL if one.engine else next((end for end in SPECIAL if one.backup.endswith(end)), "")


def real(known: Iterable[Manifest]) -> list[Manifest]:
    """What says that production is backed up, whoever holds it: for how fresh that is, and for ``latest`` of a pin."""
    return [one for one in known if special(one) in ("", PHYSICAL)]


def dumps(known: Iterable[Manifest]) -> list[Manifest]:
    """What is restored, drilled, salvaged from, compared with, and kept by the policy."""
    return [one for one in known if not special(one)]


def whole(known: Iterable[Manifest]) -> list[Manifest]:
    """The dumps that hold every table, so that they may become production."""
    return [one for one in dumps(known) if not one.excluded]


def held(known: Iterable[Manifest]) -> list[Manifest]:
    """What pgBackRest has: to be unpacked first."""
    return [one for one in known if special(one) == PHYSICAL]


def sized(known: Iterable[Manifest]) -> list[Manifest]:
    """Every dump of a database, also of one that was replaced: for what the next one takes."""
    return [one for one in known if special(one) in ("", SAFETY)]


def newest(known: Iterable[Manifest]) -> Manifest | None:
    """The last one of what ``ops.infra.stores.manifest.backups`` gives, or of a part of that; None where there is
    none."""
    return next(reversed(list(known)), None)

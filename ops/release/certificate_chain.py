"""Follow tables through one or several releases since a backup, by their certificates."""

from __future__ import annotations

from pathlib import Path

from ops.core.errors import Refused
from ops.release import certificate
from ops.release.certificate import Certificate, Moved
from ops.verdict.fingerprint import Fingerprint


def moves_between(folder: Path, old: Fingerprint, new: Fingerprint) -> tuple[Moved, ...]:
    """Return where each table of ``old`` is in ``new``, or nothing if the target's certificates do not show it.

    For one release, the result includes its comparisons. For several releases, it has only the names of the tables.
    """
    at, wanted = set(old.migrations), set(new.migrations)
    issued = [found for name in _names(folder) if (found := _read(folder, name))]
    chain: list[Certificate] = []
    while at != wanted:
        following = [one for one in issued if set(one.bound.applied) == at and one.pending and _to(one) <= wanted]
        if not following:
            return ()
        chain.append(max(following, key=lambda one: (_to(one) == wanted, one.certificate)))
        at = _to(chain[-1])
    if len(chain) < 2:
        return chain[0].moves if chain else ()
    return tuple(Moved(table=name, to=(to,)) for name in old.tables if (to := _follow(name, chain)))


def _follow(table: str, chain: list[Certificate]) -> str:
    """Return the only table that holds a table's rows after these releases, or an empty string."""
    for release in chain:
        to = next((move.to for move in release.moves if move.table == table), ())
        if len(to) != 1:
            return ""
        table = to[0]
    return table


def _to(found: Certificate) -> set[str]:
    """Return the migrations that are applied after a release."""
    return set(found.bound.applied) | {name for name, _ in found.pending}


def _names(folder: Path) -> list[str]:
    return sorted(file.stem for file in (folder / "certificates").glob("*.json"))


def _read(folder: Path, name: str) -> Certificate | None:
    try:
        return certificate.read(folder, name)
    except Refused:
        return None

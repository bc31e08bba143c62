"""Where releases took tables since a backup, as their certificates say: one release, or several after each other."""

from __future__ import annotations

from pathlib import Path

from ops.core.errors import Refused
from ops.release import certificate
from ops.release.certificate import Certificate, Moved
from ops.verdict.fingerprint import Fingerprint


def moves_between(folder: Path, old: Fingerprint, new: Fingerprint) -> tuple[Moved, ...]:
    """Where each table of ``old`` is in ``new``; empty where the certificates in a target's folder do not tell.

    With one release in between its comparisons come along; with several only the tables' names do.
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
    """The one table that holds a table's rows after all of these releases; empty where there is not one."""
    for release in chain:
        to = next((move.to for move in release.moves if move.table == table), ())
        if len(to) != 1:
            return ""
        table = to[0]
    return table


def _to(found: Certificate) -> set[str]:
    """The migrations that are there after a release."""
    return set(found.bound.applied) | {name for name, _ in found.pending}


def _names(folder: Path) -> list[str]:
    return sorted(file.stem for file in (folder / "certificates").glob("*.json"))


def _read(folder: Path, name: str) -> Certificate | None:
    try:
        return certificate.read(folder, name)
    except Refused:
        return None

"""Compare declarations of objects other than tables: large objects, sequences, grants, policies and triggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ops.verdict.expect.limits import Amount, Limit, total
from ops.verdict.model import ObjectVerdict


class Entry(Protocol):
    """Define a declaration (``ops.verdict.expect.expectations.Expectation``)."""

    @property
    def migration(self) -> str:
        """Return the migration."""

    @property
    def object(self) -> str:
        """Return the object."""

    @property
    def amounts(self) -> Mapping[str, Amount]:
        """Return the highest amount of each kind."""

    def limit(self, kind: str) -> Limit:
        """Return the limit of one kind."""

    @property
    def where(self) -> str:
        """Return file and line."""


def limits(entries: Sequence[Entry], name: str) -> dict[str, Limit]:
    """Return how much of an object may be lost or changed as declared."""
    mine = [entry for entry in entries if entry.object == name]
    return {kind: total(entry.limit(kind) for entry in mine) for kind in ("lost", "changed")}


def declare_objects(
    objects: Sequence[ObjectVerdict], entries: Sequence[Entry]
) -> tuple[list[ObjectVerdict], list[str]]:
    """Compare declarations with the verdict on objects. Mark covered changes as ``declared``.

    Returns:
        The verdict without the declared changes, and a sentence for each declaration that does not match.
    """
    left, said = [], []
    for one in objects:
        rest, mine = replace(one), [entry for entry in entries if one.declarable and entry.object == one.what]
        allowed = limits(mine, one.what)
        for kind in ("lost", "changed"):
            found = getattr(one, kind)
            most = allowed[kind].of(max(one.before, found))
            if found and found <= most:
                setattr(rest, kind, 0)
            elif found and most:
                where = ", ".join(entry.where for entry in mine)
                too_many = f"{found:,} {kind}, at most {most:,} are declared: {found - most:,} too many"
                said.append(f"{where}: {one.what}: {too_many}")
        if mine and not rest.lost and not rest.changed:
            one.verdict = rest.verdict = "declared"
        left.append(rest)
    known = {one.what: one for one in objects if one.declarable}
    for entry in entries:
        found = known.get(entry.object)
        idle = [kind for kind in entry.amounts if not getattr(found, kind, 0) and not entry.limit(kind).lasting]
        if idle:
            head = f"{entry.where}: {entry.migration} declares {entry.object}"
            said.append(f"{head} as {' and '.join(idle)}, but that did not happen")
    return left, said

"""A release as data: a database, what its migration does to it, and what the verdict has to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.releases.school import SCHOOL

Operation = Mapping[str, object]


@dataclass(frozen=True)
class Case:
    """One release.

    Attributes:
        name: unique, a few words.
        migration: SQL, run by psql, each statement in a transaction of its own.
        promote: whether nothing is lost or changed.
        why: what makes the expectation right.
        numbers: for a refused release, what is told of each table; a table without an entry has nothing lost or
            changed. ``"lost 3"`` and ``"changed 3"`` are rows, ``"title 3"`` is three values (or links) lost in the
            column ``title``; ``,`` joins them, `` or `` separates what is equally right; ``"nothing"`` is nothing.
            None where only the refusal is certain.
        went: for a promoted release, where a table (``a``: ``b``) or column (``a.x``: ``b.y`` or ``a.y``) is now.
        plan: the pending operations as Django names them; None where they are not known. A plan without an ``opaque``
            operation (RunPython, RunSQL) cannot have copied anything.
        schema: SQL of the old database.
        debatable: reported, not failed.
    """

    name: str
    migration: str
    promote: bool
    why: str
    numbers: Mapping[str, str] | None = None
    went: Mapping[str, str] = field(default_factory=dict)
    plan: Sequence[Operation] | None = None
    schema: str = SCHOOL
    debatable: bool = False


def fine(
    name: str,
    migration: str,
    why: str,
    *,
    went: Mapping[str, str] | None = None,
    plan: Sequence[Operation] | None = None,
    schema: str = SCHOOL,
    debatable: bool = False,
) -> Case:
    """A release that has to be promoted."""
    return Case(name, migration, True, why, None, went or {}, plan, schema, debatable)


def bad(
    name: str,
    migration: str,
    why: str,
    numbers: Mapping[str, str] | None,
    *,
    plan: Sequence[Operation] | None = None,
    schema: str = SCHOOL,
    debatable: bool = False,
) -> Case:
    """A release that has to be refused."""
    return Case(name, migration, False, why, numbers, {}, plan, schema, debatable)


def op(kind: str, table: str = "", column: str = "", **more: object) -> Operation:
    """One operation of a plan. ``new_table``, ``new_column`` for renames; ``code`` of what is opaque."""
    opaque = kind in ("RunPython", "RunSQL")
    return {"kind": kind, "table": table, "new_table": "", "column": column, "new_column": "", "opaque": opaque,
            "code": "", **more}  # fmt: skip


def either(count: int, *columns: str) -> str:
    """Rows that are still there with other content: told as lost, as changed, or as values of a column."""
    return " or ".join([f"lost {count}", f"changed {count}", *(f"{column} {count}" for column in columns)])


def altered(count: int, *columns: str) -> str:
    """Rows of a kept table with other content: told as changed, or as values of a column, but never as lost rows."""
    return " or ".join([f"changed {count}", *(f"{column} {count}" for column in columns)])

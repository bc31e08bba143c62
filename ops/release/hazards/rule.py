"""What a hazard is, and a rule that finds it: data and one small function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ops.application.operations import Application, Names, Operation
from ops.release.hazards.row_counts import Production

# stop: it can't succeed; loss: data would be lost unless something copies it; lock: felt by users; note: good to know.
Level = Literal["stop", "loss", "lock", "note"]
LEVELS: tuple[Level, ...] = ("stop", "loss", "lock", "note")


@dataclass(frozen=True)
class Hazard:
    """One thing that a pending migration would do: what, why that matters, and how to write it right.

    ``rows`` counts rows, values or links in production, exactly; None where there is nothing to count.
    """

    code: str
    level: Level
    migration: str
    operation: str
    table: str
    column: str
    rows: int | None
    what: str
    why: str
    how: str

    def data(self) -> dict[str, Any]:
        """As a line of ``--json``."""
        return {"event": "hazard", **vars(self)}

    @property
    def title(self) -> str:
        """Its first line: code, where, what."""
        where = f"{self.code} {self.migration}: " if self.migration else f"{self.code} "
        return where + self.what


@dataclass(frozen=True)
class Place:
    """One operation within the plan, seen from production: with the names that tables and columns have there."""

    operation: Operation
    names: Names
    app: Application
    production: Production
    earlier: tuple[Operation, ...]
    later: tuple[Operation, ...]
    gone: dict[str, Operation] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """The operation's table as it is called in production; empty where the plan has made it."""
        return self.names.table(self.operation.table) if self.operation.table else ""

    @property
    def rows(self) -> int:
        """Its rows in production."""
        return self.production.rows(self.table) if self.table else 0

    def column(self, name: str) -> str:
        """A column of that table as it is called in production; empty where the plan has made it."""
        return self.names.column(self.operation.table, name) if name and self.table else ""

    def readers(self, column: str = "", field_name: str = "") -> list[Operation]:
        """Earlier operations whose code names the operation's table (and a column of it), so that it may be read."""
        found = []
        for earlier in self.earlier:
            names = [self.table, self.operation.table]
            names += [] if earlier.kind == "RunSQL" else [self.operation.model_name]
            named = any(earlier.says(name) for name in names if name)
            inner = not column or any(earlier.says(name) for name in {column, field_name} if name)
            if earlier.opaque and named and inner:
                found.append(earlier)
        return found

    def changers(self) -> list[Operation]:
        """Earlier operations after which the table's content may be another one than production's is now."""
        return [one for one in self.earlier if one.opaque and (one.kind != "RunSQL" or _reaches(one, self))]


def _reaches(statement: Operation, place: Place) -> bool:
    """Whether SQL may change a table: it names it, or calls what can't be seen."""
    named = any(statement.says(name) for name in (place.table, place.operation.table) if name)
    return named or bool(re.search(r"\b(do|execute|call|perform)\b", statement.code, re.IGNORECASE))


@dataclass(frozen=True)
class Found:
    """What a rule found: the numbers and names for its texts. ``unless`` are operations that may change it before."""

    values: dict[str, Any]
    rows: int | None = None
    table: str = ""
    column: str = ""
    unless: tuple[Operation, ...] = ()


Finder = Callable[[Any], Iterator[Found]]


@dataclass(frozen=True)
class Rule:
    """A rule: its code, level and texts. ``what`` and ``how`` are filled with what was found.

    ``find`` is asked of every operation (a ``Place``), or once of the ``Application`` where ``whole`` is true.
    """

    code: str
    level: Level
    what: str
    why: str
    how: str
    find: Finder
    whole: bool = False

    def hazards(self, place: Place | Application) -> Iterator[Hazard]:
        """The hazards that it sees in one operation, or in the plan as a whole."""
        operation = place.operation if isinstance(place, Place) else None
        for found in self.find(place):
            words = operation.words if operation else ""
            values = {"words": words, "rows": found.rows or 0, "table": found.table, **found.values}
            level, what = self.level, self.what.format(**values)
            if found.unless:
                first = found.unless[0]
                level = "note" if level == "stop" else level
                what += f". {first.kind} in {first.migration} runs before and may change that: the rehearsal will tell"
            yield Hazard(
                code=self.code,
                level=level,
                migration=operation.migration if operation else "",
                operation=words,
                table=found.table,
                column=found.column,
                rows=found.rows,
                what=what,
                why=self.why.format(**values),
                how=self.how.format(**values).strip("\n"),
            )


RULES: dict[str, Rule] = {}


def rule(code: str, level: Level, *, what: str, why: str, how: str, whole: bool = False) -> Callable[[Finder], Finder]:
    """Make a function that finds something a rule, under its code."""

    def make(find: Finder) -> Finder:
        if code in RULES:
            raise ValueError(f"{code} stands twice")
        RULES[code] = Rule(code, level, what, " ".join(why.split()), how, find, whole)
        return find

    return make

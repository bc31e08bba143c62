"""Define a hazard, and a rule that finds hazards: data and one small function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ops.application.operations import Application, Names, Operation
from ops.release.hazards.row_counts import Production

# stop: cannot succeed; loss: loses data unless an operation copies it; lock: users wait; note: for information.
Level = Literal["stop", "loss", "lock", "note"]
LEVELS: tuple[Level, ...] = ("stop", "loss", "lock", "note")


# Code that reads all columns of a row.
EVERY_COLUMN = re.compile(
    r"select\s+(?:distinct\s+)?\*|\w\.\*|\bvalues(?:_list)?\(\)|\bmodel_to_dict\b|\b_meta\b|__dict__|\bgetattr\(",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Hazard:
    """Hold one hazard: what is wrong, why, and how to correct the migration.

    ``rows`` is the exact number of rows, values or links in production, or None if nothing is counted.
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
        """Return the hazard as a line of ``--json``."""
        return {"event": "hazard", **vars(self)}

    @property
    def title(self) -> str:
        """Return the first line: code, migration, what is wrong."""
        where = f"{self.code} {self.migration}: " if self.migration else f"{self.code} "
        return where + self.what


@dataclass(frozen=True)
class Place:
    """Hold one operation of the plan, with the names that its tables and columns have in production."""

    operation: Operation
    names: Names
    app: Application
    production: Production
    earlier: tuple[Operation, ...]
    later: tuple[Operation, ...]
    gone: dict[str, Operation] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """Return the table's name in production, or an empty string if the plan creates the table."""
        return self.names.table(self.operation.table) if self.operation.table else ""

    @property
    def rows(self) -> int:
        """Count the table's rows in production."""
        return self.production.rows(self.table) if self.table else 0

    def column(self, name: str) -> str:
        """Return a column's name in production, or an empty string if the plan adds the column."""
        return self.names.column(self.operation.table, name) if name and self.table else ""

    def readers(self, column: str = "", field_name: str = "") -> list[Operation]:
        """Return the earlier operations whose code names the operation's table (and a column), so may read it.

        Code that selects all columns names each of them. A many-to-many table is named, too, by the model that Django
        makes for it, by the accessor of the other model, or by the field.
        """
        return [one for one in self.earlier if one.opaque and self._names(one, {column, field_name} - {""})]

    def _names(self, earlier: Operation, words: set[str]) -> bool:
        mine = self.operation
        tables, model = {self.table, mine.table} - {""}, "" if earlier.kind == "RunSQL" else mine.model_name
        if mine.before is not None and mine.before.many:
            tables |= {f"{model}_{mine.field}", f"{model}_set"} if model else set()
            return _says(earlier, tables) or bool(model) and earlier.says(model) and earlier.says(mine.field)
        named = _says(earlier, tables | ({model} - {""}))
        return named and (not words or _says(earlier, words) or bool(EVERY_COLUMN.search(earlier.code)))

    def changers(self) -> list[Operation]:
        """Return the earlier operations that may change the table's rows."""
        return [one for one in self.earlier if one.opaque and (one.kind != "RunSQL" or _reaches(one, self))]


def _says(operation: Operation, words: set[str]) -> bool:
    return any(operation.says(word) for word in words)


def _reaches(statement: Operation, place: Place) -> bool:
    """Return True if a statement may change a table: it names the table, or calls code that is not visible."""
    named = any(statement.says(name) for name in (place.table, place.operation.table) if name)
    return named or bool(re.search(r"\b(do|execute|call|perform)\b", statement.code, re.IGNORECASE))


@dataclass(frozen=True)
class Found:
    """Hold the values for a rule's texts. ``unless`` are the earlier operations that may change the result."""

    values: dict[str, Any]
    rows: int | None = None
    table: str = ""
    column: str = ""
    unless: tuple[Operation, ...] = ()


Finder = Callable[[Any], Iterator[Found]]


@dataclass(frozen=True)
class Rule:
    """Hold a rule's code, level and texts, which are formatted with the values of ``Found``.

    ``find`` is called with every operation (a ``Place``), or once with the ``Application`` if ``whole`` is true.
    """

    code: str
    level: Level
    what: str
    why: str
    how: str
    find: Finder
    whole: bool = False

    def hazards(self, place: Place | Application) -> Iterator[Hazard]:
        """Yield the hazards of one operation, or of the plan."""
        operation = place.operation if isinstance(place, Place) else None
        for found in self.find(place):
            words = operation.words if operation else ""
            values = {"words": words, "rows": found.rows or 0, "table": found.table, **found.values}
            level, what = self.level, self.what.format(**values)
            if found.unless:
                first = found.unless[0]
                level = "note" if level == "stop" else level
                what += f". {first.kind} in {first.migration} runs before and may correct that: see the rehearsal"
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
    """Register the decorated function as a rule under a code."""

    def make(find: Finder) -> Finder:
        if code in RULES:
            raise ValueError(f"{code} is defined twice")
        RULES[code] = Rule(code, level, what, " ".join(why.split()), how, find, whole)
        return find

    return make

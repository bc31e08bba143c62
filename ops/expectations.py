"""Declarations: ``migrations.expect.yaml`` says in advance what migrations may take away or change, and why.

It stands beside ``manage.py`` and is reviewed like code (docs/expectations.md). ``declare`` holds it against a verdict:
what happened and is declared, with at most the declared amount, is no loss; a declaration that nothing came of, or that
was exceeded, is refused just as an undeclared loss is. Pure: files are read, no server is asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from ops.errors import InventoryError
from ops.files import sha256
from ops.inventory_yaml import Node, nearest, read, shown, translated
from ops.verdict import ColumnVerdict, TableVerdict, Verdict

FILE = "migrations.expect.yaml"
KINDS = ("lost", "changed", "duplicated")
EXAMPLE = '- {table: lessons_note, lost: 120, why: "moved to the wiki, agreed with Anna"}'
_MIGRATION = re.compile(r"[A-Za-z_]\w*\.\w+")
_IDENTIFIER = re.compile(r'"((?:[^"]|"")+)"|([^".\s](?:[^".]*[^".\s])?)')

Amounts = dict[str, int]


def _filled(value: object) -> object:
    if isinstance(value, str) and not re.search(r"\w", value):
        raise PydanticCustomError("inventory", "{text}", {"text": "is empty", "hint": 'why: "who agreed, and why"'})
    return value


def _name(value: object) -> object:
    if isinstance(value, str) and parts(value) is None:
        raise PydanticCustomError(
            "inventory", "{text}", {"text": "is not a table's name", "hint": "table: lessons_note   or   schema.table"}
        )
    return value


Amount = Annotated[int, Field(strict=True, ge=1)]


class _Entry(BaseModel):
    """One entry as it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    table: Annotated[str, BeforeValidator(_name)]
    column: Annotated[str, Field(min_length=1)] | None = None
    lost: Amount | None = None
    changed: Amount | None = None
    duplicated: Amount | None = None
    why: Annotated[str, BeforeValidator(_filled)]


@dataclass(frozen=True)
class Expectation:
    """What one migration may do to one table, or to one of its columns.

    ``amounts`` maps ``lost``, ``changed`` and ``duplicated`` to the number of rows (of a column: values) at most,
    ``where`` is file and line.
    """

    migration: str
    table: tuple[str, str]
    column: str
    amounts: Mapping[str, int]
    why: str
    where: str

    @property
    def what(self) -> str:
        """The table or column, as it is called in texts."""
        return named(self.table) + (f".{self.column}" if self.column else "")


@dataclass(frozen=True)
class Expectations:
    """All declarations of an application. ``digest`` is the file's sha256; empty where there is no file."""

    entries: tuple[Expectation, ...] = ()
    digest: str = ""
    file: str = FILE


def parts(name: str) -> tuple[str, str] | None:
    """Schema and table of a name as SQL or a person writes it; ``public`` where no schema is named; None if neither."""
    found, at = [], 0
    while match := _IDENTIFIER.match(name, at):
        found.append(match[1].replace('""', '"') if match[1] else match[2])
        at = match.end()
        if at == len(name):
            break
        if name[at] != ".":
            return None
        at += 1
    if at != len(name) or name.endswith(".") or not 1 <= len(found) <= 2:
        return None
    return (found[0], found[1]) if len(found) == 2 else ("public", found[0])


def named(table: tuple[str, str]) -> str:
    """A table's name as people read it, and as the file takes it back."""
    return ".".join(
        part if "." not in part and '"' not in part else '"' + part.replace('"', '""') + '"' for part in table
    )


def places(app: Path, manage: Sequence[str]) -> list[Path]:
    """Where the file may stand: in the application's folder, or beside the ``manage.py`` that its words name.

    Args:
        app: ``app.dir``, absolute.
        manage: ``app.manage``.
    """
    return list(dict.fromkeys((app / name).resolve() for name in names(manage)))


def names(manage: Sequence[str]) -> list[str]:
    """The same places as names in the application's folder, wherever that is."""
    scripts = [PurePosixPath(word) for word in manage if word.endswith(".py")]
    return list(dict.fromkeys([FILE, *(str(script.parent / FILE) for script in scripts[:1])]))


def find(app: Path, manage: Sequence[str]) -> Path | None:
    """The application's file, where it has one."""
    return next((path for path in places(app, manage) if path.exists()), None)


def load(path: Path | None, shown_as: str = "") -> Expectations:
    """Read the declarations; none where there is no file.

    Raises:
        InventoryError: the file is wrong; with file, line and what to write instead.
    """
    if path is None:
        return Expectations()
    try:
        root = read(path)
    except InventoryError as error:
        if "OPS_INVENTORY" in error.hint:
            error.hint = f"a readable {FILE}, or none"
        raise
    root = _renamed(root, shown_as or str(path))
    found = []
    for migration, node in root.mapping("the file", f"lessons.0007_drop_notes:\n  {EXAMPLE}").items():
        if not _MIGRATION.fullmatch(migration):
            raise node.wrong(f"{shown(migration)} is not a migration's name", "write app.name: lessons.0007_drop_notes")
        if not isinstance(node.value, tuple) or not node.value:
            raise node.wrong(f"{migration}: should be a list of tables and columns", EXAMPLE)
        found += [_entry(migration, item) for item in node.value]
    _check_twins(found)
    return Expectations(tuple(found), sha256(path), root.file)


def _renamed(node: Node, file: str) -> Node:
    """The same values, whose errors call the file as the person knows it."""
    if isinstance(node.value, dict):
        return Node({key: _renamed(value, file) for key, value in node.value.items()}, node.line, file)
    if isinstance(node.value, tuple):
        return Node(tuple(_renamed(value, file) for value in node.value), node.line, file)
    return Node(node.value, node.line, file)


def _entry(migration: str, node: Node) -> Expectation:
    found = node.mapping(f"{migration}: an entry", EXAMPLE)
    try:
        entry = _Entry.model_validate(node.plain() or {})
    except ValidationError as error:
        raise translated(error, migration, node, found, _hint) from None
    amounts = {kind: amount for kind in KINDS if (amount := getattr(entry, kind)) is not None}
    if not amounts:
        raise node.wrong(f"{migration}: an entry says no amount", "lost: 120   or   changed: 120   (at most so many)")
    if entry.column and entry.duplicated:
        raise found["duplicated"].wrong(f"{migration}: `duplicated` counts rows", "leave `column:` out")
    table = parts(entry.table)
    assert table is not None
    return Expectation(migration, table, entry.column or "", amounts, entry.why.strip(), f"{node.file}:{node.line}")


def _hint(path: Sequence[str | int], problem: str) -> str:
    key = str(path[0])
    if problem == "extra_forbidden":
        guess = nearest(key, _Entry.model_fields)
        return f"write `{guess}:`" if guess else f"known keys: {', '.join(_Entry.model_fields)}"
    return {"table": "table: lessons_note", "column": "column: price", "why": 'why: "who agreed, and why"'}.get(
        key, f"{key}: 120   (a whole number of at least 1; nothing is declared by leaving it out)"
    )


def _check_twins(entries: Sequence[Expectation]) -> None:
    seen: dict[tuple[object, ...], str] = {}
    for entry in entries:
        for kind in entry.amounts:
            key = (entry.migration, entry.table, entry.column, kind)
            if key in seen:
                raise InventoryError(
                    f"{entry.where}: {entry.migration}: `{kind}` of {entry.what} stands twice, first in {seen[key]}",
                    "keep one of the two",
                )
            seen[key] = entry.where


# --- matching --------------------------------------------------------------------------------------------------------


@dataclass
class Allowed:
    """How much a table may lose or change, as declared and as it happened: rows, and values by column."""

    rows: Amounts = field(default_factory=dict)
    columns: dict[str, Amounts] = field(default_factory=dict)


@dataclass
class Declared:
    """What the declarations make of a verdict.

    ``objections`` say where they do not match what happened, ``warnings`` what looks like a slip, ``left`` is the
    verdict without what is declared (ask it whether it is refused), ``allowed`` maps a table of the verdict to what
    production may lose or change there, too.
    """

    objections: list[str]
    warnings: list[str]
    left: Verdict
    allowed: dict[str, Allowed]


def declare(verdict: Verdict, expectations: Expectations, pending: Sequence[str], known: Collection[str]) -> Declared:
    """Hold the declarations of the pending migrations against what happened; mark what they cover as ``declared``.

    Args:
        verdict: what became of every table; its covered tables and columns become ``declared``, with their counts.
        expectations: the application's file.
        pending: the migrations that were rehearsed; declarations of others are of earlier releases, and ignored.
        known: all migrations that there are, applied or pending.
    """
    warnings = [_unknown(entry, known) for entry in expectations.entries if entry.migration not in {*known, *pending}]
    entries = [entry for entry in expectations.entries if entry.migration in pending]
    by_table: dict[tuple[str, str], list[Expectation]] = {}
    for entry in entries:
        by_table.setdefault(entry.table, []).append(entry)
    tables = {parts(table.table) or ("", table.table): table for table in verdict.tables}
    objections = [said for entry in entries if (said := _unmatched(entry, tables))]
    left, allowed = [], {}
    for name, table in tables.items():
        rest, exceeded = _cover(table, by_table.get(name, []))
        objections += exceeded
        left.append(rest)
        if by_table.get(name):
            allowed[table.table] = _allowed(by_table[name])
    return Declared(objections, list(dict.fromkeys(warnings)), Verdict(left), allowed)


def _unknown(entry: Expectation, known: Collection[str]) -> str:
    guess = nearest(entry.migration, known)
    meant = f"; {guess} is meant?" if guess else ""
    return f"{entry.where}: there is no migration {entry.migration}{meant}"


def amount(thing: TableVerdict | ColumnVerdict, kind: str) -> int:
    """How many rows or values of a table or column were lost, changed, duplicated."""
    return int(getattr(thing, kind, 0))


def _total(entries: Sequence[Expectation]) -> Amounts:
    return {kind: sum(entry.amounts.get(kind, 0) for entry in entries) for kind in KINDS}


def _allowed(entries: Sequence[Expectation]) -> Allowed:
    columns = {entry.column: _total([e for e in entries if e.column == entry.column]) for entry in entries}
    return Allowed(columns.pop("", {}), columns)


def _cover(table: TableVerdict, entries: Sequence[Expectation]) -> tuple[TableVerdict, list[str]]:
    """The table without what is declared, and what was exceeded."""
    allowed, objections = _allowed(entries), []
    rest = replace(table, columns=list(table.columns))
    for kind in KINDS:
        found = amount(table, kind)
        if found and (most := allowed.rows.get(kind, 0)):
            if found <= most:
                _clear(rest, kind)
            else:
                objections.append(_exceeded(table.table, kind, "rows", found, most, entries, ""))
    for number, column in enumerate(table.columns):
        rest.columns[number] = _cover_column(table, column, allowed, objections, entries)
    if amount(rest, "changed") and _explained(table, rest):
        _clear(rest, "changed")
    if entries:
        _mark(table, rest)
    return rest, objections


def _cover_column(
    table: TableVerdict, column: ColumnVerdict, allowed: Allowed, objections: list[str], entries: Sequence[Expectation]
) -> ColumnVerdict:
    rest = replace(column)
    for kind in ("lost", "changed"):
        found = amount(column, kind)
        most = allowed.columns.get(column.column, {}).get(kind, 0)
        # Rows that may have other content may have it in any column.
        by_row = kind == "changed" and 0 < amount(table, "changed") <= allowed.rows.get("changed", 0)
        if found and (by_row or found <= most):
            _clear(rest, kind)
        elif found and most:
            what = f"{table.table}.{column.column}"
            objections.append(_exceeded(what, kind, "values", found, most, entries, column.column))
    if amount(column, "lost") + amount(column, "changed") and not amount(rest, "lost") + amount(rest, "changed"):
        column.verdict = rest.verdict = "declared"
    return rest


def _explained(table: TableVerdict, rest: TableVerdict) -> bool:
    """Whether all rows with other content are those of declared columns: no row differs that no column accounts for."""
    values = sum(amount(column, "changed") for column in table.columns)
    return not any(amount(column, "changed") for column in rest.columns) and amount(table, "changed") <= values


def _clear(thing: Any, kind: str) -> None:
    setattr(thing, kind, 0)


def _mark(table: TableVerdict, rest: TableVerdict) -> None:
    """Say of a table whether all of what happened to it is declared, and of the rest what it still is."""
    if not _amounts(table):
        return
    left = _amounts(rest)
    if not left:
        table.verdict = rest.verdict = "declared"
    elif not rest.lost and not sum(column.lost for column in rest.columns):
        rest.verdict = "changed"


def _amounts(table: TableVerdict) -> int:
    things: list[TableVerdict | ColumnVerdict] = [table, *table.columns]
    return sum(amount(thing, kind) for thing in things for kind in KINDS)


def _exceeded(
    what: str, kind: str, unit: str, found: int, most: int, entries: Sequence[Expectation], column: str
) -> str:
    where = ", ".join(entry.where for entry in entries if entry.column == column and kind in entry.amounts)
    return f"{where}: {what}: {found:,} {unit} {kind}, at most {most:,} are declared: {found - most:,} too many"


def _unmatched(entry: Expectation, tables: Mapping[tuple[str, str], TableVerdict]) -> str:
    """What a declaration claims and did not happen; empty where all of it did."""
    table = tables.get(entry.table)
    head = f"{entry.where}: {entry.migration} declares {entry.what}"
    if table is None:
        guess = nearest(named(entry.table), [named(name) for name in tables])
        return f"{head}, but production has no such table" + (f"; {guess} is meant?" if guess else "")
    if not entry.column:
        missing = [kind for kind in entry.amounts if not amount(table, kind) and not _gone(table, kind)]
        return f"{head}: {' and '.join(missing)}, but nothing of it was{_where_now(table)}" if missing else ""
    column = next((column for column in table.columns if column.column == entry.column), None)
    if column is None:
        rows = amount(table, "changed")
        more = f" ({rows:,} rows of the table changed)" if rows else ""
        return f"{head}, but nothing happened to that column{more}"
    missing = [kind for kind in entry.amounts if not amount(column, kind) and not _gone(column, kind)]
    return f"{head}: {' and '.join(missing)}, but nothing of it was" if missing else ""


def _gone(thing: TableVerdict | ColumnVerdict, kind: str) -> bool:
    """Whether it went as declared and happened to hold nothing."""
    return kind == "lost" and thing.verdict == "removed"


def _where_now(table: TableVerdict) -> str:
    return f": all rows are in {table.to}" if table.to and not table.lost else ""

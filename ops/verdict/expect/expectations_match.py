"""Compare declarations with a verdict: what they cover, what exceeds them, and what did not happen. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ops.core.yaml_lines import nearest
from ops.verdict.expect.expectations import DIFFERS, KINDS, Expectation, Expectations, named, parts
from ops.verdict.expect.expectations_objects import declare_objects, limits
from ops.verdict.expect.limits import NOTHING, Allowed, Limit, total
from ops.verdict.model import ColumnVerdict, TableVerdict, Verdict


@dataclass
class Declared:
    """Hold the result of comparing declarations with a verdict.

    ``objections``: sentences about declarations that do not match. ``warnings``: sentences about likely mistakes.
    ``left``: the verdict without the declared losses; it decides the refusal. ``allowed``, ``objects``: the limits for
    production by table and by object.
    """

    objections: list[str]
    warnings: list[str]
    left: Verdict
    allowed: dict[str, Allowed]
    objects: dict[str, dict[str, Limit]] = field(default_factory=dict)


def declare(verdict: Verdict, expectations: Expectations, pending: Sequence[str], known: Collection[str]) -> Declared:
    """Compare the declarations of the pending migrations with a verdict. Mark covered losses as ``declared``.

    Args:
        verdict: the verdict on every table. Covered tables and columns become ``declared`` and keep their counts.
        expectations: the application's declarations.
        pending: the rehearsed migrations. Declarations of other migrations are ignored.
        known: all applied and pending migrations.
    """
    warnings = [_unknown(entry, known) for entry in expectations.entries if entry.migration not in {*known, *pending}]
    entries = [entry for entry in expectations.entries if entry.migration in pending and not entry.object]
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
    objects = [entry for entry in expectations.entries if entry.migration in pending and entry.object]
    beside, wrong = declare_objects(verdict.objects, objects)
    # Changes of other objects were no reason for a refusal, so production may have the same changes.
    may = {one.what: {kind: Limit(count=getattr(one, kind)) for kind in ("lost", "changed")} for one in verdict.objects}
    may |= {name: limits(objects, name) for name in {entry.object for entry in objects}}
    return Declared(
        [*objections, *wrong],
        list(dict.fromkeys(warnings)),
        Verdict(left, objects=beside, remarks=verdict.remarks),
        allowed,
        may,
    )


def _unknown(entry: Expectation, known: Collection[str]) -> str:
    guess = nearest(entry.migration, known)
    meant = f"; do you mean {guess}?" if guess else ""
    return f"{entry.where}: there is no migration {entry.migration}{meant}"


def amount(thing: TableVerdict | ColumnVerdict, kind: str) -> int:
    """Return how many rows or values of a table or column were lost, changed or duplicated."""
    return int(getattr(thing, kind, 0))


def _total(entries: Sequence[Expectation]) -> dict[str, Limit]:
    return {kind: total(entry.limit(kind) for entry in entries) for kind in (*KINDS, DIFFERS)}


def _allowed(entries: Sequence[Expectation]) -> Allowed:
    columns = {entry.column: _total([e for e in entries if e.column == entry.column]) for entry in entries}
    return Allowed(columns.pop("", {}), columns)


def _cover(table: TableVerdict, entries: Sequence[Expectation]) -> tuple[TableVerdict, list[str]]:
    """Return the table without the declared losses, and a sentence for each exceeded declaration."""
    allowed, objections = _allowed(entries), []
    rest = replace(table, columns=list(table.columns))
    for kind in KINDS:
        found = amount(table, kind)
        if found and (most := allowed.rows.get(kind, NOTHING)):
            if found <= most.of(table.rows_before):
                _clear(rest, kind)
            else:
                objections.append(_exceeded(table, "", kind, found, most, entries))
    for number, column in enumerate(table.columns):
        rest.columns[number] = _cover_column(table, column, allowed, objections, entries)
    left = [amount(column, "changed") for column in rest.columns if amount(column, "changed")]
    if amount(rest, "changed") and _explained(table):
        # How many rows those are of which a part is declared is known of one column only.
        rest.changed = left[0] if len(left) == 1 else 0 if sum(left) < table.changed_values else rest.changed
    if sum(left) < table.changed_values:
        # The keys are those of rows of which the declared values may be all that differs.
        rest.sample = []
    if entries:
        _mark(table, rest)
    return rest, objections


def _cover_column(
    table: TableVerdict, column: ColumnVerdict, allowed: Allowed, objections: list[str], entries: Sequence[Expectation]
) -> ColumnVerdict:
    rest = replace(column)
    for kind in ("lost", "changed"):
        found = amount(column, kind)
        most = allowed.columns.get(column.column, {}).get(kind, NOTHING)
        # A declaration of changed rows allows changes in any column of these rows.
        rows = allowed.rows.get("changed", NOTHING).of(table.rows_before)
        by_row = kind == "changed" and 0 < amount(table, "changed") <= rows
        if found and (by_row or found <= most.of(table.rows_before)):
            _clear(rest, kind)
        elif found and most:
            objections.append(_exceeded(table, column.column, kind, found, most, entries))
    if amount(column, "lost") + amount(column, "changed") and not amount(rest, "lost") + amount(rest, "changed"):
        column.verdict = rest.verdict = "declared"
    return rest


def _explained(table: TableVerdict) -> bool:
    """Return True if the columns account for all changed rows."""
    return amount(table, "changed") <= table.changed_values


def _clear(thing: Any, kind: str) -> None:
    setattr(thing, kind, 0)


def _mark(table: TableVerdict, rest: TableVerdict) -> None:
    """Set the verdict of a table and of its rest after the declared losses are removed."""
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
    table: TableVerdict, column: str, kind: str, found: int, most: Limit, entries: Sequence[Expectation]
) -> str:
    where = ", ".join(entry.where for entry in entries if entry.column == column and kind in entry.amounts)
    what, unit = (f"{table.table}.{column}", "values") if column else (table.table, "rows")
    allowed = most.of(table.rows_before)
    share = f" ({most} of {table.rows_before:,})" if most.per_cent else ""
    return (
        f"{where}: {what}: {found:,} {unit} {kind}, at most {allowed:,} are declared{share}: {found - allowed:,} "
        "too many"
    )


def _unmatched(entry: Expectation, tables: Mapping[tuple[str, str], TableVerdict]) -> str:
    """Return a sentence if something declared did not happen, or an empty string."""
    table = tables.get(entry.table)
    head = f"{entry.where}: {entry.migration} declares {entry.what}"
    if table is None:
        guess = nearest(named(entry.table), [named(name) for name in tables])
        return f"{head}, but production has no such table" + (f"; do you mean {guess}?" if guess else "")
    if not entry.column:
        missing = _missing(entry, table)
        return f"{head} as {' and '.join(missing)}, but that did not happen{_where_now(table)}" if missing else ""
    column = next((column for column in table.columns if column.column == entry.column), None)
    counted = [kind for kind in entry.amounts if not entry.limit(kind).lasting]
    # For a new table, only `differs` can be declared.
    if column is None and (not counted or (table.verdict == "added" and counted == [DIFFERS])):
        return ""
    if column is None:
        rows = amount(table, "changed")
        more = f" ({rows:,} rows of the table changed)" if rows else ""
        return f"{head}, but that column did not change{more}"
    missing = _missing(entry, column)
    return f"{head} as {' and '.join(missing)}, but that did not happen" if missing else ""


def _missing(entry: Expectation, thing: TableVerdict | ColumnVerdict) -> list[str]:
    """Return the kinds with a declared count that did not happen. A share, or all, may be zero."""
    kinds = [kind for kind in entry.amounts if kind != DIFFERS and not amount(thing, kind) and not _gone(thing, kind)]
    return [kind for kind in kinds if not entry.limit(kind).lasting]


def _gone(thing: TableVerdict | ColumnVerdict, kind: str) -> bool:
    """Return True if a table or column was dropped as declared and was empty."""
    return kind == "lost" and thing.verdict == "removed"


def _where_now(table: TableVerdict) -> str:
    return f": all rows are in {table.to}" if table.to and not table.lost else ""

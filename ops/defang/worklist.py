"""The worklist of a defang: tables to empty, columns to mask, entries that do not fit, unclassified columns.

Pure: it is made from the inventory's ``defang`` and a catalog. The script, the proof and the gate use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ops.core.sql_names import Name, sql, written
from ops.core.yaml_lines import nearest
from ops.defang.catalog import Catalog, Column, Table
from ops.defang.masks import MASKS
from ops.defang.patterns import Suspect, suspects
from ops.defang.rules import RULES, Part
from ops.inventory.defang import Defang


@dataclass(frozen=True)
class TableToEmpty:
    """A table whose rows are deleted. ``by``: the rule, or the table's name."""

    table: Table
    by: str


@dataclass(frozen=True)
class ColumnToMask:
    """A column to mask.

    ``value`` is the SQL expression of the masked value. ``counted`` is the condition for a value to mask, ``undone``
    the condition for a value that is not masked. ``by``: the rule, or the column's name.
    """

    table: Table
    name: Name
    value: str
    counted: str
    undone: str
    by: str


@dataclass(frozen=True)
class Objection:
    """An entry of the inventory that does not fit the tables. ``key`` and ``name`` locate the entry."""

    key: str
    name: str
    why: str


@dataclass
class Worklist:
    """The complete worklist."""

    emptied: dict[Name, TableToEmpty] = field(default_factory=dict)
    masked: dict[Name, ColumnToMask] = field(default_factory=dict)
    objections: list[Objection] = field(default_factory=list)
    unclassified: list[Suspect] = field(default_factory=list)

    def columns(self) -> Iterator[tuple[Table, list[ColumnToMask]]]:
        """Yield each table that has columns to mask, with all of these columns."""
        by_table: dict[Name, list[ColumnToMask]] = {}
        for one in self.masked.values():
            by_table.setdefault(one.table.name, []).append(one)
        yield from ((ones[0].table, ones) for ones in by_table.values())


def make_worklist(defang: Defang, catalog: Catalog) -> Worklist:
    """Apply the inventory's ``defang`` to the tables of a catalog.

    ``keep`` also exempts tables and columns from the rules. A mask of the operator takes precedence over a rule.
    """
    found, kept = Worklist(), set(defang.names("keep"))
    columns = {name: (table, column) for table in catalog.values() for name, column in table.names.items()}
    _clear(found, defang, catalog)
    _masks(found, defang, columns)
    for rule in defang.rules:
        for part in RULES[rule].parts:
            for table in part.tables(catalog):
                if table.name not in kept:
                    _rule(found, rule, part, table, kept)
    known = [*catalog, *columns]
    found.objections += [
        _unknown("keep", name, known) for name in sorted(kept) if name not in catalog and name not in columns
    ]
    for suspect in suspects(catalog):
        whole = suspect.name[:2]
        if whole not in found.emptied and suspect.name not in found.masked and not kept & {suspect.name, whole}:
            found.unclassified.append(suspect)
    return found


def _unknown(key: str, name: Name, known: list[Name]) -> Objection:
    close = nearest(written(name), [written(one) for one in known if len(one) == len(name)])
    what = "column" if len(name) == 3 else "table"
    return Objection(key, written(name), f"the {what} does not exist" + (f"; {close} exists" if close else ""))


def _clear(found: Worklist, defang: Defang, catalog: Catalog) -> None:
    for name in defang.names("clear"):
        if name in catalog:
            found.emptied[name] = TableToEmpty(catalog[name], written(name))
        else:
            found.objections.append(_unknown("clear", name, list(catalog)))


def _masks(found: Worklist, defang: Defang, columns: dict[Name, tuple[Table, Column]]) -> None:
    for name, mask in defang.masks.items():
        if name not in columns:
            found.objections.append(_unknown("mask", name, list(columns)))
            continue
        table, column = columns[name]
        if why := MASKS[mask].refuses(column):
            found.objections.append(Objection("mask", written(name), f"`{mask}` does not fit: {why}"))
        else:
            found.masked[name] = _masked(table, column, mask, written(name))


def _masked(table: Table, column: Column, mask: str, by: str) -> ColumnToMask:
    one, quoted = MASKS[mask], sql((column.name,))
    value, counted, undone = one.expression(column, quoted), one.counted(column, quoted), one.undone(column, quoted)
    return ColumnToMask(table, (*table.name, column.name), value, counted, undone, by)


def _rule(found: Worklist, rule: str, part: Part, table: Table, kept: set[Name]) -> None:
    if not part.column:
        found.emptied.setdefault(table.name, TableToEmpty(table, rule))
        return
    for column in part.columns(table):
        name = (*table.name, column.name)
        if name in found.masked or name in kept:
            continue
        if part.value:
            given = {"v": sql((column.name,)), "table": sql(table.name)}
            value, undone = part.value.format(**given), part.undone.format(**given)
            found.masked[name] = ColumnToMask(table, name, value, undone, undone, rule)
        elif mask := part.mask(column):
            found.masked[name] = _masked(table, column, mask, rule)
        elif table.name not in found.emptied:
            why = f"no mask fits {written(name)}: clear its table, or keep it"
            found.objections.append(Objection("rules", rule, why))

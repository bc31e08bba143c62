"""What a defang does to the tables that are there: what is emptied and masked, what does not fit, what is unclassified.

Pure: it is made of the inventory's key and of a catalog, for the script, for the proof and for the gate alike.
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
    """A table whose rows go. ``by``: the rule, or the table's own name."""

    table: Table
    by: str


@dataclass(frozen=True)
class ColumnToMask:
    """A column whose values change, as SQL: what they become, whether there is one to change, whether one is left.

    ``by``: the rule, or the column's own name.
    """

    table: Table
    name: Name
    value: str
    counted: str
    undone: str
    by: str


@dataclass(frozen=True)
class Objection:
    """What of the inventory does not fit the tables. ``key`` and ``name`` say where it stands."""

    key: str
    name: str
    why: str


@dataclass
class Worklist:
    """All of it."""

    emptied: dict[Name, TableToEmpty] = field(default_factory=dict)
    masked: dict[Name, ColumnToMask] = field(default_factory=dict)
    objections: list[Objection] = field(default_factory=list)
    unclassified: list[Suspect] = field(default_factory=list)

    def columns(self) -> Iterator[tuple[Table, list[ColumnToMask]]]:
        """The tables with masked columns, each with all of these."""
        by_table: dict[Name, list[ColumnToMask]] = {}
        for one in self.masked.values():
            by_table.setdefault(one.table.name, []).append(one)
        yield from ((ones[0].table, ones) for ones in by_table.values())


def make_worklist(defang: Defang, catalog: Catalog) -> Worklist:
    """Hold the inventory's key against the tables.

    What is kept is kept from the rules, too; a mask of the operator's own goes before that of a rule.
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
    return Objection(key, written(name), f"there is no such {what}" + (f"; {close} is there" if close else ""))


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

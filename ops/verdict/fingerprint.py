"""Read fingerprints, the result of ``fingerprint.sql``, and compare them.

A row's hash is ``hash_array_extended(ARRAY[record_send(ROW(…))], 0)``. A table's checksum is the sum of the hashes, so
it does not depend on the order of rows, and two equal rows count twice. The hash was chosen by measuring what weaker
hashes miss. ``ops/sql/table_rows.sql`` defines which types are read as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ops.core.errors import OpsError
from ops.core.text import counted, listed
from ops.verdict.moment import Moment, Replica


@dataclass(frozen=True)
class Column:
    """Hold a column with its type and the type as which it is read for the hash."""

    name: str
    type: str
    read_as: str


@dataclass(frozen=True)
class Table:
    """Hold a table: rows, checksum, columns, primary key, and the foreign keys of one column with their targets."""

    name: str
    rows: int
    checksum: int
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    links: dict[str, tuple[str, str]] = field(default_factory=dict, hash=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(column.name for column in self.columns)


@dataclass
class Fingerprint:
    """Hold the fingerprint of a database in one snapshot. Fields that an older file lacks are empty or None.

    ``sequences``: name to last value and step. ``cycling``: sequences that restart at their end.
    ``large_objects``: their number and checksum.
    ``objects``: kind and name of each object that a restore creates, to its state (``ops.backups.restored_objects``).
    ``materialized``: materialized view to whether it is filled.
    ``left_out``: what is not part of the fingerprint, to the reason.
    ``excluded``: tables whose rows are not in the backup, with their estimated rows. ``tables`` has them as empty
    tables, as a restore creates them. ``excluded_bytes``: their size.
    ``parts``: a table that several sessions read, to the numbers of its missing parts.
    ``schema``: a digest. ``schema_parts``: a hash of each part of the schema by kind and name.
    ``moment``: the moment of a backup. ``standby``: of a backup of a streaming replica.
    """

    tables: dict[str, Table] = field(default_factory=dict)
    sequences: dict[str, tuple[int, int]] = field(default_factory=dict)
    cycling: set[str] = field(default_factory=set)
    large_objects: tuple[int, int] | None = None
    objects: dict[tuple[str, str], str] = field(default_factory=dict)
    materialized: dict[str, bool] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    excluded: dict[str, int] = field(default_factory=dict)
    excluded_bytes: int = 0
    migrations: list[str] = field(default_factory=list)
    schema: str = ""
    schema_parts: dict[str, str] = field(default_factory=dict)
    parts: dict[str, set[int]] = field(default_factory=dict, compare=False)
    server: int = 0
    moment: Moment | None = None
    standby: Replica | None = None
    complete: bool = False

    @property
    def rows(self) -> int:
        """Return the number of rows of all tables."""
        return sum(table.rows for table in self.tables.values())

    def said_left_out(self) -> list[str]:
        """Return a sentence for each reason why something is not part of the fingerprint."""
        names: dict[str, list[str]] = {}
        for name, why in sorted(self.left_out.items()):
            names.setdefault(why, []).append(name)
        return [f"{why}: {listed(found)}" for why, found in sorted(names.items())]


def equal(one: Table | None, two: Table | None) -> bool:
    """Return True if two tables have equal rows, checksums and columns, or if both are None."""
    if one is None or two is None:
        return one is two
    return (one.rows, one.checksum, one.columns) == (two.rows, two.checksum, two.columns)


def not_backed_up(excluded: Mapping[str, int], *, ahead: bool = False) -> str:
    """Return text that lists the tables whose rows are not in a backup, or an empty string.

    Args:
        excluded: the tables with their estimated rows.
        ahead: the backup has not been made yet.
    """
    if not excluded:
        return ""
    named = [f"{name} (about {counted(rows, 'row')})" for name, rows in sorted(excluded.items())]
    word = "will not be" if ahead else "was not" if len(named) == 1 else "were not"
    return f"{counted(len(named), 'table')} {word} backed up: {listed(named)}"


def about_in(path: Path) -> dict[str, Any]:
    """Read the properties of the database (``about.sql``) from a fingerprint. An older file has none."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if '"about"' in line and isinstance(found := json.loads(line).get("about"), dict):
            return found
    return {}


def read(path: Path) -> Fingerprint:
    """Read a file that ``fingerprint.sql`` or ``dump.sql`` wrote.

    Raises:
        OpsError: the file is missing, damaged or truncated.
    """
    found = Fingerprint()
    try:
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line.strip():
                _add(found, json.loads(line))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OpsError(f"{path}: not a fingerprint ({type(error).__name__})", "inv backup") from None
    if not found.complete or any(found.parts.values()):
        raise OpsError(f"{path}: the fingerprint is truncated", "inv backup")
    return found


def _add(found: Fingerprint, line: dict[str, Any]) -> None:
    if "table" in line:
        columns = tuple(Column(*map(str, column)) for column in line["columns"])
        name = str(line["table"])
        key, links = line.get("key", []), line.get("links", {})
        table = Table(
            name,
            int(str(line["rows"])),
            int(str(line["checksum"])),
            columns,
            tuple(key),
            {column: (table, to) for column, (table, to) in links.items()},
        )
        found.tables[name] = _add_part(found, table, line) if "part" in line else table
    elif "sequence" in line:
        found.sequences[str(line["sequence"])] = (int(str(line["last"])), int(str(line["step"])))
        if line.get("cycle"):
            found.cycling.add(str(line["sequence"]))
    elif "large_objects" in line:
        found.large_objects = (int(str(line["large_objects"])), int(str(line["checksum"])))
    elif "object" in line:
        found.objects[str(line["object"]), str(line["name"])] = str(line["is"])
    elif "materialized" in line:
        found.materialized[str(line["materialized"])] = bool(line["filled"])
    elif "left_out" in line:
        found.left_out[str(line["left_out"])] = str(line["why"])
    elif "excluded" in line:
        found.excluded[str(line["excluded"])] = int(str(line["rows"]))
        found.excluded_bytes += int(str(line["bytes"]))
    elif "migration" in line:
        found.migrations.append(str(line["migration"]))
    elif "schema" in line:
        found.schema, found.schema_parts = str(line["schema"]), line.get("parts", {})
    elif "standby" in line:
        found.standby = Replica.model_validate(line["standby"])
    elif "moment" in line:
        found.moment = Moment.model_validate(line["moment"])
    elif "complete" in line:
        found.complete, found.server = True, int(str(line["server"]))


def _add_part(found: Fingerprint, table: Table, line: Mapping[str, object]) -> Table:
    """Add the rows and the checksum of one part of a table to those of the parts before it."""
    found.parts.setdefault(table.name, set(range(1, int(str(line["parts"])) + 1))).remove(int(str(line["part"])))
    if not (before := found.tables.get(table.name)):
        return table
    return replace(table, rows=before.rows + table.rows, checksum=before.checksum + table.checksum)


def differences(before: Fingerprint, after: Fingerprint) -> list[str]:
    """Return a sentence for each difference between a dumped database and its restored copy.

    Tables and large objects must be equal; hash partitions are compared together. A sequence must have the same or a
    later value, because sequences are not part of a snapshot. A sequence that cycles may have any value.
    """
    said = [f"{name} is missing" for name in sorted(before.tables.keys() - after.tables.keys())]
    said += [f"{name} did not exist before" for name in sorted(after.tables.keys() - before.tables.keys())]
    for name in sorted(before.tables.keys() & after.tables.keys() - _moved_between_partitions(before, after)):
        old, new = before.tables[name], after.tables[name]
        if old.rows != new.rows:
            said.append(f"{name} has {new.rows:,} rows instead of {old.rows:,}")
        elif old.checksum != new.checksum or old.columns != new.columns:
            said.append(f"{name} has other content")
    return said + _large_objects(before, after) + _materialized(before, after) + _sequences(before, after)


def _moved_between_partitions(before: Fingerprint, after: Fingerprint) -> set[str]:
    """Return the hash partitions that together have the same rows, but not each of them.

    A restore gives the labels of an enum new numbers, so rows hash into other partitions.
    """
    whole: dict[str, set[str]] = {}
    for (kind, name), root in before.objects.items():
        if kind == "spread":
            whole.setdefault(root, set()).add(name.removeprefix("table "))
    alike = [names for names in whole.values() if (one := _together(before, names)) and one == _together(after, names)]
    return {name for names in alike for name in names if not equal(before.tables.get(name), after.tables.get(name))}


def _together(found: Fingerprint, names: set[str]) -> tuple[int, int, set[tuple[Column, ...]]] | None:
    tables = [found.tables[name] for name in names if name in found.tables]
    alike = {one.columns for one in tables}
    return (sum(one.rows for one in tables), sum(one.checksum for one in tables), alike) if len(alike) == 1 else None


def _large_objects(before: Fingerprint, after: Fingerprint) -> list[str]:
    old, new = before.large_objects, after.large_objects or (0, 0)
    if old is None or old == new:
        return []
    if old[0] != new[0]:
        return [f"there are {new[0]:,} large objects instead of {old[0]:,}"]
    return ["the large objects have other content"]


def _materialized(before: Fingerprint, after: Fingerprint) -> list[str]:
    said = {None: "missing", True: "filled and was not before", False: "empty and was filled before"}
    now = after.materialized
    # These views are filled at the end of a restore, which reports its own failures (ops/backups/deferred_checks.py).
    later = {name for kind, name in before.objects if kind == "loose"}
    return [
        f"materialized view {name} is {said[now.get(name)]}"
        for name, filled in sorted(before.materialized.items())
        if now.get(name) is not filled and (name not in now or f"materialized view {name}" not in later)
    ]


def _sequences(before: Fingerprint, after: Fingerprint) -> list[str]:
    said = []
    for name, (last, step) in sorted(before.sequences.items()):
        there = after.sequences.get(name)
        if there is None:
            said.append(f"sequence {name} is missing")
        elif name not in before.cycling and (there[0] - last) * (1 if step > 0 else -1) < 0:
            said.append(f"sequence {name} is at {there[0]}, behind {last}")
    return said


RELATIONS = ("table ", "foreign table ", "view ", "materialized view ", "sequence ")


def schema_differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """List the missing, new and changed parts of a schema, a few words each.

    Parts of a missing or new table are not listed beside the table.

    Args:
        before, after: ``schema_parts`` of two fingerprints; empty in older files.
    """
    if not before or not after:
        return []
    said = {name: "is missing" for name in before.keys() - after.keys()}
    said |= {name: "is new" for name in after.keys() - before.keys()}
    said |= {name: "is different" for name in before.keys() & after.keys() if before[name] != after[name]}
    one_side = before.keys() ^ after.keys()
    whole = {name.partition(kind)[2] for name in one_side for kind in RELATIONS if name.startswith(kind)}
    left = [name for name in said if not _belongs(name, whole) and not _of_named(name, said)]
    # List tables, columns and indexes before objects that depend on them.
    return [f"{name} {said[name]}" for name in sorted(left, key=lambda name: (_rank(name), name))]


def other_schema(before: Fingerprint, after: Fingerprint, words: str = "is different") -> list[str]:
    """Return a sentence if the schemas of two databases differ, with a few of the different parts."""
    if before.schema == after.schema:
        return []
    parts = schema_differences(before.schema_parts, after.schema_parts)
    return [f"its schema {words}" + (f" ({listed(parts, 6)})" if parts else "")]


def _of_named(name: str, said: Mapping[str, str]) -> bool:
    """Return True for the default of a column that is itself missing or new."""
    column = name.removeprefix("default of ")
    return column != name and said.get(column) == said[name]


def _rank(name: str) -> int:
    kinds = ("table ", "column ", "index ", "constraint ")
    return next((place for place, kind in enumerate(kinds) if name.startswith(kind)), len(kinds))


def _belongs(name: str, relations: set[str]) -> bool:
    return any(
        name.endswith(f" on {relation}") or name.startswith((f"column {relation}.", f"default of column {relation}."))
        for relation in relations
    )

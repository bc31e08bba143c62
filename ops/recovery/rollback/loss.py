"""Compare the live database with a backup, to show what a rollback would set aside.

Keys are reported, values never."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psycopg
from pydantic import BaseModel, Field, ValidationError

from ops.core.errors import OpsError
from ops.core.files import write_lines, write_whole
from ops.core.text import counted, listed
from ops.recovery.rollback.row_changes import (
    INSERTED,
    KINDS,
    UPDATED,
    Change,
    Counterpart,
    Since,
    as_text,
    changes,
    rows_of,
)
from ops.verdict.databases import Databases
from ops.verdict.fingerprint import Fingerprint, equal
from ops.verdict.model import SAMPLES, difference
from ops.verdict.row_hash import Pair, Source

# Tables in the text; the file has all.
SHOWN = 12


class TableLoss(BaseModel):
    """The differences of one table.

    Args:
        table: the table's present name.
        was: its name in the backup, if different.
        only: ``live`` or ``backup`` if the other side has no such table.
        keys: some primary keys, by kind.
        newest: the newest timestamp in an inserted or updated row (UTC, to the minute).
        columns: columns of one side only, with the number of their values; and columns of both sides that a release
        rewrote, with the number of different values.
        every_key: the file with the key of every row.
    """

    table: str
    was: str = ""
    only: str = ""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    keys: dict[str, list[str]] = {}
    newest: str = ""
    columns: dict[str, dict[str, int]] = {}
    every_key: str = ""

    @property
    def rows(self) -> int:
        """Return the number of different rows."""
        return self.inserted + self.updated + self.deleted

    @property
    def sentence(self) -> str:
        """Return the differences in words."""
        told = [self._counted(kind) for kind in KINDS if getattr(self, kind)]
        if self.only == "live":
            inserted = counted(self.inserted, "row") + self._bracket(INSERTED)
            told = [f"a table that the backup does not have, with {inserted}"]
        elif self.only == "backup":
            told = [f"a table that only the backup has, with {counted(self.deleted, 'row')}"]
        columns = (("live", "a column that the backup does not have"), ("backup", "a column that only the backup has"))
        for side, where in columns:
            told += [
                f"{name}: {where}" + (f", with {counted(n, 'value')}" if n else "")
                for name, n in self.columns.get(side, {}).items()
            ]
        told += [
            f"{name}: a different value in {counted(n, 'row')}"
            for name, n in self.columns.get("both", {}).items()
        ]
        return f"{self.table}{f' (in the backup: {self.was})' if self.was else ''}: {', '.join(told)}"

    def _counted(self, kind: str) -> str:
        number = getattr(self, kind)
        first = next(one for one in KINDS if getattr(self, one))
        return (counted(number, "row") if kind == first else f"{number:,}") + f" {kind}{self._bracket(kind)}"

    def _bracket(self, kind: str) -> str:
        keys = self.keys.get(kind, [])
        more = getattr(self, kind) > len(keys)
        said = [("for example " if more else f"key{'s' * (len(keys) != 1)} ") + ", ".join(keys)] if keys else []
        newest = INSERTED if self.inserted else UPDATED
        said += [f"newest {self.newest} UTC"] if self.newest and kind == newest else []
        return f" ({'; '.join(said)})" if said else ""


class Loss(BaseModel):
    """Everything that differs between the live database and a backup.

    Args:
        sequences: maps a name to its values in the backup and now, None if it does not exist there.
        large_objects: the numbers in the backup and now; None if they are equal.
        schema_differs: anything besides rows differs.
        renamed: maps a table's present name to its name in the backup.
        left_out: sentences about what no fingerprint includes.
    """

    backup: str
    tables: list[TableLoss] = []
    sequences: dict[str, tuple[int | None, int | None]] = {}
    large_objects: tuple[int, int] | None = None
    schema_differs: bool = False
    renamed: dict[str, str] = {}
    left_out: list[str] = Field(default_factory=list)

    @property
    def nothing(self) -> bool:
        """Return True if both are proved to be equal."""
        return not (self.tables or self.sequences or self.large_objects or self.schema_differs)

    def total(self, kind: str) -> int:
        """Return the number of ``inserted``, ``updated`` or ``deleted`` rows of all tables."""
        return sum(getattr(table, kind) for table in self.tables)

    @property
    def counted(self) -> str:
        """Return the rows in a few words: ``3 rows inserted, 2 updated, 1 deleted``."""
        told = [(kind, self.total(kind)) for kind in KINDS if self.total(kind)]
        words = [(f"{n:,}" if place else counted(n, "row")) + f" {kind}" for place, (kind, n) in enumerate(told)]
        return ", ".join(words)

    def sentences(self, here: str = "live", there: str = "in the backup") -> list[str]:
        """Return the differences in sentences, the longest table first. ``here`` and ``there`` name the sides."""
        tables = sorted(self.tables, key=lambda table: (-table.rows, table.table))
        said = [table.sentence for table in tables[:SHOWN]]
        if len(tables) > SHOWN:
            more = Loss(backup=self.backup, tables=tables[SHOWN:])
            said.append(f"and {len(tables) - SHOWN} more tables: {more.counted or 'columns'}")
        on = [name for name, (was, now) in self.sequences.items() if was is not None and now is not None]
        said += [f"sequences with another value: {listed([self._stands(name, there) for name in on])}"] if on else []
        for side, place in ((here, 0), (there, 1)):
            names = [name for name, values in self.sequences.items() if values[place] is None]
            said += [f"sequences only {side}: {listed(names)}"] if names else []
        if self.large_objects:
            was, now = self.large_objects
            said.append(f"large objects: {now:,}, {there} {was:,}" + (", of other content" if was == now else ""))
        said += ["the schema differs"] if self.schema_differs else []
        called = [f"{was} is now {now}" for now, was in self.renamed.items()]
        return said + ([f"renamed since the backup: {listed(called)}"] if called else [])

    def _stands(self, name: str, there: str) -> str:
        was, now = self.sequences[name]
        return f"{name} (at {now}, {there} at {was})"

    def data(self) -> dict[str, object]:
        """Return totals and tables for the outcome (docs/reference/json.md)."""
        return {
            "backup": self.backup,
            "nothing": self.nothing,
            **{kind: self.total(kind) for kind in KINDS},
            "sequences": len(self.sequences),
            "large_objects": self.large_objects,
            "schema_differs": self.schema_differs,
            "renamed": self.renamed,
            "tables": [table.model_dump(exclude={"every_key"}) for table in self.tables],
        }


def around(old: Fingerprint, new: Fingerprint, backup: str) -> Loss:
    """Return the differences besides rows of tables."""
    names = sorted(old.sequences.keys() | new.sequences.keys())
    stood = {name: tuple(side.sequences.get(name, (None, 0))[0] for side in (old, new)) for name in names}
    objects = (old.large_objects or (0, 0), new.large_objects or (0, 0))
    return Loss(
        backup=backup,
        sequences={name: (was, now) for name, (was, now) in stood.items() if was != now},
        large_objects=(objects[0][0], objects[1][0]) if objects[0] != objects[1] else None,
        schema_differs=old.schema != new.schema,
        left_out=new.said_left_out(),
    )


Keep = Callable[[Change], Change | None]


def differences(
    look: Databases, pair: Counterpart, file: Path, *, since: Since | None = None, keep: Keep | None = None
) -> TableLoss | None:
    """Count the differences of one table, and write the key of every such row into ``file``; None without differences.

    Args:
        since: see ``ops.recovery.rollback.row_changes.changes``.
        keep: returns each change as it counts, or None to leave it out.
    """
    was = pair.before.name if pair.before and pair.before.name != pair.name else ""
    only = "" if pair.before and pair.after else "live" if pair.after else "backup"
    for way in (pair, as_text(pair)):
        found = TableLoss(
            table=pair.name, was=was if pair.after else "", only=only, every_key=f"{file.parent.name}/{file.name}"
        )
        try:
            write_lines(file, (_line(change) for change in _counted(found, changes(look, way, since), keep)))
            break
        except (psycopg.errors.DataError, psycopg.errors.CannotCoerce, psycopg.errors.UndefinedFunction):
            continue
    else:
        raise OpsError(f"{pair.name}: its rows can't be compared with the backup's rows", "inv undo")
    found.columns = _columns(look, way, found) if keep is None else {}
    return found if found.rows or found.columns or found.only else None


def _line(change: Change) -> str:
    return json.dumps([change.what, change.hash, change.row, change.key], ensure_ascii=False)


def _counted(found: TableLoss, every: Iterable[Change], keep: Keep | None) -> Iterator[Change]:
    """Count the changes to keep, and yield them."""
    for one in every:
        change = keep(one) if keep else one
        if change is None:
            continue
        setattr(found, change.what, getattr(found, change.what) + 1)
        keys = found.keys.setdefault(change.what, [])
        if change.key and len(keys) < SAMPLES:
            keys.append(change.key)
            keys.sort(key=lambda key: (len(key), key) if key.isdecimal() else (0, key))
        found.newest = max(found.newest, change.newest)
        yield change


def _columns(look: Databases, pair: Counterpart, rows: TableLoss) -> dict[str, dict[str, int]]:
    """Return columns of one side only, with the number of their values, and rewritten columns of both sides.

    For rewritten columns, the number of different values is returned."""
    found = {}
    for side, where in (("before", "backup"), ("after", "live")):
        table = pair.before if side == "before" else pair.after
        if table and (names := pair.only(side)):
            counts = [look.checksum(side, [Source(table.name, (Pair(name, "text"),), True)]) for name in names]
            found[where] = {name: count[0] if count else 0 for name, count in zip(names, counts, strict=True)}
    differing = {name: _differing(look, pair, name, rows) for name in pair.rewritten}
    return found | ({"both": said} if (said := {name: n for name, n in differing.items() if n}) else {})


def _differing(look: Databases, pair: Counterpart, name: str, rows: TableLoss) -> int:
    """Return how many rows of both sides have different values in a column."""
    one, two = rows_of(pair, "before"), rows_of(pair, "after")
    if one is None or two is None:
        return 0
    sources = [Source(side.table, (*side.key, Pair(name, "text", marked=True))) for side in (one, two)]
    missing, extra, _ = difference(look.hashes("before", sources[:1]), look.hashes("after", sources[1:]))
    return max(min(missing - rows.deleted, extra - rows.inserted), 0)


def every_change(file: Path) -> Iterator[tuple[str, int, int, str]]:
    """Read every row of a file: how it differs, the hashes of its key and of its values, its key as text."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            what, hash_, row, key = json.loads(line)
            yield str(what), int(hash_), int(row), str(key)


def preview(
    look: Databases, old: Fingerprint, new: Fingerprint, pairs: list[Counterpart], backup: str, file: Path
) -> Loss:
    """Compare the live database (``after``) with the restored backup (``before``), and write the result.

    Args:
        old, new: their fingerprints.
        pairs: their tables (see ``ops.recovery.rollback.row_changes.counterparts``).
        backup: the backup's id.
        file: receives the result as JSON; the keys are written to a folder of that name beside it.
    """
    found = around(old, new, backup)
    found.renamed = {p.name: p.before.name for p in pairs if p.before and p.after and p.before.name != p.name}
    for number, pair in enumerate(pairs):
        if not pair.equal and (table := differences(look, pair, file.with_suffix("") / f"{number}.jsonl")):
            found.tables.append(table)
    write_whole(file, found.model_dump_json(indent=1))
    return found


def read(file: Path) -> Loss:
    """Read a file that ``preview`` wrote.

    Raises:
        OpsError: the file is missing or damaged.
    """
    try:
        return Loss.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        raise OpsError(f"{file}: the preview is missing or damaged", "inv status") from None


def glance(old: Fingerprint, new: Fingerprint, here: str = "live", there: str = "in the backup") -> list[str]:
    """List the tables that differ between two fingerprints, with row counts. ``here`` and ``there`` name the sides."""
    said = []
    for name in sorted(old.tables.keys() | new.tables.keys()):
        was, now = old.tables.get(name), new.tables.get(name)
        if was is None or now is None:
            table = was or now
            said.append(f"{name}: {counted(table.rows if table else 0, 'row')}, only {there if was else here}")
        elif not equal(was, now):
            other = ", with other content" if now.rows == was.rows else ""
            said.append(f"{name}: {counted(now.rows, 'row')} {here}, {was.rows:,} {there}{other}")
    beside = around(old, new, "").sentences(here, there)
    return said + [sentence for sentence in beside if sentence != "the schema differs" or not said]

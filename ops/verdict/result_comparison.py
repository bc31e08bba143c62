"""Compare what migrations wrote into rows on the clone and on production: equal rows must have equal results.

The rehearsal writes a file for each table with columns that are new or may change as declared. The file has, for each
row, a hash of its identity, of the old row, and of each value that the migrations wrote. Production is compared with it
row by row. Timestamps and uuids generated during the migrations may differ, but must be present on both sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ops.core.files import write_lines
from ops.core.sql_names import bare, identifier, literal
from ops.verdict.expect.limits import NOTHING, Allowed
from ops.verdict.fingerprint import Column, Fingerprint, Table
from ops.verdict.model import SAMPLES, Aligned, Look, Profile, TableVerdict, Verdict
from ops.verdict.row_hash import ROW, Link, Pair, Source, present, row_hash

# Verdicts of columns whose values are read differently on both sides although none is lost.
OTHERWISE = ("repointed", "renumbered", "re-expressed")
Row = tuple[int | None, ...]
Group = tuple[int, list[Row]]


class Value(BaseModel):
    """Hold a column that the migrations wrote.

    ``drawn`` is not NULL in rows whose value may have been generated during the migrations. ``every`` is the profile of
    the column if no code ran, so that all rows have one value.
    """

    model_config = ConfigDict(frozen=True)

    column: str
    pair: Pair
    drawn: Pair | None = None
    may_differ: int = 0
    every: Profile | None = None


class Made(BaseModel):
    """Hold what migrations wrote into a table's rows.

    ``key`` identifies a row and ``kept`` are its unchanged columns, each before and after. ``row`` is the complete old
    row. ``file`` has the rehearsal's rows, in the target's folder; empty if all rows have one value.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    new: str
    key: tuple[tuple[Pair, ...], tuple[Pair, ...]]
    kept: tuple[tuple[Pair, ...], tuple[Pair, ...]]
    row: tuple[Pair, ...]
    values: tuple[Value, ...]
    file: str = ""


@dataclass
class Differing:
    """Count the values of a column that differ from the rehearsal: NULL here, NULL there, or another value."""

    empty: int = 0
    filled: int = 0
    other: int = 0
    sample: list[int] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return the total."""
        return self.empty + self.filled + self.other


def made(
    verdict: Verdict, before: Fingerprint, after: Fingerprint, allowed: Mapping[str, Allowed], names: Sequence[str]
) -> list[Made]:
    """Return what the rehearsed migrations wrote, for each table.

    Args:
        verdict: the verdict on every table.
        before: fingerprint of the clone before the migrations.
        after: fingerprint of the migrated clone.
        allowed: the declarations by table.
        names: the rehearsed migrations.
    """
    reader, found = Reader.of(verdict, after, names), []
    for table in verdict.tables:
        old, new = before.tables.get(table.table), after.tables.get(table.to or table.table)
        if old and new and table.mapping and not table.tolerated and old.rows:
            columns = allowed.get(table.table, Allowed()).columns
            changed = {c.column for c in table.columns if c.changed or c.lost}
            may_differ = {name: amounts.get("differs", NOTHING).most(old.rows) for name, amounts in columns.items()}
            one = _made(table, old, new, changed, may_differ, reader)
            found += [one] if one else []
    return found


def _made(
    verdict: TableVerdict, old: Table, new: Table, changed: set[str], may_differ: Mapping[str, int], reader: Reader
) -> Made | None:
    there = {column.name: column for column in new.columns}
    elsewhere = changed | {c.column for c in verdict.columns if c.verdict in OTHERWISE}
    kept = [
        (Pair(column.name, column.read_as), Pair(verdict.mapping[column.name], column.read_as))
        for column in old.columns
        if column.name not in elsewhere and _reads(there, verdict.mapping.get(column.name)) == column.read_as
    ]
    key = [pair for pair in kept if pair[0].name in old.key]
    keyed = bool(old.key) and len(key) == len(old.key)
    key = key if keyed else kept
    names = {name: may_differ.get(name, 0) for name in new.names if name not in verdict.mapping.values()}
    names |= {verdict.mapping[name]: may_differ.get(name, 0) for name in changed if name in verdict.mapping}
    values = tuple(reader.value(new, there[name], names[name]) for name in sorted(names) if name not in new.key)
    if not values or not key:
        return None
    # Rows with other keys are identified by their content, so only their content can be compared.
    row = tuple(Pair(column.name, column.read_as) for column in old.columns) if keyed else _sides(kept)[0]
    return Made(table=old.name, new=new.name, key=_sides(key), kept=_sides(kept), row=row, values=values)


def _reads(columns: Mapping[str, Column], name: str | None) -> str:
    return columns[name].read_as if name and name in columns else ""


def _sides(pairs: Sequence[tuple[Pair, Pair]]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    return tuple(one for one, _ in pairs), tuple(two for _, two in pairs)


@dataclass(frozen=True)
class Reader:
    """Decide how to read a new value: a link to a new row is read as the content of that row."""

    after: Fingerprint
    fresh: set[str]
    names: Sequence[str]

    @classmethod
    def of(cls, verdict: Verdict, after: Fingerprint, names: Sequence[str]) -> Reader:
        """Create the reader of a verdict, in which new rows may have any key."""
        fresh = {table.table for table in verdict.tables if table.verdict == "added"}
        fresh |= {table.to or table.table for table in verdict.tables if table.rows_after > table.rows_before}
        fresh |= {t.to or t.table for t in verdict.tables if any(c.verdict == "renumbered" for c in t.columns)}
        return cls(after, fresh, names)

    def value(self, table: Table, column: Column, most: int) -> Value:
        """Return how a column is compared."""
        pair = self._pair(table, column)
        return Value(column=column.name, pair=pair, drawn=self._drawn(column), may_differ=most)

    def _pair(self, table: Table, column: Column) -> Pair:
        to, key = table.links.get(column.name, ("", ""))
        if to not in self.fresh or to == table.name or to not in self.after.tables:
            return Pair(column.name, column.read_as)
        other = self.after.tables[to]
        plain = [one for one in other.columns if one.name not in (*other.key, *other.links) and not _moment(one)]
        content = tuple(Pair(one.name, one.read_as) for one in plain if one.read_as != "uuid")
        if content:
            return Pair(column.name, column.read_as, Link(to, key, content))
        return present(column.name)

    def _drawn(self, column: Column) -> Pair | None:
        """Return how to detect a value generated during the migrations, or None if its type cannot be one."""
        name = f"{ROW}.{identifier(column.name)}"
        if column.read_as == "uuid" or column.type.startswith("time "):
            return present(column.name)
        own = next((name for name in self.after.tables if bare(name) == "django_migrations"), "")
        if not _moment(column) or not own:
            return None
        listed = ", ".join(map(literal, self.names))
        begun = f"(SELECT min(m.applied) FROM {own} m WHERE m.app || '.' || m.name = ANY (ARRAY[{listed}]::text[]))"
        return Pair(column.name, "boolean", sql=f"nullif({name}::timestamptz > {begun} - interval '1 day', false)")


def _moment(column: Column) -> bool:
    # Arrays and ranges of timestamps do not count.
    return column.type == "date" or column.type.startswith("timestamp") and not column.type.endswith("[]")


# --- the files -------------------------------------------------------------------------------------------------------


def _whole(pairs: Sequence[Pair]) -> Pair:
    """Return these columns as one value."""
    return Pair("row", "bigint", sql=row_hash(pairs, ROW))


def _values(one: Made) -> list[Pair]:
    return [pair for value in one.values for pair in (value.pair, value.drawn) if pair is not None]


def alike(one: Made, look: Look) -> Made:
    """Return the same for migrations without code, which write one value to all rows of a column.

    Other columns are left out: the schema determines their values.
    """
    plain = [value for value in one.values if value.drawn is None and value.pair.link is None]
    found = look.profile("after", one.new, [value.pair for value in plain]) or []
    every = [
        value.model_copy(update={"every": profile})
        for value, profile in zip(plain, found, strict=False)
        if profile.constant
    ]
    return one.model_copy(update={"values": tuple(every)})


def unlike(one: Made, look: Look) -> tuple[int, dict[str, Differing]]:
    """Compare columns with one value in all rows; see ``differing``."""
    found: dict[str, Differing] = {}
    rows = 0
    seen = look.profile("after", one.new, [value.pair for value in one.values]) or []
    if all(was.every and _one_value(was.every) == _one_value(now) for was, now in zip(one.values, seen, strict=True)):
        return 0, {}
    with closing(_aligned(look, "after", one.new, one.key[1], [value.pair for value in one.values])) as after:
        for key, row in after:
            rows += 1
            wanted = tuple(value.every.low if value.every and value.every.filled else None for value in one.values)
            _count(found, one.values, key, [wanted], [row])
    return rows, {name: differs for name, differs in found.items() if differs.count}


def _aligned(
    look: Look, side: str, table: str, key: Sequence[Pair], values: Sequence[Pair]
) -> Generator[Aligned, None, None]:
    return look.aligned(side, [Source(table, (*key, *values))], len(key))


def _one_value(profile: Profile) -> tuple[bool, int, int]:
    return bool(profile.filled), profile.low, profile.high


def rehearse(one: Made, look: Look, folder: Path) -> None:
    """Write the file of the rehearsal's rows of a table."""
    before = _aligned(look, "before", one.table, one.key[0], [_whole(one.row)])
    after = _aligned(look, "after", one.new, one.key[1], _values(one))
    with closing(before), closing(after):
        _write(folder / one.file, _joined(before, after))


def hold_rows(one: Made, look: Look, file: Path) -> None:
    """Write the file of production's rows before the migrations."""
    with closing(_aligned(look, "before", one.table, one.key[0], [_whole(one.row), _whole(one.kept[0])])) as rows:
        _write(file, rows)


def _joined(before: Iterable[tuple[int, Row]], after: Iterable[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
    """Join the rows of both sides that have the same key, if their numbers are equal."""
    for key, (one, two) in _merged(_groups(before), _groups(after)):
        if len(one) == len(two):
            yield from ((key, (*was, *now)) for was, now in zip(one, two, strict=True))


def _write(file: Path, rows: Iterable[tuple[int, Row]]) -> None:
    write_lines(file, (" ".join([str(key), *("-" if v is None else str(v) for v in row)]) for key, row in rows))


def _read(file: Path) -> Generator[tuple[int, Row], None, None]:
    with file.open() as lines:
        for line in lines:
            key, *row = line.split()
            yield int(key), tuple(None if one == "-" else int(one) for one in row)


def _groups(rows: Iterable[tuple[int, Row]]) -> Iterator[Group]:
    """Group rows by key, in ascending order of keys."""
    for key, same in groupby(rows, key=lambda entry: entry[0]):
        yield key, [row for _, row in same]


def _merged(*streams: Iterator[Group]) -> Iterator[tuple[int, tuple[list[Row], ...]]]:
    """Yield the rows of keys that all streams have."""
    heads = [next(stream, None) for stream in streams]
    while all(head is not None for head in heads):
        most = max(head[0] for head in heads if head)
        if all(head and head[0] == most for head in heads):
            yield most, tuple(head[1] for head in heads if head)
            heads = [next(stream, None) for stream in streams]
            continue
        heads = [
            next(stream, None) if head and head[0] < most else head for head, stream in zip(heads, streams, strict=True)
        ]


# --- production ------------------------------------------------------------------------------------------------------


def differing(one: Made, rehearsed: Path, held: Path, look: Look) -> tuple[int, dict[str, Differing]]:
    """Compare what the migrations wrote on production with the rehearsal.

    Args:
        one: the table.
        rehearsed: the rehearsal's file.
        held: production's file from before the migrations.
        look: queries production as its ``after`` side.

    Returns:
        The number of compared rows, which were equal before and not written by users, and the differences by column.
    """
    found: dict[str, Differing] = {}
    rows = 0
    after = _aligned(look, "after", one.new, one.key[1], [_whole(one.kept[1]), *_values(one)])
    with closing(_read(rehearsed)) as clone, closing(_read(held)) as old, closing(after):
        for key, (there, was, now) in _merged(_groups(clone), _groups(old), _groups(after)):
            if _first(there) == _first(was) and Counter(row[1] for row in was) == _first(now):
                rows += len(now)
                _count(found, one.values, key, [row[1:] for row in there], [row[1:] for row in now])
    return rows, {name: differs for name, differs in found.items() if differs.count}


def _first(rows: list[Row]) -> Counter[int | None]:
    return Counter(row[0] for row in rows)


def _count(found: dict[str, Differing], values: Sequence[Value], key: int, there: list[Row], now: list[Row]) -> None:
    at = 0
    for value in values:
        width = 1 if value.drawn is None else 2
        wanted, got = Counter(_seen(row, at, width) for row in there), Counter(_seen(row, at, width) for row in now)
        at += width
        if wanted == got:
            continue
        lacking, extra = list((wanted - got).elements()), list((got - wanted).elements())
        pairs = [(a, b) for a, b in zip(lacking, extra, strict=False) if not (a[1] and b[1])]
        if pairs:
            into = found.setdefault(value.column, Differing())
            into.empty += sum(b[0] is None for _, b in pairs)
            into.filled += sum(a[0] is None for a, _ in pairs)
            into.other += sum(a[0] is not None and b[0] is not None for a, b in pairs)
            into.sample = [*into.sample, key][:SAMPLES]


def _seen(row: Row, at: int, width: int) -> tuple[int | None, bool]:
    """Return a value, and whether it may have been generated during the migrations."""
    return row[at], width == 2 and row[at + 1] is not None


def told(one: Made, rows: int, found: Mapping[str, Differing], keys: Callable[[Sequence[int]], list[str]]) -> list[str]:
    """Return a sentence for each column that differs in more rows than is declared."""
    said = []
    for value in one.values:
        differs = found.get(value.column)
        if differs is None or differs.count <= value.may_differ:
            continue
        parts = {"NULL here": differs.empty, "NULL in the rehearsal": differs.filled, "another value": differs.other}
        how = ", ".join(f"{count:,} {words}" for words, count in parts.items() if count)
        sample = ", ".join(keys(differs.sample))
        most = f"; the declared limit is {value.may_differ:,}" if value.may_differ else ""
        what = (
            f"{one.new}.{value.column}: of {rows:,} rows that were equal before, {differs.count:,} differ from the "
            "rehearsal"
        )
        said.append(f"{what}: {how}{most}" + (f" (for example {sample})" if sample else ""))
    return said

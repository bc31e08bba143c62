"""Rows of tables that the migrations made: production's against the rehearsal's.

Nothing stood there before, so no old row tells what they have to be; but the same migrations make the same rows of the
same data. The rehearsal leaves the hashes of its rows, and where what the migrations read was not written since,
production's must be equal. Keys of their own, moments and uuids that were drawn meanwhile are not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ops.core.files import write_lines
from ops.core.sql_names import identifier
from ops.verdict.expect.limits import Allowed
from ops.verdict.fingerprint import Fingerprint, Table
from ops.verdict.match import surrogate
from ops.verdict.model import Look, Verdict, difference
from ops.verdict.result_comparison import Reader
from ops.verdict.row_hash import ROW, Pair, Source

# A row that was written since may stand behind several of a new table.
EACH = 3


class Fresh(BaseModel):
    """A table that the migrations made: how its rows are read, and in the target's folder the rehearsal's hashes."""

    model_config = ConfigDict(frozen=True)

    table: str
    pairs: tuple[Pair, ...]
    rows: int
    file: str


def fresh(verdict: Verdict, after: Fingerprint, reader: Reader, allowed: Mapping[str, Allowed]) -> list[Fresh]:
    """The new tables, without the files.

    Args:
        verdict: what became of every table.
        after: fingerprint of the migrated clone.
        allowed: what is declared: a column that may differ is not compared.
    """
    found = []
    for one in verdict.tables:
        if one.verdict == "added":
            table = after.tables[one.table]
            may_differ = {name for name, most in allowed.get(one.table, Allowed()).columns.items() if "differs" in most}
            pairs = tuple(_pairs(table, reader, may_differ))
            found += [Fresh(table=one.table, pairs=pairs, rows=table.rows, file="")] if pairs else []
    return found


def sources(reached: Iterable[str], before: Fingerprint) -> dict[str, int]:
    """The rows of the tables that the migrations may have read: those that they reach, and what is linked with them."""
    reach = set(reached)
    near = set(reach)
    for table in before.tables.values():
        linked = {to for to, _ in table.links.values()}
        near |= linked if table.name in reach else {table.name} if linked & reach else set()
    return {name: before.tables[name].rows for name in sorted(near) if name in before.tables}


def _pairs(table: Table, reader: Reader, may_differ: set[str]) -> Iterator[Pair]:
    spare = table.key if surrogate(table) and table.key[0] not in table.links else ()
    for column in table.columns:
        if column.name in spare or column.name in may_differ:
            continue
        value = reader.value(table, column, 0)
        if value.drawn is None:
            yield value.pair
        else:
            yield value.drawn
            kept = f"CASE WHEN ({value.drawn.sql}) IS NULL THEN {ROW}.{identifier(column.name)}::{column.read_as} END"
            yield Pair(column.name, column.read_as, sql=kept)


def rehearse(one: Fresh, look: Look, file: Path) -> None:
    """Write the hashes of the rehearsal's rows."""
    write_lines(file, map(str, look.hashes("after", [Source(one.table, one.pairs)])))


def other_rows(tables: Sequence[Fresh], folder: Path, look: Look, written: int) -> tuple[list[str], list[str]]:
    """Hold production's rows against the rehearsal's.

    Args:
        folder: the target's, which has the rehearsal's files.
        look: asks production; its ``after`` side.
        written: rows that the migrations read and that were written since the rehearsal.

    Returns:
        a sentence for each table that differs by more than that explains, and for each that does by less.
    """
    wrong, explained = [], []
    for one in tables:
        with (folder / one.file).open() as lines:
            missing, extra, _ = difference(map(int, lines), look.hashes("after", [Source(one.table, one.pairs)]))
        if missing or extra:
            said = (
                f"{one.table}, which the migrations made: of {one.rows:,} rows in the rehearsal, {missing:,} are not "
                f"here, and {extra:,} are that were not there"
            )
            if max(missing, extra) > EACH * written:
                wrong.append(said)
            else:
                explained.append(f"{said}; {written:,} rows that they read were written since")
    return wrong, explained

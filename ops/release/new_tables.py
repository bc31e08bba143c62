"""Compare the rows of tables that the migrations created on production with the rehearsal's rows.

No old row shows what a row of a new table must be. But the same migrations make the same rows from the same data. The
rehearsal stores the hashes of its rows. If the rows that the migrations read were not written since, production's rows
must be equal. Generated keys, timestamps and uuids are not compared.
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

# One row that was written since the rehearsal may change several rows of a new table.
EACH = 3


class Fresh(BaseModel):
    """Hold a table that the migrations created: how its rows are read, and the file of the rehearsal's hashes."""

    model_config = ConfigDict(frozen=True)

    table: str
    pairs: tuple[Pair, ...]
    rows: int
    file: str


def fresh(verdict: Verdict, after: Fingerprint, reader: Reader, allowed: Mapping[str, Allowed]) -> list[Fresh]:
    """Return the new tables, without the files.

    Args:
        verdict: the verdict on every table.
        after: fingerprint of the migrated clone.
        allowed: the declarations. A column that may differ is not compared.
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
    """Count the rows of the tables that the migrations may read: the reached tables and tables linked with them."""
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
    """Compare production's rows with the rehearsal's rows.

    Args:
        folder: the target's folder, which has the rehearsal's files.
        look: queries production as its ``after`` side.
        written: rows that the migrations read and that were written since the rehearsal.

    Returns:
        A sentence for each table that differs by more rows than ``written`` explains, and for each that differs by
        fewer.
    """
    wrong, explained = [], []
    for one in tables:
        with (folder / one.file).open() as lines:
            missing, extra, _ = difference(map(int, lines), look.hashes("after", [Source(one.table, one.pairs)]))
        if missing or extra:
            said = (
                f"{one.table}, a new table: of its {one.rows:,} rows in the rehearsal, production lacks {missing:,}, "
                f"and it has {extra:,} others"
            )
            if max(missing, extra) > EACH * written:
                wrong.append(said)
            else:
                explained.append(f"{said}; {written:,} rows that the migrations read were written since the rehearsal")
    return wrong, explained

"""Count what a salvage would do, as data and as lines for the operator."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from ops.core.text import counted
from ops.recovery.salvage.related_tables import LINKED, MAIN, RELATED, Closure, Edge, Part
from ops.recovery.salvage.staging import COMES, Connection, emptied, following, one, relinks
from ops.verdict.row_hash import told_key

SAMPLES = 5
EMPTY = "the row is live, and only one of its links is empty"
ELSEWHERE = "the row is live, and refers to another row now"
TAKEN = "a live row with other content has this key"
REPORT, LEFT = "salvage.json", "left-out.jsonl"


class Reason(BaseModel):
    """Why some rows are not inserted."""

    why: str
    rows: int
    sample: list[str]


class TableReport(BaseModel):
    """One table: rows of the backup, live rows, rows to insert, rows to insert with new keys, and other rows."""

    table: str
    into: str
    role: str
    columns: dict[str, str]
    rows: int
    there: int
    back: int
    new_keys: int
    left: list[Reason] = []
    keys: dict[str, str] = {}
    hint: str = ""
    lacking: list[str] = []
    only_live: list[str] = []


class LinkReport(BaseModel):
    """Links of one kind: restored links, and links that stay empty because their row was changed or is missing."""

    table: str
    columns: list[str]
    to: str
    back: int
    changed: int
    gone: int


class Report(BaseModel):
    """A complete salvage, before or after the insert."""

    backup: str
    tables: list[TableReport]
    links: list[LinkReport]
    done: bool = False

    @property
    def totals(self) -> tuple[int, int]:
        """Return the numbers of rows and links that come back."""
        return sum(table.back + table.new_keys for table in self.tables), sum(link.back for link in self.links)

    @property
    def left(self) -> int:
        """Return the number of rows that are not inserted."""
        return sum(reason.rows for table in self.tables for reason in table.left)


def count(connection: Connection, found: Closure, backup: str) -> Report:
    """Count the decided fates."""
    tables = [_table(connection, part) for part in found.parts if part.role != LINKED]
    links = [_links(connection, edge) for edge in found.edges if relinks(edge)]
    return Report(backup=backup, tables=tables, links=links)


def _table(connection: Connection, part: Part) -> TableReport:
    rows = connection.execute(f"SELECT fate, count(*) FROM {part.staged} GROUP BY 1".encode()).fetchall()
    fates = {str(fate): int(number) for fate, number in rows}
    left = [*_reasons(connection, part)]
    again = bool(part.renumbered) and any(reason.why == TAKEN for reason in left)
    return TableReport(
        table=part.pairing.source,
        into=part.pairing.into,
        role=part.role,
        columns=dict(part.pairing.columns),
        rows=sum(fates.values()),
        there=fates.get("there", 0) + fates.get("linked", 0),
        back=fates.get("insert", 0),
        new_keys=fates.get("rekey", 0),
        left=left,
        lacking=list(part.pairing.lacking),
        only_live=[name for name in (*part.pairing.needed, *part.pairing.extra) if name not in part.values],
        hint="--new-keys inserts them with new keys" if again else "",
    )


# The reason why a staged row is not inserted, as SQL.
WHY = f"coalesce(s.why, CASE s.fate WHEN 'same' THEN '{EMPTY}' WHEN 'moved' THEN '{ELSEWHERE}' ELSE '{TAKEN}' END)"


def _lost(part: Part) -> str:
    """Return the condition on a staged row to report as not inserted.

    Of a related table with its old name, only rows that were to be inserted are reported."""
    if part.role == MAIN or part.pairing.renamed:
        return "s.fate IN ('left', 'taken', 'same', 'moved')"
    return "s.fate = 'left'"


def _reasons(connection: Connection, part: Part) -> Iterator[Reason]:
    query = (
        f"SELECT {WHY}, count(*), (array_agg({_key(part)} ORDER BY row_id))[1:{SAMPLES}] "
        f"FROM {part.staged} s WHERE {_lost(part)} GROUP BY 1 ORDER BY 1"
    )
    for why, rows, sample in connection.execute(query.encode()):
        yield Reason(why=why, rows=rows, sample=sample)


def _key(part: Part) -> str:
    names = part.live.key if part.keyed else tuple(part.cells)[:1]
    return " || ',' || ".join(f"coalesce({told_key(f's.{part.cells[name]}')}, 'NULL')" for name in names)


def left_rows(connection: Connection, found: Closure) -> Iterator[dict[str, object]]:
    """Yield every row that is not inserted: table, key, reason."""
    for part in found.parts:
        if part.role == LINKED:
            continue
        query = f"SELECT {_key(part)}, {WHY} FROM {part.staged} s WHERE {_lost(part)}"
        with connection.cursor("left") as cursor:
            for key, why in cursor.execute(f"{query} ORDER BY row_id".encode()):
                yield {"table": part.pairing.source, "into": part.pairing.into, "key": key, "why": why}


def _links(connection: Connection, edge: Edge) -> LinkReport:
    comes = f"p.fate IN {COMES}"
    gone = f"FROM {edge.child.staged} s JOIN {edge.parent.staged} p ON {following(edge)}"
    left = "s.fate IN ('missing', 'left')"
    changed = emptied(edge, "('taken')", COMES)
    return LinkReport(
        table=edge.child.live.name,
        columns=list(edge.link.columns),
        to=edge.parent.live.name,
        back=one(connection, f"SELECT count(*) FROM pg_temp.l{edge.number}"),
        changed=one(connection, f"SELECT count(*) {changed}"),
        gone=one(connection, f"SELECT count(*) {gone} WHERE {left} AND {comes}"),
    )


def lines(report: Report) -> list[str]:
    """Return the report as lines for a person."""
    said = []
    word = "came" if report.done else "come"
    for table in report.tables:
        if table.role == RELATED and not (table.back or table.new_keys or table.left):
            continue
        said.append(_line(table, word))
        said += [] if report.done else _columns(table)
        for why in table.left:
            said.append(f"  {counted(why.rows, 'row')} are not inserted: {why.why} ({_some(why.sample, why.rows)})")
        said += [f"  {table.hint}"] if table.hint else []
        if table.keys:
            shown = [f"{old} → {new}" for old, new in list(table.keys.items())[:SAMPLES]]
            said.append(f"  new keys: {_some(shown, len(table.keys))}; all are in {REPORT}")
    for link in report.links:
        said += _of_links(link, word)
    return said


def _columns(table: TableReport) -> Iterator[str]:
    """Yield the column mapping, unless it is obvious."""
    if table.table != table.into or table.lacking or table.only_live:
        yield "  columns: " + ", ".join(a if a == b else f"{a} → {b}" for a, b in table.columns.items())
    if table.lacking:
        yield f"  only in the backup, and not inserted: {', '.join(table.lacking)}"
    if table.only_live:
        yield f"  only live, and filled with defaults: {', '.join(table.only_live)}"


def _line(table: TableReport, word: str) -> str:
    name = table.table if table.table == table.into else f"{table.table} → {table.into}"
    new = f", {table.new_keys:,} with new keys" if table.new_keys else ""
    back = table.back + table.new_keys
    return f"{name}: of {counted(table.rows, 'row')} {table.there:,} are live, {back:,} {word} back{new}"


def _of_links(link: LinkReport, word: str) -> Iterator[str]:
    name = f"{link.table}.{', '.join(link.columns)}"
    if link.back:
        yield f"{name}: {counted(link.back, 'link')} to {link.to} {word} back"
    if link.changed:
        yield f"{name}: {counted(link.changed, 'link')} stay empty: their rows were changed since"
    if link.gone:
        yield f"{name}: {counted(link.gone, 'row')} that referred to {link.to} are missing: --with-related inserts them"


def _some(sample: list[str], many: int) -> str:
    return ", ".join(sample) + (" …" if many > len(sample) else "")


def missing_rows(connection: Connection, found: Closure) -> Iterator[tuple[str, str]]:
    """Yield table and key of each row of the named tables that is not live."""
    for part in found.parts:
        if part.role == MAIN:
            query = f"SELECT {_key(part)} FROM {part.staged} s WHERE fate IN ('insert', 'rekey', 'left', 'missing')"
            with connection.cursor("missing") as cursor:
                for (key,) in cursor.execute(query.encode()):
                    yield part.pairing.source, str(key)

"""What a salvage would do, counted from the staged rows: as data, and in lines for the operator."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from ops.core.text import counted
from ops.recovery.salvage.related_tables import LINKED, MAIN, RELATED, Closure, Edge, Part
from ops.recovery.salvage.staging import COMES, Connection, emptied, following, one, relinks
from ops.verdict.row_hash import told_key

SAMPLES = 5
EMPTY = "it is live, and only a link of it is empty now"
ELSEWHERE = "it is live, and leads elsewhere now"
TAKEN = "a row with this key is live, with other content"
REPORT, LEFT = "salvage.json", "left-out.jsonl"


class Reason(BaseModel):
    """Why some rows do not come back."""

    why: str
    rows: int
    sample: list[str]


class TableReport(BaseModel):
    """One table: rows of the backup, those that are there, that come back, that do under new keys, and that do not."""

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
    """Links of one kind: those that come back, and those that stay empty since their row was changed or is gone."""

    table: str
    columns: list[str]
    to: str
    back: int
    changed: int
    gone: int


class Report(BaseModel):
    """A whole salvage, before or after."""

    backup: str
    tables: list[TableReport]
    links: list[LinkReport]
    done: bool = False

    @property
    def totals(self) -> tuple[int, int]:
        """Rows and links that come back."""
        return sum(table.back + table.new_keys for table in self.tables), sum(link.back for link in self.links)

    @property
    def left(self) -> int:
        """Rows that do not come back."""
        return sum(reason.rows for table in self.tables for reason in table.left)


def count(connection: Connection, found: Closure, backup: str) -> Report:
    """Count what was decided."""
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
        hint="--new-keys brings them back under new keys" if again else "",
    )


# Why a staged row stays out, as SQL.
WHY = f"coalesce(s.why, CASE s.fate WHEN 'same' THEN '{EMPTY}' WHEN 'moved' THEN '{ELSEWHERE}' ELSE '{TAKEN}' END)"


def _lost(part: Part) -> str:
    """The condition on a staged row that does not come back and should be told of. Of a related table that kept its
    name, only what was to come: the others are none of the operator's concern."""
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
    """Every row that does not come back: table, key, why."""
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
    """What it says to a person, a line each."""
    said = []
    word = "came" if report.done else "come"
    for table in report.tables:
        if table.role == RELATED and not (table.back or table.new_keys or table.left):
            continue
        said.append(_line(table, word))
        said += [] if report.done else _columns(table)
        for why in table.left:
            said.append(f"  {counted(why.rows, 'row')} stay out: {why.why} ({_some(why.sample, why.rows)})")
        said += [f"  {table.hint}"] if table.hint else []
        if table.keys:
            shown = [f"{old} → {new}" for old, new in list(table.keys.items())[:SAMPLES]]
            said.append(f"  new keys: {_some(shown, len(table.keys))}; all of them in {REPORT}")
    for link in report.links:
        said += _of_links(link, word)
    return said


def _columns(table: TableReport) -> Iterator[str]:
    """Where the columns go, where that is not plain."""
    if table.table != table.into or table.lacking or table.only_live:
        yield "  columns: " + ", ".join(a if a == b else f"{a} → {b}" for a, b in table.columns.items())
    if table.lacking:
        yield f"  only in the backup, and left behind: {', '.join(table.lacking)}"
    if table.only_live:
        yield f"  only live, and left as the table fills them: {', '.join(table.only_live)}"


def _line(table: TableReport, word: str) -> str:
    name = table.table if table.table == table.into else f"{table.table} → {table.into}"
    new = f", {table.new_keys:,} under new keys" if table.new_keys else ""
    back = table.back + table.new_keys
    return f"{name}: of {counted(table.rows, 'row')} {table.there:,} are there, {back:,} {word} back{new}"


def _of_links(link: LinkReport, word: str) -> Iterator[str]:
    name = f"{link.table}.{', '.join(link.columns)}"
    if link.back:
        yield f"{name}: {counted(link.back, 'link')} to {link.to} {word} back"
    if link.changed:
        yield f"{name}: {counted(link.changed, 'link')} stay empty: their rows were changed since"
    if link.gone:
        yield f"{name}: {counted(link.gone, 'row')} that led to {link.to} are gone: --with-related brings them"


def _some(sample: list[str], many: int) -> str:
    return ", ".join(sample) + (" …" if many > len(sample) else "")


def missing_rows(connection: Connection, found: Closure) -> Iterator[tuple[str, str]]:
    """Table and key of each row of the named tables that is not live."""
    for part in found.parts:
        if part.role == MAIN:
            query = f"SELECT {_key(part)} FROM {part.staged} s WHERE fate IN ('insert', 'rekey', 'left', 'missing')"
            with connection.cursor("missing") as cursor:
                for (key,) in cursor.execute(query.encode()):
                    yield part.pairing.source, str(key)

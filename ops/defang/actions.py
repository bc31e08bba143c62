"""Tools of a defang: the gate, the defang, and the proof."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ops.core.errors import StepFailed
from ops.core.files import write_whole
from ops.core.sql_names import sql, written
from ops.core.text import counted, listed
from ops.defang.gate import check
from ops.defang.request import Request, catalog_of, read_planned
from ops.defang.script import DEFANGED, script
from ops.defang.worklist import Worklist, make_worklist
from ops.engine.command import Shell, conninfo
from ops.engine.registry import tool
from ops.infra.postgres.client import json_lines, said_error
from ops.infra.session.server import schema_digest
from ops.infra.session.session import Session
from ops.verdict import fingerprint


@tool
def check_defang(session: Session, *, target: str, test: str, database: str, digest: str = "") -> str:
    """Refuse entries of the inventory's `defang` that do not fit the clone, and personal data without an entry."""
    request = read_planned(session, target, digest)
    found = make_worklist(request.defang, catalog_of(session, test, database))
    check(session, target, request.defang, found)
    return f"{len(found.emptied)} tables are emptied and {len(found.masked)} columns masked; the rest is classified"


@tool
def defang(
    session: Session, *, target: str, test: str, database: str, marker: str, run: str, report: str, digest: str = ""
) -> str:
    """Run the operator's SQL files, empty tables and mask columns of a clone in one transaction; return the counts."""
    request = read_planned(session, target, digest)
    found = make_worklist(request.defang, catalog_of(session, test, database))
    check(session, target, request.defang, found)
    place = session.inventory.path(report).with_suffix(".sql")
    write_whole(place, script(found, database, marker, request.defang.sql))
    words = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-f", str(place)]
    done = session.run(Shell((*words, f"service={test} dbname={conninfo(database)}"), test), run=run)
    if done.exit:
        raise StepFailed(f"{target}: the clone is not defanged: {_said(done.err)}", f"inv undo --run={run}")
    done_there = _read(found, json_lines(done.out))
    write_whole(session.inventory.path(report), json.dumps(_data(request, done_there), indent=1, ensure_ascii=False))
    return "\n".join(_told(request, done_there))


@dataclass(frozen=True)
class Count:
    """The number of removed rows of a table or masked values of a column; ``by`` is the rule, or the name itself."""

    what: str
    name: str
    by: str
    number: int


def _read(found: Worklist, lines: list[dict[str, Any]]) -> list[Count]:
    """Return the counts that the script printed, each with its table or column."""
    numbers = {number: count for line in lines if "defang" in line for number, count in line["defang"]}
    of = [("rows", one.table.name, one.by) for one in found.emptied.values()]
    of += [("values", one.name, one.by) for _, ones in found.columns() for one in ones]
    return [Count(what, written(name), by, numbers.get(n, 0)) for n, (what, name, by) in enumerate(of)]


def _data(request: Request, counts: list[Count]) -> dict[str, Any]:
    """Return the report of a defang, for programs."""
    return {
        "digest": request.digest,
        "sql": [{"file": file, "sha256": digest} for file, digest in request.files],
        "emptied": [{"table": c.name, "by": c.by, "rows": c.number} for c in counts if c.what == "rows"],
        "masked": [{"column": c.name, "by": c.by, "values": c.number} for c in counts if c.what == "values"],
    }


def _told(request: Request, counts: list[Count]) -> list[str]:
    """Return the result of a defang, one line for each SQL file, rule and name."""
    lines = [f"{file}: run" for file, _ in request.files]
    for by in dict.fromkeys([*request.defang.rules, *(c.by for c in counts)]):
        parts = []
        for what, done in (("row", "removed"), ("value", "masked")):
            if mine := [c.number for c in counts if c.by == by and c.what == f"{what}s"]:
                parts.append(f"{counted(sum(mine), what)} {done}")
        lines += [f"{by}: {', '.join(parts)}"] if parts else []
    return lines or ["nothing to remove or to mask"]


def _said(stderr: str) -> str:
    """Return psql's error with file and line. The script's VERBOSITY omits the details, which contain row values."""
    placed = re.search(r"^psql:(.*?):(\d+): (?:ERROR|FATAL|PANIC|error): +(.*)$", stderr, re.MULTILINE)
    return f"{placed[1]}:{placed[2]}: {placed[3]}" if placed else said_error(stderr)


@tool
def check_defanged(
    session: Session, *, target: str, test: str, database: str, marker: str, before: str, digest: str = ""
) -> str:
    """Prove that every table to empty is empty and every column to mask is masked; read-only."""
    request = read_planned(session, target, digest)
    found = make_worklist(request.defang, catalog_of(session, test, database))
    left = []
    with session.connect(test, database) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute("SET LOCAL row_security = off")
        mark = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        if mark is None or mark[0] != f"{marker}\n{DEFANGED}":
            raise StepFailed(f"{target}: {database} does not have the mark of a defanged clone of this run")
        asked = {written(one.table.name): f"SELECT FROM {sql(one.table.name)}" for one in found.emptied.values()}
        asked |= {
            written(one.name): f"SELECT FROM {sql(one.table.name)} WHERE {one.undone}" for one in found.masked.values()
        }
        for name, query in asked.items():
            if connection.execute(f"{query} LIMIT 1".encode()).rowcount:
                left.append(name)
    if left:
        raise StepFailed(f"{target}: not emptied, or not masked: {listed(left)}")
    if schema_digest(session, test, database) != fingerprint.read(session.inventory.path(before)).schema:
        files = ", ".join(request.defang.sql) or "no SQL file"
        raise StepFailed(f"{target}: the clone's schema differs from the backup's ({files} ran)")
    return f"{len(found.emptied)} tables are empty and {len(found.masked)} columns masked"

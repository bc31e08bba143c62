"""Production before and after a promotion, held against what the rehearsal proved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from ops.certificate import Certificate, Moved
from ops.files import write_whole
from ops.fingerprint import Fingerprint
from ops.verdict import Look, Pairs, difference


class Held(BaseModel):
    """What a table held before: rows, and the checksum over the columns that are compared; ``hashes`` names a file with
    every row's hash where the migrations add rows to it, or may lose or change some, so that a sum would not do;
    ``firm`` the same over the columns that no declaration lets change, where one lets others."""

    rows: int
    checksum: int = 0
    hashes: str = ""
    firm: str = ""


class Holdings(BaseModel):
    """What production held right before its migrations, by table."""

    tables: dict[str, Held] = {}


def hold(found: Certificate, old: Fingerprint, look: Look, folder: Path) -> tuple[Holdings, list[str]]:
    """Note what production holds, and say what is there now that the rehearsal did not see.

    Args:
        found: the certificate, with where each table and column goes.
        old: production's fingerprint now.
        look: asks production; its ``before`` side.
        folder: takes the files of hashes.

    Returns:
        what is held, and a sentence for each table or column that would be dropped though it holds something.
    """
    said, held = [], {}
    for number, move in enumerate(found.moves):
        rows = old.tables[move.table].rows if move.table in old.tables else 0
        if not move.to and rows and not move.may_lose:
            said.append(f"{move.table} was empty in the rehearsal and would be dropped; it has {rows:,} rows now")
        elif not move.to and rows > move.may_lose:
            said.append(_more(f"{move.table} would be dropped with {rows:,} rows", move.may_lose))
        for column in move.emptied:
            if filled := look.filled("before", move.table, column):
                said.append(f"{move.table}.{column} held nothing in the rehearsal; it holds {filled:,} values now")
        for column, most in move.may_empty.items():
            if (filled := look.filled("before", move.table, column)) > most:
                said.append(_more(f"{move.table}.{column} would be dropped with {filled:,} values", most))
        if move.to and not move.tolerated:
            held[move.table] = _held(move, rows, look, folder / f"hashes-{number}.txt")
    return Holdings(tables=held), said


def _more(what: str, most: int) -> str:
    return f"{what}; declared are at most {most:,}"


def _held(move: Moved, rows: int, look: Look, file: Path) -> Held:
    if move.exact:
        found = look.checksum("before", move.table, move.before) if move.before else (rows, 0)
        return Held(rows=rows, checksum=found[1] if found else 0)
    _write_hashes(file, look, move.table, move.before)
    firm = file.with_suffix(".firm.txt") if move.loose else None
    if firm:
        _write_hashes(firm, look, move.table, _firm(move)[0])
    return Held(rows=rows, hashes=str(file), firm=str(firm or ""))


def _write_hashes(file: Path, look: Look, table: str, columns: Pairs) -> None:
    write_whole(file, "".join(f"{value}\n" for value in look.hashes("before", table, columns)))


def _firm(move: Moved) -> tuple[Pairs, Pairs]:
    """The compared columns that no declaration lets change, as they are called before and after."""
    kept = [pair for pair in zip(move.before, move.after, strict=True) if pair[0].name not in move.loose]
    return [before for before, _ in kept], [after for _, after in kept]


def objections(found: Certificate, held: Holdings, new: Fingerprint, look: Look, frozen: bool) -> list[str]:
    """What is not as rehearsed after the migrations, a sentence each.

    Args:
        found: the certificate.
        held: what production held before.
        new: production's fingerprint after the migrations.
        look: asks production; its ``after`` side.
        frozen: nobody wrote in between, so every old row must be there to the last bit. Otherwise the application may
            have gone on writing: then no table may be missing or hold fewer rows.
    """
    said = [] if new.schema == found.schema_after else ["its schema is not that of the rehearsal"]
    for move in found.moves:
        if move.to and move.to not in new.tables:
            said.append(f"{move.to} is missing")
        elif move.table in held.tables:
            said += _content(move, held.tables[move.table], new.tables[move.to].rows, look, frozen)
    return said


def _content(move: Moved, held: Held, rows: int, look: Look, frozen: bool) -> list[str]:
    if rows < held.rows - move.may_lose:
        declared = f"; declared are at most {move.may_lose:,} lost" if move.may_lose else ""
        return [f"{move.to} has {rows:,} rows, {move.table} had {held.rows:,}{declared}"]
    if not frozen or not move.after:
        return []
    if not held.hashes:
        same = look.checksum("after", move.to, move.after) == (held.rows, held.checksum)
        return [] if same else [f"{move.to} does not hold the content of {move.table}"]
    most = move.may_lose + move.may_differ
    missing, _, _ = difference(_numbers(Path(held.hashes)), look.hashes("after", move.to, move.after))
    if missing > most:
        declared = f": {missing:,} rows are missing or changed, declared are at most {most:,}" if most else ""
        return [f"{move.to} does not hold the content of {move.table}{declared}"]
    if held.firm:
        missing, _, _ = difference(_numbers(Path(held.firm)), look.hashes("after", move.to, _firm(move)[1]))
        if missing > move.may_lose:
            columns = ", ".join(move.loose)
            return [f"{move.to}: {missing - move.may_lose:,} rows changed in other columns than {columns}"]
    return []


def _numbers(file: Path) -> Iterator[int]:
    with file.open() as lines:
        yield from map(int, lines)

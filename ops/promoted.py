"""Production before and after a promotion, held against what the rehearsal proved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from ops.certificate import Allowance, Certificate, Moved
from ops.files import write_lines
from ops.fingerprint import Fingerprint, Table
from ops.rows import Pair, Proof, Source
from ops.verdict import Look, difference


class HeldProof(BaseModel):
    """What one comparison held before: its checksum; ``hashes`` names a file with every row's hash where the
    migrations add rows, so that a sum would not do."""

    rows: int
    checksum: int = 0
    hashes: str = ""


class Held(BaseModel):
    """What a table held before: rows, checksum, each of its comparisons, and those in which rows may be missing."""

    rows: int
    checksum: int
    proofs: list[HeldProof] = []
    allowances: list[HeldProof] = []


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
        table = old.tables.get(move.table)
        rows = table.rows if table else 0
        if not move.to and rows and not move.may_lose:
            said.append(f"{move.table} was empty in the rehearsal and would be dropped; it has {rows:,} rows now")
        elif not move.to and rows > move.may_lose:
            said.append(_more(f"{move.table} would be dropped with {rows:,} rows", move.may_lose))
        for column in move.emptied:
            if filled := _filled(look, move.table, column):
                said.append(f"{move.table}.{column} held nothing in the rehearsal; it holds {filled:,} values now")
        for column, most in move.may_empty.items():
            if (filled := _filled(look, move.table, column)) > most:
                said.append(_more(f"{move.table}.{column} would be dropped with {filled:,} values", most))
        if move.to and not move.tolerated and table:
            held[move.table] = _held(move, table, look, folder / f"hashes-{number}")
    return Holdings(tables=held), said


def _filled(look: Look, table: str, column: str) -> int:
    found = look.checksum("before", [Source(table, (Pair(column, "text"),), True)])
    return found[0] if found else 0


def _more(what: str, most: int) -> str:
    return f"{what}; declared are at most {most:,}"


def _held(move: Moved, table: Table, look: Look, file: Path) -> Held:
    proofs = [] if move.whole else [_proof(proof, look, Path(f"{file}-{n}.txt")) for n, proof in enumerate(move.proofs)]
    allowances = [_proof(a.proof, look, Path(f"{file}-allowed-{n}.txt")) for n, a in enumerate(move.allowances)]
    return Held(rows=table.rows, checksum=table.checksum, proofs=proofs, allowances=allowances)


def _proof(proof: Proof, look: Look, file: Path) -> HeldProof:
    rows, checksum = look.checksum("before", proof.before) or (0, 0)
    if proof.exact:
        return HeldProof(rows=rows, checksum=checksum)
    write_lines(file, map(str, look.hashes("before", proof.before)))
    return HeldProof(rows=rows, checksum=checksum, hashes=str(file))


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
        gone = [name for name in move.to if name not in new.tables]
        said += [f"{name} is missing" for name in gone]
        if move.to and not gone and move.table in held.tables:
            said += _content(move, held.tables[move.table], new, look, frozen)
    return said


def _content(move: Moved, held: Held, new: Fingerprint, look: Look, frozen: bool) -> list[str]:
    where = ", ".join(move.to)
    rows = sum(new.tables[name].rows for name in move.to)
    if rows < held.rows - move.may_lose:
        declared = f"; declared are at most {move.may_lose:,} lost" if move.may_lose else ""
        return [f"{where} has {rows:,} rows, {move.table} had {held.rows:,}{declared}"]
    if not frozen:
        return []
    whole = (new.tables[move.to[0]].rows, new.tables[move.to[0]].checksum) == (held.rows, held.checksum)
    sound = whole if move.whole else all(_holds(*pair, look) for pair in zip(move.proofs, held.proofs, strict=True))
    if not sound:
        return [f"{where} does not hold the content of {move.table}"]
    return [said for pair in zip(move.allowances, held.allowances, strict=True) if (said := _allowed(*pair, look))][:1]


def _holds(proof: Proof, held: HeldProof, look: Look) -> bool:
    return _missing(proof, held, look) == 0


def _missing(proof: Proof, held: HeldProof, look: Look) -> int:
    """How many rows of before are not there; all of them where that can't be told row by row."""
    there = look.checksum("after", proof.after)
    if there == (held.rows, held.checksum):
        return 0
    if not held.hashes or there is None:
        return max(held.rows, 1)
    return difference(_numbers(Path(held.hashes)), look.hashes("after", proof.after))[0]


def _allowed(allowance: Allowance, held: HeldProof, look: Look) -> str:
    missing = _missing(allowance.proof, held, look)
    if missing <= allowance.missing:
        return ""
    one, two = allowance.proof.before[0], allowance.proof.after[0]
    columns = ", ".join(pair.name for pair in one.pairs)
    return (
        f"{missing:,} rows of {one.table} are missing in {two.table} or changed; declared are at most "
        f"{allowance.missing:,} (compared: {columns})"
    )


def _numbers(file: Path) -> Iterator[int]:
    with file.open() as lines:
        yield from map(int, lines)

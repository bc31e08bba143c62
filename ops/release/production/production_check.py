"""Production before and after a promotion, held against what the rehearsal proved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from ops.core.files import write_lines
from ops.core.sql_names import identifier
from ops.release.certificate import Allowance, Certificate, Moved
from ops.verdict.databases import Databases
from ops.verdict.expect.limits import NOTHING, Limit
from ops.verdict.fingerprint import Fingerprint, Table, other_schema
from ops.verdict.model import Look, difference
from ops.verdict.moment import Pace, pace
from ops.verdict.objects.database_objects import Catalog
from ops.verdict.objects.dependent_objects import Went
from ops.verdict.objects.object_verdict import judge_objects
from ops.verdict.representations import nothing_said
from ops.verdict.row_hash import ROW, Proof

LOST = ("lost", "changed")


class HeldProof(BaseModel):
    """What one comparison held before: its checksum; ``hashes`` names a file with every row's hash where the
    migrations add rows or production is not frozen, so that a sum would not do."""

    rows: int
    checksum: int = 0
    hashes: str = ""


class Held(BaseModel):
    """What a table held before: rows, checksum, each of its comparisons, and those in which rows may be missing.
    ``written`` counts the rows that were written since the rehearsal's backup, where a declaration has to follow;
    ``key`` is the comparison of the keys alone, where users write meanwhile, and ``keys`` what it held."""

    rows: int
    checksum: int
    written: int = 0
    key: Proof | None = None
    keys: HeldProof | None = None
    proofs: list[HeldProof] = []
    allowances: list[HeldProof] = []


class Holdings(BaseModel):
    """What production held right before its migrations, by table, and beside tables; ``objects_written`` counts the
    large objects that were made since the rehearsal's backup, ``sources_written`` the rows that the migrations reach
    and that were written or deleted since; ``at`` is that moment by the server's clock, ``pace`` how production was
    written to between the rehearsal's backup and then."""

    tables: dict[str, Held] = {}
    catalog: Catalog = Catalog()
    large_objects: tuple[int, int] | None = None
    objects_written: int = 0
    sources_written: int = 0
    at: float = 0
    pace: Pace = Pace()


def losses(found: Certificate, look: Databases) -> list[str]:
    """Say what the migrations would drop on production that neither the rehearsal nor a declaration covers.

    What is declared may have grown by what was written since the rehearsal's backup.

    Args:
        found: the certificate.
        look: asks production; its ``before`` side.

    Returns:
        a sentence for each table or column that would be dropped though it holds something.
    """
    now = look.moment("before")
    recent = found.since.recent if found.since and found.since.database == now.database else "false"
    return [said for move in found.moves for said in _dropped(move, look, recent)]


def _dropped(move: Moved, look: Databases, recent: str) -> Iterator[str]:
    table = move.table
    if not move.to:
        rows, written = look.tally("before", table, recent=recent)
        if rows and not move.may_lose:
            yield f"{table} was empty in the rehearsal and would be dropped; it has {rows:,} rows now"
        elif rows > move.may_lose.of(rows) + written:
            yield f"{table} would be dropped with {rows:,} rows{_more(move.may_lose, rows, written)}"
    for column in move.emptied:
        if filled := look.tally("before", table, f"x.{identifier(column)} IS NOT NULL")[0]:
            yield f"{table}.{column} held nothing in the rehearsal; it holds {filled:,} values now"
    for column in move.blank:
        if filled := look.tally("before", table, f"{nothing_said(column).replace(ROW, 'x')} IS NOT NULL")[0]:
            yield f"{table}.{column} held one empty value in the rehearsal; it holds {filled:,} others now"
    for column, never in move.one_empty.items():
        if both := look.tally("before", table, never)[0]:
            what = "NULL" if never.endswith("NULL") else "an empty text"
            said = f"{table}.{column} never held {what} in the rehearsal; {both:,} rows have it now"
            yield f"{said}, and could not be told from others any more"
    for column, most in move.may_empty.items():
        filled, written = look.tally("before", table, f"x.{identifier(column)} IS NOT NULL", recent)
        rows = look.tally("before", table)[0]
        if filled > most.of(rows) + written:
            yield f"{table}.{column} would be dropped with {filled:,} values{_more(most, rows, written)}"


def _more(most: Limit, rows: int, written: int) -> str:
    since = f" and {written:,} were written since the rehearsal" if written else ""
    return f"; declared are at most {most.of(rows):,}{since}"


def hold(found: Certificate, old: Fingerprint, look: Databases, folder: Path, frozen: bool = True) -> Holdings:
    """Note what production holds.

    Args:
        found: the certificate, with where each table and column goes.
        old: production's fingerprint now.
        look: asks production; its ``before`` side.
        folder: takes the files of hashes.
        frozen: nobody writes until the migrations are through.
    """
    now, held = look.moment("before"), {}
    recent = found.since.recent if found.since and found.since.database == now.database else "false"
    for number, move in enumerate(found.moves):
        table = old.tables.get(move.table)
        if move.to and not move.tolerated and table and (frozen or move.reach):
            with look.still("before"):
                held[move.table] = _held(move, table, look, folder / f"hashes-{number}", frozen, recent)
                if move.allowances or move.may_lose:
                    held[move.table].written = look.tally("before", move.table, recent=recent)[1]
    sources = sum(_touched(look, table, rows, recent) for table, rows in found.sources.items())
    written = look.tally("before", "pg_catalog.pg_largeobject_metadata", recent=recent)[1] if old.large_objects else 0
    return Holdings(
        tables=held,
        large_objects=old.large_objects,
        objects_written=written,
        sources_written=sources,
        at=now.at,
        pace=pace(found.since, now),
    )


def _touched(look: Databases, table: str, rows: int, recent: str) -> int:
    """How many rows of a table were written since it had so many, or are gone since, whichever are more: a row that was
    written anew is both."""
    now, written = look.tally("before", table, recent=recent)
    return max(written, rows - (now - written))


def _held(move: Moved, table: Table, look: Look, file: Path, frozen: bool, recent: str) -> Held:
    def noted(proof: Proof, name: str) -> HeldProof:
        return _proof(proof, look, Path(f"{file}-{name}.txt"), summed=frozen and proof.exact)

    proofs = [noted(proof, f"{n}") for n, proof in enumerate(move.proofs) if not (move.whole and frozen)]
    # What was written since the rehearsal follows the declaration; of the others no more may go than it says.
    allowances = [noted(_older(one.proof, recent), f"allowed-{n}") for n, one in enumerate(move.allowances)]
    held = Held(rows=table.rows, checksum=table.checksum, proofs=proofs, allowances=allowances)
    if not frozen and (key := _key(move, table)):
        held.key, held.keys = key, noted(_older(key, recent) if move.may_lose else key, "keys")
    return held


def _older(proof: Proof, recent: str) -> Proof:
    """The same comparison, only of rows that were there at the rehearsal's backup."""
    return replace(proof, before=tuple(replace(one, where=f"NOT ({recent})") for one in proof.before))


def _key(move: Moved, table: Table) -> Proof | None:
    """The comparison of a table's keys alone; None where rows are told apart by other columns, too."""
    for proof in [*move.proofs, *(one.proof for one in move.allowances)]:
        if len(proof.before) == len(proof.after) == 1 and not proof.before[0].filled:
            both = zip(proof.before[0].pairs, proof.after[0].pairs, strict=True)
            pairs = [(one, two) for one, two in both if one.name in table.key]
            if pairs and len(pairs) == len(table.key):
                one, two = (tuple(pair[side] for pair in pairs) for side in (0, 1))
                return Proof((replace(proof.before[0], pairs=one),), (replace(proof.after[0], pairs=two),))
    return None


def _proof(proof: Proof, look: Look, file: Path, *, summed: bool) -> HeldProof:
    rows, checksum = look.checksum("before", proof.before) or (0, 0)
    if summed:
        return HeldProof(rows=rows, checksum=checksum)
    write_lines(file, map(str, look.hashes("before", proof.before)))
    return HeldProof(rows=rows, checksum=checksum, hashes=str(file))


def missing_tables(found: Certificate, new: Fingerprint) -> list[str]:
    """Say in what the schema is not that of the rehearsal, and which tables are not there, a sentence each."""
    rehearsed = Fingerprint(schema=found.schema_after, schema_parts=found.schema_parts_after)
    said = other_schema(rehearsed, new, "is not that of the rehearsal")
    return said + [f"{name} is missing" for move in found.moves for name in move.to if name not in new.tables]


def objections(found: Certificate, held: Holdings, new: Fingerprint, look: Look) -> list[str]:
    """What is not as rehearsed after the migrations of a frozen production, a sentence each. Nobody wrote in between,
    so every old row must be there to the last bit.

    Args:
        found: the certificate.
        held: what production held before.
        new: production's fingerprint after the migrations.
        look: asks production; its ``after`` side.
    """
    said = missing_tables(found, new)
    for move in found.moves:
        if move.to and move.table in held.tables and all(name in new.tables for name in move.to):
            said += _content(move, held.tables[move.table], new, look)
    return said


def beside(found: Certificate, held: Holdings, new: Fingerprint, now: Catalog, frozen: bool) -> list[str]:
    """What is not as rehearsed after the migrations beside tables, a sentence each.

    Args:
        now: production's catalog; the others as with ``objections``.
    """
    went = {move.table: Went(move.to, columns=move.renamed) for move in found.moves if move.to}
    said = []
    for one in judge_objects(went, held.catalog, now, held.catalog):
        lost, changed = (found.objects.get(one.what, {}).get(kind, NOTHING).of(one.before) for kind in LOST)
        if one.against and (one.lost > lost or one.changed > changed):
            said.append(one.sentence)
    was, there = held.large_objects or (0, 0), new.large_objects or (0, 0)
    if frozen and was != there:
        declared = sum(limit.of(was[0]) for limit in found.objects.get("large objects", {}).values())
        # What was made since the rehearsal follows the declaration.
        declared += held.objects_written if declared else 0
        if was[0] - there[0] > declared or (was[0] == there[0] and not declared):
            said.append(f"there are {there[0]:,} large objects, there were {was[0]:,}, or they have other content")
    return said


def _content(move: Moved, held: Held, new: Fingerprint, look: Look) -> list[str]:
    where = ", ".join(move.to)
    rows = sum(new.tables[name].rows for name in move.to)
    if rows < held.rows - allowed(move.may_lose, held):
        return [f"{where} has {rows:,} rows, {move.table} had {held.rows:,}{_declared(move.may_lose, held)}"]
    whole = (new.tables[move.to[0]].rows, new.tables[move.to[0]].checksum) == (held.rows, held.checksum)
    sound = (
        whole if move.whole else all(missing(*pair, look) == 0 for pair in zip(move.proofs, held.proofs, strict=True))
    )
    if not sound:
        return [f"{where} does not hold the content of {move.table}"]
    return [said for pair in zip(move.allowances, held.allowances, strict=True) if (said := _lacks(*pair, held, look))][
        :1
    ]


def allowed(most: Limit, held: Held) -> int:
    """Count the rows that may be gone by a declaration: what it says, and as many as were written since; none without
    one."""
    return most.of(held.rows) + held.written if most else 0


def _declared(most: Limit, held: Held) -> str:
    since = f", {held.written:,} of them written since the rehearsal" if held.written else ""
    return f"; declared are at most {allowed(most, held):,} lost{since}" if most else ""


def missing(proof: Proof, held: HeldProof, look: Look) -> int:
    """Count the rows of before that are not there; all of them where that can't be told row by row."""
    there = look.checksum("after", proof.after)
    if there == (held.rows, held.checksum):
        return 0
    if not held.hashes or there is None:
        return max(held.rows, 1)
    return difference(_numbers(Path(held.hashes)), look.hashes("after", proof.after))[0]


def _lacks(allowance: Allowance, proof: HeldProof, held: Held, look: Look) -> str:
    gone, most = missing(allowance.proof, proof, look), allowance.missing.of(held.rows)
    if gone <= most:
        return ""
    one, two = allowance.proof.before[0], allowance.proof.after[0]
    columns = ", ".join(pair.name for pair in one.pairs)
    return (
        f"{gone:,} rows of {one.table} are missing in {two.table} or changed; declared are at most {most:,} of those "
        f"that were rehearsed "
        f"(compared: {columns})"
    )


def _numbers(file: Path) -> Iterator[int]:
    with file.open() as lines:
        yield from map(int, lines)

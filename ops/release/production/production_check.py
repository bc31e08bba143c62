"""Compare production before and after a promotion with what the rehearsal proved."""

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
    """Hold one comparison's rows and checksum before the migrations.

    ``hashes`` names a file with the hash of every row. It is written if the migrations add rows or production is not
    frozen, because a checksum is not sufficient then.
    """

    rows: int
    checksum: int = 0
    hashes: str = ""


class Held(BaseModel):
    """Hold a table's rows, checksum and comparisons before the migrations.

    ``written``: rows written since the rehearsal's backup, by which a declared limit grows.
    ``key``, ``keys``: the comparison of the keys alone and its result, if users write during the migrations.
    ``allowances``: the comparisons in which declared rows may be missing.
    """

    rows: int
    checksum: int
    written: int = 0
    key: Proof | None = None
    keys: HeldProof | None = None
    proofs: list[HeldProof] = []
    allowances: list[HeldProof] = []


class Holdings(BaseModel):
    """Hold what production had right before its migrations.

    ``objects_written``: large objects created since the rehearsal's backup.
    ``sources_written``: rows that the migrations reach and that were written or deleted since the backup.
    ``at``: the time of the record by the server's clock.
    ``pace``: how fast users wrote between the backup and this record.
    """

    tables: dict[str, Held] = {}
    catalog: Catalog = Catalog()
    large_objects: tuple[int, int] | None = None
    objects_written: int = 0
    sources_written: int = 0
    at: float = 0
    pace: Pace = Pace()


def losses(found: Certificate, look: Databases) -> list[str]:
    """Find data of production that the migrations would drop although it was neither rehearsed nor declared.

    A declared limit grows by the rows written since the rehearsal's backup.

    Args:
        found: the certificate.
        look: queries production as its ``before`` side.

    Returns:
        A sentence for each table or column that would be dropped with data.
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
            yield f"{table}.{column} had no value in the rehearsal; it has {filled:,} values now"
    for column in move.blank:
        if filled := look.tally("before", table, f"{nothing_said(column).replace(ROW, 'x')} IS NOT NULL")[0]:
            yield f"{table}.{column} had only one empty value in the rehearsal; it has {filled:,} other values now"
    for column, never in move.one_empty.items():
        if both := look.tally("before", table, never)[0]:
            what = "NULL" if never.endswith("NULL") else "an empty text"
            said = f"{table}.{column} never had {what} in the rehearsal; {both:,} rows have it now"
            yield f"{said}, and would become equal to other rows"
    for column, most in move.may_empty.items():
        filled, written = look.tally("before", table, f"x.{identifier(column)} IS NOT NULL", recent)
        rows = look.tally("before", table)[0]
        if filled > most.of(rows) + written:
            yield f"{table}.{column} would be dropped with {filled:,} values{_more(most, rows, written)}"


def _more(most: Limit, rows: int, written: int) -> str:
    since = f", and {written:,} were written since the rehearsal" if written else ""
    return f"; the declared limit is {most.of(rows):,}{since}"


def hold(found: Certificate, old: Fingerprint, look: Databases, folder: Path, frozen: bool = True) -> Holdings:
    """Record what production holds before its migrations.

    Args:
        found: the certificate.
        old: production's fingerprint now.
        look: queries production as its ``before`` side.
        folder: receives the files of hashes.
        frozen: production is frozen during the migrations.
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
    """Return how many rows of a table were written or deleted since it had ``rows`` rows, whichever are more."""
    now, written = look.tally("before", table, recent=recent)
    return max(written, rows - (now - written))


def _held(move: Moved, table: Table, look: Look, file: Path, frozen: bool, recent: str) -> Held:
    def noted(proof: Proof, name: str, *, summed: bool = False) -> HeldProof:
        return _proof(proof, look, Path(f"{file}-{name}.txt"), summed=summed)

    complete = () if move.whole and frozen else move.proofs
    proofs = [noted(proof, f"{n}", summed=frozen and proof.exact) for n, proof in enumerate(complete)]
    # Rows written since the rehearsal raise the declared limit; the limit itself applies to the older rows. A checksum
    # cannot tell how many rows are missing.
    allowances = [noted(_older(one.proof, recent), f"allowed-{n}") for n, one in enumerate(move.allowances)]
    held = Held(rows=table.rows, checksum=table.checksum, proofs=proofs, allowances=allowances)
    if not frozen and (key := _key(move, table)):
        held.key, held.keys = key, noted(_older(key, recent) if move.may_lose else key, "keys")
    return held


def _older(proof: Proof, recent: str) -> Proof:
    """Return the comparison restricted to rows that existed at the rehearsal's backup."""
    return replace(proof, before=tuple(replace(one, where=f"NOT ({recent})") for one in proof.before))


def _key(move: Moved, table: Table) -> Proof | None:
    """Return the comparison of a table's keys alone, or None if the key is not compared on its own."""
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
    """Return a sentence for each difference of the schema from the rehearsal, and for each missing table."""
    rehearsed = Fingerprint(schema=found.schema_after, schema_parts=found.schema_parts_after)
    said = other_schema(rehearsed, new, "is not that of the rehearsal")
    return said + [f"{name} is missing" for move in found.moves for name in move.to if name not in new.tables]


def objections(found: Certificate, held: Holdings, new: Fingerprint, look: Look) -> list[str]:
    """Return a sentence for each difference of a frozen production from the rehearsal after its migrations.

    Nobody wrote during the freeze, so every old row must exist unchanged.

    Args:
        found: the certificate.
        held: what production held before.
        new: production's fingerprint after the migrations.
        look: queries production as its ``after`` side.
    """
    said = missing_tables(found, new)
    for move in found.moves:
        if move.to and move.table in held.tables and all(name in new.tables for name in move.to):
            said += _content(move, held.tables[move.table], new, look)
    return said


def beside(found: Certificate, held: Holdings, new: Fingerprint, now: Catalog, frozen: bool) -> list[str]:
    """Return a sentence for each object other than tables that differs from the rehearsal.

    Args:
        now: production's catalog. For the other arguments, see ``objections``.
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
        # Objects created since the rehearsal raise the declared limit.
        declared += held.objects_written if declared else 0
        if was[0] - there[0] > declared or (was[0] == there[0] and not declared):
            said.append(f"the large objects changed: {was[0]:,} before, {there[0]:,} now")
    return said


def _content(move: Moved, held: Held, new: Fingerprint, look: Look) -> list[str]:
    where = ", ".join(move.to)
    rows = sum(new.tables[name].rows for name in move.to)
    if rows < held.rows - allowed(move.may_lose, held):
        return [f"{where} has {rows:,} rows; {move.table} had {held.rows:,}{_declared(move.may_lose, held)}"]
    whole = (new.tables[move.to[0]].rows, new.tables[move.to[0]].checksum) == (held.rows, held.checksum)
    sound = (
        whole if move.whole else all(missing(*pair, look) == 0 for pair in zip(move.proofs, held.proofs, strict=True))
    )
    if not sound:
        return [f"{where} does not have all rows of {move.table} unchanged"]
    return [said for pair in zip(move.allowances, held.allowances, strict=True) if (said := _lacks(*pair, held, look))][
        :1
    ]


def allowed(most: Limit, held: Held) -> int:
    """Return how many rows a declaration lets go: its limit and the rows written since. 0 without a declaration."""
    return most.of(held.rows) + held.written if most else 0


def _declared(most: Limit, held: Held) -> str:
    since = f", {held.written:,} of them written since the rehearsal" if held.written else ""
    return f"; at most {allowed(most, held):,} may be lost as declared{since}" if most else ""


def missing(proof: Proof, held: HeldProof, look: Look) -> int:
    """Count the old rows that are missing. Return all of them if the rows cannot be compared one by one."""
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
        f"{gone:,} rows of {one.table} are missing in {two.table} or changed; the declared limit is {most:,} of the "
        f"rehearsed rows (compared: {columns})"
    )


def _numbers(file: Path) -> Iterator[int]:
    with file.open() as lines:
        yield from map(int, lines)

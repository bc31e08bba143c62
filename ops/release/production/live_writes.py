"""Separate what the migrations wrote from what users wrote to a production that was not frozen.

Tables that no operation reaches are not compared. Rows of the other tables are compared with the rows right before the
migrations. For missing and changed rows, a snapshot held during the migrations (``witness``) shows which of them the
migrations wrote. Without a snapshot, the rows are compared with the number that users can have written.
"""

from __future__ import annotations

from ops.release.certificate import Certificate, Moved
from ops.release.production.production_check import Held, Holdings, allowed, missing, missing_tables
from ops.release.production.witness import Witness
from ops.release.touched_tables import ROWS
from ops.verdict.databases import Databases
from ops.verdict.fingerprint import Fingerprint
from ops.verdict.model import BOOKKEEPING


def account(
    found: Certificate, held: Holdings, new: Fingerprint, look: Databases, witness: Witness | None = None
) -> tuple[list[str], list[str]]:
    """Compare production after its migrations with its rows before, while users wrote to it.

    Args:
        found: the certificate.
        held: what production held before.
        new: production's fingerprint after the migrations.
        look: queries production as its ``after`` side.
        witness: the snapshot held during the migrations, if any.

    Returns:
        A sentence for each change by the migrations that was not rehearsed, and sentences about rows that users wrote
        or can have written.
    """
    seconds = look.moment("after").at - held.at
    wrong, written, doubted = missing_tables(found, new), list[str](), list[str]()
    recorded = _recorders(found, new, look)
    own = f"x.xmin = ANY (ARRAY[{', '.join(map(repr, recorded))}]::xid[])" if recorded else ""
    mine = witness.transactions(look, recorded) if witness else ""
    for move in found.moves:
        if not move.to or move.table not in held.tables or not all(name in new.tables for name in move.to):
            continue
        with look.still("after"):
            counts = _counts(move, held.tables[move.table], look)
        said = _exceeded(move, counts, held, seconds) if move.reach == ROWS else []
        if move.wrote is False and own and (rows := sum(look.tally("after", name, own)[0] for name in move.to)):
            said.append(f"the migrations wrote {rows:,} rows of {move.table}, but none in the rehearsal")
        seen = witness.count(move, held.tables[move.table], look, mine) if witness and move.reach == ROWS else None
        said = said or _seen(move, seen, held, seconds)
        wrong += said
        if not said and any(counts):
            deleted = held.pace.gone(move.table, seconds)
            most = deleted + held.pace.changed(move.table, seconds)
            told = not (seen[2] and deleted) if seen else move.reach != ROWS
            (written if told else doubted).append(
                f"{move.table} {sum(counts):,}{'' if told else f' of at most {most:,}'}"
            )
    return wrong, _told(written, doubted)


def _told(written: list[str], doubted: list[str]) -> list[str]:
    """Return a sentence about rows that users wrote, and one about rows that users can have written."""
    said = [f"rows that users deleted or changed during the migrations: {', '.join(written)}"] if written else []
    if doubted:
        said.append(
            f"rows that are missing or changed, probably by users, who write as many: {', '.join(doubted)}; it is not "
            "proved that the migrations did not write them (with `freeze: always` it would be)"
        )
    return said


def _exceeded(move: Moved, counts: tuple[int, int], held: Holdings, seconds: float) -> list[str]:
    """Return a sentence if more rows are missing or changed than users can have written."""
    (gone, changed), pace, said = counts, held.pace, []
    least = held.tables[move.table]
    deleted, updated = pace.gone(move.table, seconds), pace.changed(move.table, seconds)
    if least.keys is None:
        gone, changed, updated = 0, gone + changed, updated + deleted
    for count, most, word, did in ((gone, deleted, "missing", "deleted"), (changed, updated, "changed", "changed")):
        if count > most:
            rate = f"at their rate before, users {did} at most {most:,}"
            if not pace.seconds:
                rate = f"nothing shows how many users {did}: the server's counters do not reach back to the backup"
            said.append(f"{count:,} of {least.rows:,} rows of {move.table} are {word} in {', '.join(move.to)}; {rate}")
    return said


def _seen(move: Moved, seen: tuple[int, int, bool] | None, held: Holdings, seconds: float) -> list[str]:
    """Return a sentence if the migrations deleted or changed more rows than is declared."""
    if seen is None:
        return []
    (gone, changed, updated), least = seen, held.tables[move.table]
    # Users may have deleted a row after the migrations updated the row.
    most = allowed(move.may_lose, least) + (held.pace.gone(move.table, seconds) if updated else 0)
    said = [f"the migrations deleted {gone:,} of {least.rows:,} rows of {move.table}"] if gone > most else []
    return said + ([f"the migrations changed {changed:,} of {least.rows:,} rows of {move.table}"] if changed else [])


def _recorders(found: Certificate, new: Fingerprint, look: Databases) -> list[str]:
    """Return the transactions that recorded the migrations in Django's table."""
    table = next((name for name in new.tables if name.split(".")[-1] == BOOKKEEPING[-1]), "")
    return look.writers("after", table, [name for name, _ in found.pending]) if table else []


def _counts(move: Moved, held: Held, look: Databases) -> tuple[int, int]:
    """Count the missing rows and the changed rows, without the declared rows."""
    counted = [missing(*pair, look) for pair in zip(move.proofs, held.proofs, strict=True)]
    for allowance, proof in zip(move.allowances, held.allowances, strict=True):
        counted.append(max(missing(allowance.proof, proof, look) - allowance.missing.of(held.rows), 0))
    every = max(counted, default=0)
    gone = missing(held.key, held.keys, look) - move.may_lose.of(held.rows) if held.key and held.keys else 0
    return max(gone, 0), max(every - max(gone, 0), 0)

"""Production after a promotion, held against what the rehearsal proved."""

from __future__ import annotations

from ops.certificate import Certificate, Moved
from ops.fingerprint import Fingerprint, Pair
from ops.verdict import Look


def objections(found: Certificate, old: Fingerprint, new: Fingerprint, look: Look, frozen: bool) -> list[str]:
    """What is not as rehearsed, a sentence each.

    Args:
        found: the certificate, with where each table and column went.
        old: production before the migrations.
        new: production after them.
        look: asks production; only its ``after`` side is used.
        frozen: nobody wrote in between, so content must be equal to the last bit. Otherwise the application may have
            gone on writing: then no table may be missing, emptied or hold fewer rows.
    """
    said = [] if new.schema == found.schema_after else ["its schema is not that of the rehearsal"]
    for move in found.moves:
        if move.to not in new.tables:
            said.append(f"{move.to} is missing")
        elif move.table in old.tables:
            said += _content(move, old, new, look, frozen)
    return said


def _content(move: Moved, old: Fingerprint, new: Fingerprint, look: Look, frozen: bool) -> list[str]:
    was, is_now = old.tables[move.table], new.tables[move.to]
    if is_now.rows < was.rows:
        return [f"{move.to} has {is_now.rows:,} rows, {move.table} had {was.rows:,}"]
    # A table to which the migrations add rows can't be compared as a whole; its old rows were proved in the rehearsal.
    if not frozen or not move.exact or set(move.columns) != set(was.names):
        return []
    pairs = [Pair(move.columns[column.name], column.read_as) for column in was.columns]
    if look.checksum("after", move.to, pairs) != (was.rows, was.checksum):
        return [f"{move.to} does not hold the content of {move.table}"]
    return []

"""The certificate: a rehearsal's result, bound to what it is valid for. Promotion asks for it.

It binds all that the rehearsal stood on (``Bound``), and it expires. Its file carries a seal over its own content, so
that one that was edited is not taken for one that was issued.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from ops.core.errors import Refused
from ops.core.files import write_whole
from ops.core.permissions import whole_id
from ops.core.sql_names import split_names
from ops.release.measuring.migration_metrics import Measured
from ops.release.measuring.recovery_time import Recovery
from ops.release.new_tables import Fresh
from ops.release.touched_tables import ROWS
from ops.verdict.expect.expectations import KINDS
from ops.verdict.expect.limits import NOTHING, Allowed, Limit, total
from ops.verdict.fingerprint import Fingerprint, Table, equal
from ops.verdict.model import TableVerdict, Verdict
from ops.verdict.moment import Moment
from ops.verdict.result_comparison import Made
from ops.verdict.row_hash import Pair, Proof, Source

Migrations = tuple[tuple[str, str], ...]


class Bound(BaseModel):
    """What a certificate is valid for; compared field by field.

    ``migrations`` are the pending ones, name and sha256 of the file, in their order; ``changes`` is a digest of what is
    not committed; ``manifest`` and ``expectations`` are sha256 of files, empty where there is none; ``checks`` are the
    application's checks that passed.
    """

    model_config = ConfigDict(frozen=True)

    migrations: Migrations
    commit: str
    changes: str
    system: str
    database: str
    schema_digest: str
    applied: tuple[str, ...]
    backup: str
    manifest: str
    server: str
    tool: str
    expectations: str
    checks: tuple[str, ...]


class Allowance(BaseModel):
    """A comparison in which at most so many rows may be missing on the other side, since that is declared."""

    model_config = ConfigDict(frozen=True)

    proof: Proof
    missing: Limit


class Moved(BaseModel):
    """Where a table's rows and columns went in the rehearsal.

    ``to`` is empty where the table is removed: it was empty, and must be. ``whole`` means that nothing about it may
    change; else ``proofs`` are the comparisons that have to hold. ``tolerated``: Django keeps the table itself;
    ``emptied`` are columns that are removed: they held no value, and must not; ``blank`` are those that held one empty
    value and no other; ``one_empty`` those of which NULL, or an empty text, says what the other one said, with the SQL
    over ``x`` of what must not be there; ``renamed`` are called otherwise now. ``reach`` is how the operations reach
    the table (``ops.release.touched_tables``), empty where none does; ``wrote`` whether they wrote rows of it on the
    clone, None where that was not measured.

    What is declared may be lost or changed, at most so much: ``may_lose`` rows, the values in ``may_empty`` of columns
    that are removed; ``allowances`` are the comparisons in which so many rows may be missing.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    to: tuple[str, ...]
    whole: bool = False
    proofs: tuple[Proof, ...] = ()
    tolerated: bool = False
    emptied: tuple[str, ...] = ()
    blank: tuple[str, ...] = ()
    one_empty: dict[str, str] = {}
    renamed: dict[str, str] = {}
    reach: str = ROWS
    wrote: bool | None = None
    may_lose: Limit = NOTHING
    may_empty: dict[str, Limit] = {}
    allowances: tuple[Allowance, ...] = ()


def moves(
    verdict: Verdict,
    before: Fingerprint,
    after: Fingerprint,
    allowed: Mapping[str, Allowed],
    reaches: Mapping[str, str] | None = None,
) -> tuple[Moved, ...]:
    """What a verdict says of every old table, as far as production must follow it.

    Args:
        verdict: what became of every table.
        before: fingerprint of the clone as it was.
        after: fingerprint of the migrated clone.
        allowed: what is declared, by table.
        reaches: how the operations reach each table, as far as that is known.
    """
    moved = (
        _moved(found, before.tables.get(found.table), after, allowed.get(found.table, Allowed()))
        for found in verdict.tables
        if found.verdict != "added"
    )
    return tuple(one.model_copy(update={"reach": _reach(one, reaches)}) for one in moved)


def _reach(move: Moved, reaches: Mapping[str, str] | None) -> str:
    """A table that came out of the rehearsal as another one was reached, whatever the operations say."""
    return ROWS if reaches is None or not (move.whole or move.table in reaches) else reaches.get(move.table, "")


def _moved(found: TableVerdict, old: Table | None, after: Fingerprint, allowed: Allowed) -> Moved:
    kept = found.table in after.tables and (found.mapping or found.verdict not in ("lost", "declared", "removed"))
    to = split_names(found.to) if found.to else (found.table,) if kept else ()
    dropped = [c for c in found.columns if c.column not in found.mapping and c.verdict in ("removed", "declared")]
    gone = {c.column for c in dropped if c.proof is None}
    allowances = list(_allowances(found, old, after.tables[to[0]], allowed)) if old and len(to) == 1 else []
    # What is declared may happen on production, though the rehearsal had no such row.
    loose = {proof: most for proof in found.proofs if (most := _most(proof, allowed))} if allowances else {}
    allowances += [Allowance(proof=replace(proof, exact=False), missing=most) for proof, most in loose.items()]
    anew = [c for c in found.columns if c.verdict == "re-expressed"]
    same = found.verdict == "unchanged" and old is not None and equal(old, after.tables.get(found.table))
    return Moved(
        table=found.table,
        to=to,
        whole=same and not loose,
        proofs=tuple(proof for proof in found.proofs if proof not in loose),
        tolerated=found.tolerated,
        emptied=tuple(sorted(gone - allowed.columns.keys())),
        blank=tuple(c.column for c in anew if c.blank),
        one_empty={c.column: c.never for c in anew if c.never},
        renamed={old_name: name for old_name, name in found.mapping.items() if old_name != name},
        may_lose=allowed.rows.get("lost", NOTHING),
        may_empty={name: allowed.columns[name].get("lost", NOTHING) for name in sorted(gone & allowed.columns.keys())},
        allowances=(*allowances, *_elsewhere(found, allowed)),
    )


def _most(proof: Proof, allowed: Allowed) -> Limit:
    """How many rows may be missing in a comparison: those of which it is declared, and those with such a value."""
    read = {pair.name for source in proof.before for pair in source.pairs}
    named = [allowed.columns.get(name, {}) for name in sorted(read)]
    values = total(amounts.get(kind, NOTHING) for amounts in named for kind in KINDS)
    return allowed.rows.get("lost", NOTHING) + allowed.rows.get("changed", NOTHING) + values


def _elsewhere(found: TableVerdict, allowed: Allowed) -> Iterator[Allowance]:
    """The comparisons of what is somewhere else but for the rows or values that are declared lost."""
    if found.proof and allowed.rows.get("lost"):
        yield Allowance(proof=found.proof, missing=allowed.rows["lost"])
    for column in found.columns:
        if column.proof and column.column in allowed.columns:
            yield Allowance(proof=column.proof, missing=allowed.columns[column.column].get("lost", NOTHING))


def reached(moved: Sequence[Moved], tables: Iterable[str]) -> tuple[Moved, ...]:
    """Note of which tables the migrations wrote rows on the clone, as that was measured."""
    written = set(tables)
    return tuple(
        move.model_copy(update={"wrote": True, "reach": ROWS} if move.table in written else {"wrote": False})
        for move in moved
    )


def _allowances(found: TableVerdict, old: Table, new: Table, allowed: Allowed) -> Iterator[Allowance]:
    """The comparisons in which what is declared may be missing: over all columns that are read alike on both sides; and
    where the declarations name columns, over the others, in which nothing may differ."""
    values = {
        name: total(amounts.get(kind, NOTHING) for kind in KINDS)
        for name, amounts in allowed.columns.items()
        if name in found.mapping
    }
    lose, by_row = allowed.rows.get("lost", NOTHING), allowed.rows.get("changed", NOTHING)
    if not lose and not by_row and not any(values.values()):
        return
    elsewhere = {
        column.column for column in found.columns if column.verdict in ("repointed", "renumbered", "re-expressed")
    }
    there = {column.name: column.read_as for column in new.columns}
    alike = [
        (Pair(column.name, column.read_as), Pair(found.mapping[column.name], column.read_as))
        for column in old.columns
        if column.name not in elsewhere and there.get(found.mapping.get(column.name, "")) == column.read_as
    ]
    yield Allowance(proof=_proof(old, new, alike), missing=lose + by_row + total(values.values()))
    if any(values.values()) and not by_row:
        others = [pair for pair in alike if not values.get(pair[0].name)]
        yield Allowance(proof=_proof(old, new, others), missing=lose)


def _proof(old: Table, new: Table, pairs: Sequence[tuple[Pair, Pair]]) -> Proof:
    one, two = tuple(before for before, _ in pairs), tuple(after for _, after in pairs)
    return Proof((Source(old.name, one),), (Source(new.name, two),))


# The file in which a comparison leaves that, beside the verdict.
MOVES = "moves.json"


class Proved(BaseModel):
    """What the comparison leaves for the certificate: where everything goes, what is declared beside tables, what the
    migrations made of rows, and the declarations that it was held against (the file's sha256). ``fresh`` are the
    tables that they made, ``sources`` how many rows each table had that they reach; ``since`` is the moment of the
    backup."""

    moves: tuple[Moved, ...]
    expectations: str = ""
    objects: dict[str, dict[str, Limit]] = {}
    made: tuple[Made, ...] = ()
    fresh: tuple[Fresh, ...] = ()
    sources: dict[str, int] = {}
    since: Moment | None = None


class Certificate(BaseModel):
    """A rehearsal that held. ``recovery`` is how long the way back took in it, None where it was not tried;
    ``measured`` what the migrations cost on the clone, None where that was not measured; ``excluded`` the tables whose
    rows stayed out of the backup, and so of the rehearsal, with about how many those were; ``beside`` says what of the
    backup was restored beside production, empty where that was not tried; ``objects`` how much of what is no table may
    be lost or changed, as declared; ``made`` and ``fresh`` what the migrations wrote into rows, old and new ones, and
    ``sources`` how many rows each table had that they reach; ``since``
    the moment of the backup, None where it is not known; ``schema_parts_after`` the parts of ``schema_after``
    (``ops.verdict.fingerprint``).
    """

    model_config = ConfigDict(frozen=True)

    certificate: str
    target: str
    issued_at: AwareDatetime
    expires_at: AwareDatetime
    bound: Bound
    recovery: Recovery | None
    schema_after: str
    schema_parts_after: dict[str, str] = {}
    moves: tuple[Moved, ...]
    measured: Measured | None = None
    excluded: dict[str, int] = {}
    beside: str = ""
    objects: dict[str, dict[str, Limit]] = {}
    made: tuple[Made, ...] = ()
    fresh: tuple[Fresh, ...] = ()
    sources: dict[str, int] = {}
    since: Moment | None = None

    @property
    def pending(self) -> Migrations:
        """The rehearsed migrations, name and sha256 of the file, in their order."""
        return self.bound.migrations


def path(folder: Path, name: str) -> Path:
    """Where a certificate is kept in a target's folder.

    Raises:
        UsageError: that is no certificate's name.
    """
    return folder / "certificates" / f"{whole_id(name, 'name of a certificate')}.json"


def write(folder: Path, certificate: Certificate) -> None:
    """Keep a certificate; the file appears whole."""
    content = certificate.model_dump(mode="json")
    text = json.dumps({"seal": _seal(certificate), **content}, indent=1, ensure_ascii=False)
    write_whole(path(folder, certificate.certificate), text)


def _seal(certificate: Certificate) -> str:
    # One from before there was such a field is as valid as it was.
    since_then = ("excluded", "beside", "objects", "made", "fresh", "sources", "since", "schema_parts_after")
    without = {name for name in since_then if not getattr(certificate, name)} or None
    return hashlib.sha256(certificate.model_dump_json(exclude=without).encode()).hexdigest()


def read(folder: Path, name: str) -> Certificate:
    """Read a certificate.

    Raises:
        Refused: it is missing or damaged, or somebody edited it.
    """
    hint = f"inv release --target={folder.name}"
    if not name:
        raise Refused(f"{folder.name}: there is no certificate (none was issued)", hint)
    try:
        content = json.loads(path(folder, name).read_bytes())
        seal = content.pop("seal", "")
        found = Certificate.model_validate(content)
    except OSError:
        raise Refused(f"{folder.name}: there is no certificate {name}", hint) from None
    except (ValueError, TypeError, AttributeError, ValidationError, RecursionError):
        raise Refused(f"{folder.name}: certificate {name} is damaged, or of another version", hint) from None
    if seal != _seal(found) or found.certificate != name:
        raise Refused(f"{folder.name}: certificate {name} was edited after it was issued", hint)
    return found


def newest(folder: Path) -> str:
    """The name of the newest certificate; empty where there is none."""
    names = sorted(file.stem for file in (folder / "certificates").glob("*.json"))
    return names[-1] if names else ""


def partly(certificate: Certificate, applied: set[str], pending: list[tuple[str, str]]) -> list[str]:
    """Why going on with a promotion that stopped between two migrations is not what was rehearsed; empty where it is.

    Args:
        applied: the migrations that production has now.
        pending: those that are left, with the sha256 of their files.
    """
    names = [name for name, _ in certificate.pending]
    done = [name for name in names if name in applied]
    said = []
    if applied - set(names) != set(certificate.bound.applied):
        said.append("other migrations were applied meanwhile")
    if pending != [entry for entry in certificate.pending if entry[0] not in done]:
        said.append("the migrations that are left are not those of the rehearsal")
    return said

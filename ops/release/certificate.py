"""Write and read certificates: the result of a rehearsal, which a promotion requires.

A certificate is bound to everything that the rehearsal depended on (``Bound``), and expires. Its file has a seal over
its content, so that an edited certificate is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from ops.verdict.model import ColumnVerdict, TableVerdict, Verdict
from ops.verdict.moment import Moment
from ops.verdict.result_comparison import Made
from ops.verdict.row_hash import Pair, Proof, Source

Migrations = tuple[tuple[str, str], ...]


class Bound(BaseModel):
    """Hold what a certificate is valid for. The fields are compared one by one.

    ``migrations`` are the pending migrations in order, with name and sha256 of the file. ``changes`` is a digest of the
    uncommitted changes. ``manifest`` and ``expectations`` are the sha256 of files, or empty without a file. ``checks``
    are the application's checks that passed.
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
    """Hold a comparison and the declared number of rows that may be missing in it."""

    model_config = ConfigDict(frozen=True)

    proof: Proof
    missing: Limit


class Moved(BaseModel):
    """Hold where a table's rows and columns went in the rehearsal.

    ``to``: the new tables. Empty if the table is removed; the table then was empty and must be empty on production.
    ``whole``: nothing in the table may change. Otherwise ``proofs`` are the comparisons that must hold.
    ``tolerated``: Django maintains the table.
    ``emptied``: removed columns that held no value and must hold none on production.
    ``blank``: columns that held one empty value and no other value.
    ``one_empty``: columns in which NULL and an empty text now mean the same, with the SQL over ``x`` that finds the
    forbidden values.
    ``renamed``: old column names to new column names.
    ``reach``: how the operations reach the table (``ops.release.touched_tables``), or empty.
    ``wrote``: whether the operations wrote rows of the table on the clone, or None if that was not measured.
    ``may_lose``, ``may_empty``: the declared limits for lost rows and for values of removed columns.
    ``allowances``: the comparisons in which declared rows may be missing.
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
    """Return where each old table went, as production must repeat it.

    Args:
        verdict: the verdict on every table.
        before: fingerprint of the clone before the migrations.
        after: fingerprint of the migrated clone.
        allowed: the declarations by table.
        reaches: how the operations reach each table, or None if unknown.
    """
    moved = (
        _moved(found, before.tables.get(found.table), after, allowed.get(found.table, Allowed()))
        for found in verdict.tables
        if found.verdict != "added"
    )
    return tuple(one.model_copy(update={"reach": _reach(one, reaches)}) for one in moved)


def _reach(move: Moved, reaches: Mapping[str, str] | None) -> str:
    """Return how a table was reached. A table that the rehearsal changed counts as reached in any case."""
    return ROWS if reaches is None or not (move.whole or move.table in reaches) else reaches.get(move.table, "")


def _moved(found: TableVerdict, old: Table | None, after: Fingerprint, allowed: Allowed) -> Moved:
    kept = found.table in after.tables and (found.mapping or found.verdict not in ("lost", "declared", "removed"))
    to = split_names(found.to) if found.to else (found.table,) if kept else ()
    dropped = [c for c in found.columns if c.column not in found.mapping and _dropped(c)]
    gone = {c.column for c in dropped if c.proof is None}
    allowances = list(_allowances(found, old, after.tables[to[0]], allowed)) if old and len(to) == 1 else []
    # A declared loss may happen on production even if the rehearsal had no such row.
    loose = {proof: most for proof in found.proofs if (most := _most(proof, allowed))}
    allowances += [Allowance(proof=proof, missing=most) for proof, most in loose.items()]
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
        one_empty={c.column: c.never for c in found.columns if c.never},
        renamed={old_name: name for old_name, name in found.mapping.items() if old_name != name},
        may_lose=allowed.rows.get("lost", NOTHING),
        may_empty={name: allowed.columns[name].get("lost", NOTHING) for name in sorted(gone & allowed.columns.keys())},
        allowances=(*allowances, *_elsewhere(found, allowed)),
    )


def _dropped(column: ColumnVerdict) -> bool:
    """Return True if a column without a new column is gone. A renumbered key with declared changes is not."""
    return column.verdict == "removed" or column.verdict == "declared" and not column.changed


def _most(proof: Proof, allowed: Allowed) -> Limit:
    """Return how many rows may be missing in a comparison: the declared rows, and rows with declared values."""
    read = {pair.name for source in proof.before for pair in source.pairs}
    named = [allowed.columns.get(name, {}) for name in sorted(read)]
    values = total(amounts.get(kind, NOTHING) for amounts in named for kind in KINDS)
    return allowed.rows.get("lost", NOTHING) + allowed.rows.get("changed", NOTHING) + values


def _elsewhere(found: TableVerdict, allowed: Allowed) -> Iterator[Allowance]:
    """Yield the comparisons of rows and values that moved, without those that are declared lost."""
    if found.proof and allowed.rows.get("lost"):
        yield Allowance(proof=found.proof, missing=allowed.rows["lost"])
    for column in found.columns:
        if column.proof and column.column in allowed.columns:
            yield Allowance(proof=column.proof, missing=allowed.columns[column.column].get("lost", NOTHING))


def reached(moved: Sequence[Moved], tables: Iterable[str]) -> tuple[Moved, ...]:
    """Set ``wrote`` of each table by the tables that the migrations were measured to write on the clone."""
    written = set(tables)
    return tuple(
        move.model_copy(update={"wrote": True, "reach": ROWS} if move.table in written else {"wrote": False})
        for move in moved
    )


def _allowances(found: TableVerdict, old: Table, new: Table, allowed: Allowed) -> Iterator[Allowance]:
    """Yield the comparisons in which declared rows may be missing.

    The first compares all columns that are read alike on both sides. If the declarations name columns, the second
    compares the other columns, which must not differ.
    """
    values = {
        name: total(amounts.get(kind, NOTHING) for kind in KINDS)
        for name, amounts in allowed.columns.items()
        if name in found.mapping
    }
    lose, by_row = allowed.rows.get("lost", NOTHING), allowed.rows.get("changed", NOTHING)
    if not lose and not by_row and not any(values.values()):
        return
    ruled = {column.column for column in found.columns if column.rule}
    elsewhere = {
        column.column for column in found.columns if column.verdict in ("repointed", "renumbered", "re-expressed")
    } - ruled
    there = {column.name: column.read_as for column in new.columns}
    plain = {
        column.name: (Pair(column.name, column.read_as), Pair(found.mapping[column.name], column.read_as))
        for column in old.columns
        if column.name not in elsewhere
        and (column.name in ruled or there.get(found.mapping.get(column.name, "")) == column.read_as)
    }
    # As the verdict read them: 0.2500 and 0.25 are one number, and not the same bytes.
    alike = [found.pairs.get(name, both) for name, both in plain.items()]
    yield Allowance(proof=_proof(old, new, alike), missing=lose + by_row + total(values.values()))
    if any(values.values()) and not by_row:
        others = [pair for pair in alike if not values.get(pair[0].name)]
        yield Allowance(proof=_proof(old, new, others), missing=lose)


def _proof(old: Table, new: Table, pairs: Sequence[tuple[Pair, Pair]]) -> Proof:
    one, two = tuple(before for before, _ in pairs), tuple(after for _, after in pairs)
    return Proof((Source(old.name, one),), (Source(new.name, two),))


# The file in which a comparison writes ``Proved``, beside the verdict.
MOVES = "moves.json"


class Proved(BaseModel):
    """Hold what a comparison passes to the certificate.

    ``moves``: where each table went. ``expectations``: the sha256 of the declarations. ``objects``: the declarations
    for objects other than tables. ``made``: the values that the migrations wrote into old rows. ``fresh``: the tables
    that the migrations created. ``sources``: the rows of each table that the migrations reach. ``since``: the moment of
    the backup.
    """

    moves: tuple[Moved, ...]
    expectations: str = ""
    objects: dict[str, dict[str, Limit]] = {}
    made: tuple[Made, ...] = ()
    fresh: tuple[Fresh, ...] = ()
    sources: dict[str, int] = {}
    since: Moment | None = None


class Certificate(BaseModel):
    """Hold the result of a rehearsal that succeeded.

    ``recovery``: how long the recovery took in the rehearsal, or None if it was not rehearsed.
    ``measured``: what the migrations cost on the clone, or None if that was not measured.
    ``excluded``: the tables whose rows are not in the backup, with their estimated rows.
    ``beside``: what the trial restore beside production restored, or empty if it was not run.
    ``objects``: the declared limits for objects other than tables.
    ``made``, ``fresh``: the values that the migrations wrote into old rows, and the tables that they created.
    ``sources``: the rows of each table that the migrations reach.
    ``since``: the moment of the backup, or None if unknown.
    ``schema_parts_after``: the parts of ``schema_after`` (``ops.verdict.fingerprint``).
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
        """Return the rehearsed migrations in order, with name and sha256 of the file."""
        return self.bound.migrations


def path(folder: Path, name: str) -> Path:
    """Return the path of a certificate in a target's folder.

    Raises:
        UsageError: the name is not the name of a certificate.
    """
    return folder / "certificates" / f"{whole_id(name, 'name of a certificate')}.json"


def write(folder: Path, certificate: Certificate) -> None:
    """Write a certificate atomically."""
    content = certificate.model_dump(mode="json")
    text = json.dumps({"seal": _seal(certificate), **content}, indent=1, ensure_ascii=False)
    write_whole(path(folder, certificate.certificate), text)


def _seal(certificate: Certificate) -> str:
    # A certificate written by a version without these fields remains valid.
    since_then = ("excluded", "beside", "objects", "made", "fresh", "sources", "since", "schema_parts_after")
    without = {name for name in since_then if not getattr(certificate, name)} or None
    return hashlib.sha256(certificate.model_dump_json(exclude=without).encode()).hexdigest()


def read(folder: Path, name: str) -> Certificate:
    """Read a certificate.

    Raises:
        Refused: the certificate is missing, damaged or edited.
    """
    hint = f"inv release --target={folder.name}"
    if not name:
        raise Refused(f"{folder.name}: there is no certificate: no rehearsal has succeeded yet", hint)
    try:
        content = json.loads(path(folder, name).read_bytes())
        seal = content.pop("seal", "")
        found = Certificate.model_validate(content)
    except OSError:
        raise Refused(f"{folder.name}: there is no certificate {name}", hint) from None
    except (ValueError, TypeError, AttributeError, ValidationError, RecursionError):
        raise Refused(f"{folder.name}: certificate {name} is damaged or was written by another version", hint) from None
    if seal != _seal(found) or found.certificate != name:
        raise Refused(f"{folder.name}: certificate {name} was edited after it was issued", hint)
    return found


def newest(folder: Path) -> str:
    """Return the name of the newest certificate, or an empty string."""
    names = sorted(file.stem for file in (folder / "certificates").glob("*.json"))
    return names[-1] if names else ""


def partly(certificate: Certificate, applied: set[str], pending: list[tuple[str, str]]) -> list[str]:
    """Return why an interrupted promotion cannot continue as rehearsed, or an empty list.

    Args:
        applied: the migrations that production has now.
        pending: the pending migrations, with the sha256 of their files.
    """
    names = [name for name, _ in certificate.pending]
    done = [name for name in names if name in applied]
    said = []
    if applied - set(names) != set(certificate.bound.applied):
        said.append("other migrations were applied since the rehearsal")
    if pending != [entry for entry in certificate.pending if entry[0] not in done]:
        said.append("the pending migrations are not those of the rehearsal")
    return said

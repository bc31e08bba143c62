"""Resolve the request of a salvage against the backup and the live database, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.core.errors import Refused, UsageError
from ops.core.sql_names import quoted
from ops.engine import journal
from ops.engine.inputs import SalvageInputs
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores.manifest import Manifest
from ops.recovery.salvage import column_mapping
from ops.recovery.salvage.column_mapping import Homes, Pairing, Verdicts
from ops.recovery.salvage.live_catalog import Catalog, read_catalog
from ops.recovery.salvage.names import resolve, split
from ops.recovery.salvage.related_tables import LINKED, RELATED, related
from ops.verdict import fingerprint
from ops.verdict.fingerprint import Fingerprint, not_backed_up

WHICH = "salvage: no table is named"
LOOK = "inv recover   lists missing rows, and what to type   or   inv salvage --backup=ID --table=NAME"


@dataclass(frozen=True)
class Asked:
    """The request of the command line.

    Args:
        tables: tables of the backup.
        into: the live tables for their rows, by position; empty to determine them.
        related: salvage related rows, too.
        new_keys: give new keys to rows whose key is in use.
        values: values for columns, as COLUMN=VALUE.
    """

    tables: tuple[str, ...]
    into: tuple[str, ...] = ()
    related: bool = False
    new_keys: bool = False
    values: tuple[str, ...] = ()

    @classmethod
    def read(
        cls, tables: Sequence[str], into: Sequence[str], *, related: bool, new_keys: bool, values: Sequence[str]
    ) -> Asked:
        """Parse flags that may be repeated, or hold several names separated by commas.

        Raises:
            UsageError: no table is named, or there are more live tables than tables.
        """
        named = tuple(name for text in tables for name in split(text) if name)
        places = tuple(name for text in into for name in split(text))
        if not named:
            raise UsageError(WHICH, LOOK)
        if len(places) > len(named):
            raise UsageError(f"salvage: {len(places)} live tables for {len(named)} tables", "--table=a,b --into=x,y")
        for value in values:
            if "=" not in value:
                raise UsageError(f"salvage: --set={value} is not COLUMN=VALUE", "--set=notes=")
        return cls(named, places, related, new_keys, tuple(values))


def bound(session: Session, target: str, manifest: Manifest, wanted: Asked | None) -> SalvageInputs:
    """Find the requested tables and the live tables for their rows.

    Raises:
        UsageError: a name is not that of a table.
        Refused: the live table cannot be determined, or rows do not fit.
    """
    if wanted is None:
        raise UsageError(WHICH, LOOK)
    folder = target_folder(session, target)
    old = fingerprint.read(folder / "backups" / manifest.backup / "fingerprint.jsonl")
    with session.connect(target) as connection:
        live = read_catalog(connection)
        chosen, main = _named(wanted, manifest, old, live)
        _hold_rows(target, manifest, main)
        found = column_mapping.homes(old, live, chosen, verdicts(folder))
        pairings = [_paired(name, target, old, live, found, wanted) for name in main]
        counts = {}
        for pairing in pairings:
            row = connection.execute(f"SELECT count(*) FROM {live[pairing.into].rows}".encode()).fetchone()
            counts[pairing.into] = int(row[0]) if row else 0
    sources = {into: source for source, into in found.tables.items()}
    others = related(live, sources, [pairing.into for pairing in pairings], wanted.related)
    out = [other[0] for other in others if other[0] in manifest.excluded]
    others = [other for other in others if other[0] not in out]
    apart = {other: _objections(old, live, found, other[:2], wanted) for other in others if other[2] == RELATED}
    others = [other for other in others if not apart.get(other)]
    pairs = tuple((pairing.source, pairing.into) for pairing in pairings)
    return SalvageInputs(
        tables=pairs,
        related=tuple((a, b) for a, b, role in others if role == RELATED),
        linked=tuple((a, b) for a, b, role in others if role == LINKED),
        new_keys=wanted.new_keys,
        values=wanted.values,
        notes=(
            *(line for p in pairings for line in _notes(p, manifest.rows[p.source], counts[p.into])),
            *(f"{name} is left out: the backup has no rows of it" for name in out),
            *(f"{other[0]} is left out: {wrong[0][0]}" for other, wrong in apart.items() if wrong),
        ),
    )


def _hold_rows(target: str, manifest: Manifest, names: Sequence[str]) -> None:
    """Refuse a table that the backup excludes."""
    if out := {name: manifest.excluded[name] for name in names if name in manifest.excluded}:
        hint = f"inv backups --target={target}   lists the backups that hold them"
        raise Refused(f"{target}: {manifest.backup} lacks the rows: {not_backed_up(out)}; nothing was changed", hint)


def _named(wanted: Asked, manifest: Manifest, old: Fingerprint, live: Catalog) -> tuple[dict[str, str], list[str]]:
    """Return the requested tables of the backup, and those with a requested live table."""
    chosen, main = {}, []
    for number, typed in enumerate(wanted.tables):
        names = _whole(typed, manifest, old, live)
        place = wanted.into[number] if number < len(wanted.into) else ""
        if place and len(names) > 1:
            raise UsageError(f"{typed} is partitioned: name a partition", f"--table={names[0]} --into={place}")
        if place:
            chosen[names[0]] = resolve(place, list(live), manifest.database)
        main += [name for name in names if name not in main]
    return chosen, main


def _whole(typed: str, manifest: Manifest, old: Fingerprint, live: Catalog) -> list[str]:
    """Return one table, or the partitions of a partitioned table, which hold the rows."""
    split_up = [
        table for table in live.values() if table.partitioned and typed in (table.name, table.name.split(".")[-1])
    ]
    if split_up and (names := [name for name in split_up[0].partitions if name in old.tables]):
        return names
    return [resolve(typed, list(old.tables), f"backup {manifest.backup}")]


def _paired(name: str, target: str, old: Fingerprint, live: Catalog, found: Homes, wanted: Asked) -> Pairing:
    if name not in found.tables:
        several = found.several.get(name, [])
        what = (
            f"could go into {' or '.join(several)}" if several else "is not live, and no new table has all its columns"
        )
        hint = f"--table={name} --into={several[0] if several else 'NAME'}"
        raise Refused(f"{target}: {name} {what}; name the live table for its rows; nothing was changed", hint)
    into = found.tables[name]
    if wrong := _objections(old, live, found, (name, into), wanted):
        raise Refused(f"{target}: {name} → {into}: {wrong[0][0]}; nothing was changed", wrong[0][1])
    return found.pair(old, live, name, into)


def _objections(
    old: Fingerprint, live: Catalog, found: Homes, pair: Sequence[str], wanted: Asked
) -> list[tuple[str, str]]:
    """Return why a table's rows cannot be inserted into a live table, each with what to type."""
    name, into = pair
    if live[into].partitioned:
        parts = ", ".join(live[into].partitions[:3])
        return [
            (
                f"the table is partitioned; name one of its partitions ({parts})",
                f"--table={name} --into={parts.split(', ')[0]}",
            )
        ]
    pairing = found.pair(old, live, name, into)
    said = []
    if not pairing.columns:
        said.append(("the live table has none of its columns", f"--table={name} --into=NAME"))
    if pairing.unfit:
        column, old_type, new_type = pairing.unfit[0]
        listed = ", ".join(f"{column} ({one} → {two})" for column, one, two in pairing.unfit)
        alter = f"ALTER TABLE {into} ALTER COLUMN {quoted(column)} TYPE {old_type}"
        hint = f"{alter};   in psql, then repeat the command"
        said.append((f"values can't be converted without loss: {listed}", hint))
    given = {value.partition("=")[0] for value in wanted.values}
    if empty := [column for column in pairing.needed if column not in given]:
        hint = " ".join(f"--set={column}=VALUE" for column in empty)
        said.append((f"{', '.join(empty)} must have a value, and the backup has none", hint))
    return said


def _notes(pairing: Pairing, rows: int, now: int) -> Iterator[str]:
    name = pairing.source if not pairing.renamed else f"{pairing.source} → {pairing.into}"
    how = f" ({pairing.how})" if pairing.how else ""
    yield f"{name}{how}: {rows:,} rows in the backup, {now:,} live"
    yield "  columns: " + ", ".join(a if a == b else f"{a} → {b}" for a, b in pairing.columns.items())
    if pairing.lacking:
        yield f"  only in the backup, and not inserted: {', '.join(pairing.lacking)}"
    if rest := [*pairing.needed, *pairing.extra]:
        yield f"  only live: {', '.join(rest)}"


def verdicts(folder: Path) -> Verdicts:
    """Return where rehearsals found tables and columns; the newest result counts."""
    tables: dict[str, str] = {}
    columns: dict[str, Mapping[str, str]] = {}
    for state in reversed(journal.runs(folder)):
        for table in _judged(folder / "runs" / state.run / "verdict.json"):
            name, to = str(table.get("table")), table.get("to")
            if isinstance(to, str) and to and ", " not in to and name not in tables:
                tables[name] = to
                found = table.get("mapping")
                columns[name] = found if isinstance(found, dict) else {}
    return Verdicts(tables, columns)


def _judged(file: Path) -> Iterable[dict[str, object]]:
    try:
        found = json.loads(file.read_text())["tables"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [table for table in found if isinstance(table, dict)]

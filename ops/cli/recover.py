"""Recovery: what was lost, which backup still has it, and what to type next. The guide's last section, as a look.

    empty     production holds no table at all: its server or database is a new one
    lost      production holds less than the backup from before its last migrations
    correct   nothing is missing, and the pending migrations would lose it (again)
    release   nothing is missing, and the pending migrations keep it
    aside     all is released, and rows that were written before the rollback are only in its safety backup
    sound     nothing is missing, and nothing is pending

It only reads. A person decides which way to go, and types it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.application.operations import Application
from ops.application.probe import applied, probe
from ops.backups import selection
from ops.cli import console
from ops.cli.options import Options, open_session, target_of
from ops.core.errors import DIFFERS, DONE, Refused, UsageError
from ops.core.text import age
from ops.engine import journal
from ops.engine.command import quote
from ops.engine.effects import Effect
from ops.engine.journal import outcome_event
from ops.infra.session.client_tools import some_tools
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import backup_kinds
from ops.infra.stores import manifest as backup
from ops.infra.stores.manifest import Manifest
from ops.recovery.salvage import column_mapping
from ops.recovery.salvage.live_catalog import Catalog, read_catalog
from ops.recovery.salvage.names import schema_and_name
from ops.recovery.salvage.resolve import verdicts
from ops.release.hazards.scan import look_ahead
from ops.release.measuring import corrections
from ops.verdict import fingerprint
from ops.verdict.fingerprint import Fingerprint, equal, not_backed_up
from ops.verdict.model import BOOKKEEPING

if TYPE_CHECKING:
    import psycopg

# Django fills and empties these by itself, so that fewer rows say nothing.
OWN = (*BOOKKEEPING, "django_session", "django_admin_log")


@dataclass(frozen=True)
class Missing:
    """A table that holds less than the backup: ``into`` is where its rows are now, empty where nowhere."""

    table: str
    into: str
    rows: int
    live: int


@dataclass(frozen=True)
class Way:
    """One way on: what it means, and the commands in their order."""

    why: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Recovery:
    """Where a target stands. ``since`` are the migrations that production has and the backup has not, ``excluded`` the
    tables whose rows stayed out of that, with about how many those were."""

    target: str
    state: str
    backup: str
    age: str
    since: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    hazards: tuple[str, ...] = ()
    ways: tuple[Way, ...] = ()
    damaged: tuple[str, ...] = ()
    backups: tuple[str, ...] = field(default=())
    excluded: dict[str, int] = field(default_factory=dict)


def recover(options: Options, backup_id: str) -> int:
    """Show where a target stands and what to type next; changes nothing.

    Returns:
        0; or 5 where rows are missing, or the pending migrations would lose some.
    """
    session = open_session(options)
    target = target_of(session, options)
    some_tools(session)
    screen = console.Console(options.json)
    with screen.waiting(f"{target}: compare production with its backups"):
        found = look(session, target, backup_id)
    screen.prose("\n".join(lines(found)))
    if options.json:
        screen.show({"event": "recovery", **asdict(found)})
    lossy = found.state in ("empty", "lost", "correct")
    outcome, code = "done" if found.ways else "nothing-to-do", DIFFERS if lossy else DONE
    hint = found.ways[0].commands[0] if found.ways else ""
    screen.show(outcome_event("recover", target, outcome, code, REASONS[found.state], hint))
    return code


REASONS = {
    "empty": "production is empty, and a backup is not",
    "lost": "rows are missing in production that a backup has",
    "correct": "nothing is missing, but the pending migrations would lose rows",
    "release": "nothing is missing, and the pending migrations can be rehearsed",
    "aside": "released; what was written before the rollback is still aside",
    "sound": "nothing is missing, and no migration is pending",
}


def look(session: Session, target: str, backup_id: str = "") -> Recovery:
    """Find the backup to compare with, what is missing, and the ways on."""
    folder = target_folder(session, target)
    has = applied(session, target)
    with session.connect(target) as connection:
        live = read_catalog(connection)
        manifest, damaged = _chosen(folder, has if live else None, backup_id)
        old = fingerprint.read(folder / "backups" / manifest.backup / "fingerprint.jsonl")
        homes = column_mapping.homes(old, live, {}, verdicts(folder))
        missing = _missing(connection, old, live, homes)
    kept = tuple(one.backup for one in backup.backups(folder))
    given: dict[str, Any] = {
        "target": target,
        "backup": manifest.backup,
        "age": age(manifest.taken_at),
        "since": tuple(name for name in has if name not in manifest.migrations),
        "damaged": damaged,
        "backups": kept,
        "excluded": manifest.excluded,
    }
    if missing and not live:
        return Recovery(state="empty", ways=(_anew(target, manifest),), **given)
    if missing:
        ways = _ways_back(target, manifest.backup, missing, homes, bool(given["since"]))
        return Recovery(state="lost", missing=tuple(missing), ways=ways, **given)
    return _forward(session, target, folder, given)


def _anew(target: str, manifest: Manifest) -> Way:
    """Restore what was lost with its server."""
    words = f"inv rollback --target={target} --backup={manifest.backup}" + (
        " --incomplete" if manifest.excluded else ""
    )
    why = "Restore production from that backup; what was written since it was taken is only where production was"
    return Way(why, (words, f"inv recover --target={target}"))


def _chosen(folder: Path, has: Sequence[str] | None, backup_id: str) -> tuple[Manifest, tuple[str, ...]]:
    """The named backup; else the newest whole one from before production's last migrations; else the newest whole one
    whose migrations production has; the newest whole one of all where ``has`` is None, since production is empty.

    Raises:
        UsageError: there is none.
        Refused: the named one is damaged.
    """
    if backup_id:
        manifest = selection.choose(folder, backup_id, journal.runs(folder), selection.ANY).manifest
        if wrong := backup.damage(folder / "backups" / manifest.backup):
            raise Refused(f"{folder.name}: backup {manifest.backup} is damaged: {wrong[0]}", "inv recover")
        return manifest, ()
    known = backup.backups(folder)
    fits = [one for one in reversed(backup_kinds.dumps(known)) if _fits(one, has)]
    fits.sort(key=lambda one: set(one.migrations) == set(has or ()))
    damaged: list[str] = []
    for one in fits:
        wrong = backup.damage(folder / "backups" / one.backup)
        if not wrong:
            return one, tuple(damaged)
        damaged.append(f"{one.backup}: {wrong[0]}")
    said = f"; damaged: {', '.join(damaged)}" if damaged else ""
    held = [one.backup for one in backup_kinds.held(known) if _fits(one, has)]
    hint = f"inv unpack --target={folder.name} --backup={held[-1]}" if held else f"inv backups --target={folder.name}"
    raise UsageError(f"{folder.name}: no {'dump' if held else 'backup'} holds what production was{said}", hint)


def _fits(manifest: Manifest, has: Sequence[str] | None) -> bool:
    return has is None or set(manifest.migrations) <= set(has)


def _missing(
    connection: psycopg.Connection[Any], old: Fingerprint, live: Catalog, homes: column_mapping.Homes
) -> list[Missing]:
    """Tables that hold fewer rows than the backup's, or are not there."""
    found = []
    for table in old.tables.values():
        if not table.rows or schema_and_name(table.name)[1] in OWN:
            continue
        into = homes.tables.get(table.name, "")
        row = connection.execute(f"SELECT count(*) FROM {live[into].rows}".encode()).fetchone() if into else None
        count = int(row[0]) if row else 0
        if count < table.rows:
            found.append(Missing(table.name, into, table.rows, count))
    return found


def _ways_back(
    target: str, name: str, missing: Sequence[Missing], homes: column_mapping.Homes, migrated: bool
) -> tuple[Way, ...]:
    """Bring the rows back into what is live; or, where migrations took them, production back and migrate again."""
    why = "Bring the missing rows back; what was written since stays, and production goes on"
    placed = ",".join(one.table for one in missing if one.into)
    commands = (
        [f"inv salvage --target={target} --backup={name} {quote(f'--table={placed}')} --with-related"] if placed else []
    )
    for one in missing:
        if not one.into:
            fits = " or ".join(homes.several.get(one.table, []))
            why += f"; for NAME, the live table that {one.table} goes into{f' ({fits})' if fits else ''}"
            commands.append(
                f"inv salvage --target={target} --backup={name} {quote(f'--table={one.table}')} --into=NAME"
            )
    ways = [Way(why, (*commands, f"inv recover --target={target}"))]
    if migrated:
        ways.append(
            Way(
                "Or, as the guide says: back to that backup, correct the migrations, migrate again; what was written "
                "since is kept aside and comes back at the end",
                (f"inv rollback --target={target} --backup={name}", f"inv recover --target={target}"),
            )
        )
    return tuple(ways)


def _forward(session: Session, target: str, folder: Path, given: dict[str, Any]) -> Recovery:
    """Nothing is missing: what is left to do with the release."""
    entry = session.inventory.target(target)
    seen = look_ahead(session, target) if entry.app else None
    if seen and (bad := sorted([*seen.of("stop"), *seen.of("loss")], key=lambda one: seen.place(one.migration))):
        names = dict.fromkeys(hazard.migration for hazard in bad)
        way = Way(
            "Correct the migrations: read, then type; whoever wrote them should look, too",
            (*_corrections(session, target, names), f"inv recover --target={target}"),
        )
        return Recovery(state="correct", hazards=tuple(hazard.title for hazard in bad), ways=(way,), **given)
    if seen and seen.pending:
        way = Way(
            "Rehearse on a copy of production and promote",
            (f"inv release --target={target}", f"inv recover --target={target}"),
        )
        return Recovery(state="release", ways=(way,), **given)
    if aside := _aside(target, folder):
        return Recovery(state="aside", ways=(aside,), **given)
    return Recovery(state="sound", **given)


def _corrections(session: Session, target: str, names: Iterable[str]) -> list[str]:
    """The commands that put away the migrations that lose rows, and write a rename in their place where it was one."""
    plan = Application.read(probe(session, target, target))
    files = [corrections.migration_file(session, target, name) for name in names]
    renames = []
    for operation in plan.operations:
        made = plan.successor(operation) if operation.acts_as == "DeleteModel" else None
        if made and made.app == operation.app:
            renames.append(corrections.scaffold(target, operation, made))
    shown = [f"rm {quote(file)}" for file in files if file]
    return [*shown, *renames] if renames else [f"inv hazards --target={target}"]


def _aside(target: str, folder: Path) -> Way | None:
    """What was written between the backup and the last rollback to it, and was not brought back yet."""
    known = journal.runs(folder)
    back = [state for state in known if Effect.SETS_ROWS_ASIDE in state.effects and state.finished and not state.undone]
    if not back:
        return None
    to, kept = back[-1].backup, f"{back[-1].run}_safety"
    salvaged = [state for state in known if Effect.SALVAGES in state.effects and state.finished and not state.undone]
    if any(state.backup == kept for state in salvaged):
        return None
    one, two = (fingerprint.read(folder / "backups" / name / "fingerprint.jsonl") for name in (to, kept))
    written = [table.name for table in two.tables.values() if table.rows and _differs(one, two, table.name)]
    if not written:
        return None
    words = quote(f"--table={','.join(written)}")
    return Way(
        f"Bring back what was written before the rollback (its safety backup {kept} has it)",
        (f"inv salvage --target={target} --backup={kept} {words} --new-keys", f"inv recover --target={target}"),
    )


def _differs(one: Fingerprint, two: Fingerprint, name: str) -> bool:
    if schema_and_name(name)[1] in OWN:
        return False
    return not equal(one.tables.get(name), two.tables[name])


def lines(found: Recovery) -> list[str]:
    """Where it stands and what to type, for a person."""
    said = [f"{found.target}: compared with backup {found.backup}, {found.age} old, every file of which is whole"]
    said += [f"  damaged, and passed over: {one}" for one in found.damaged]
    if rest := not_backed_up(found.excluded):
        said.append(f"  in that backup {rest}; whether any of their rows are missing can't be told")
    if found.since:
        said.append(f"  migrated since: {', '.join(found.since)}")
    for one in found.missing:
        where = f"{one.live:,} in {one.into}" if one.into else "the table is gone, and no new one fits"
        said.append(f"  {one.table}: {one.rows:,} rows in the backup, {where}")
    said += [f"  {title}" for title in found.hazards]
    for way in found.ways:
        said += ["", f"{way.why}:", *(f"  {command}" for command in way.commands)]
    return said

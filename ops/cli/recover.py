"""``inv recover``: report which rows were lost, which backup contains them, and what to type next.

    empty     production has no table: its server or database is new
    lost      production has fewer rows than the backup from before its last migrations
    correct   no rows are missing, but the pending migrations would lose rows
    release   no rows are missing, and the pending migrations lose none
    aside     the release is done, but rows that were written before a rollback are only in its safety backup
    sound     no rows are missing, and no migration is pending

This command changes nothing. A person chooses one of the reported commands and types it.
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

# Django itself adds and removes rows of these tables, so that fewer rows are no loss.
OWN = (*BOOKKEEPING, "django_session", "django_admin_log")


@dataclass(frozen=True)
class Missing:
    """A table with fewer rows than in the backup. ``into`` is the live table of its rows; empty if there is none."""

    table: str
    into: str
    rows: int
    live: int


@dataclass(frozen=True)
class Way:
    """One way to continue: its description, and its commands in order."""

    why: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Recovery:
    """The state of a target.

    ``since`` are the migrations that production has and the backup has not. ``excluded`` are the tables whose rows are
    not in the backup, with the estimated number of rows.
    """

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
    """Print what a target lost and what to type next. Change nothing.

    Args:
        options: the options of the command line.
        backup_id: the backup to compare production with; empty: choose it.

    Returns:
        5 if rows are missing or the pending migrations would lose rows, else 0.
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
    "empty": "production is empty, and a backup has rows",
    "lost": "rows of a backup are missing in production",
    "correct": "no rows are missing, but the pending migrations would lose rows",
    "release": "no rows are missing, and the pending migrations can be rehearsed",
    "aside": "released; rows that were written before the rollback are only in its safety backup",
    "sound": "no rows are missing, and no migration is pending",
}


def look(session: Session, target: str, backup_id: str = "") -> Recovery:
    """Choose the backup to compare with, find the missing rows, and propose what to do."""
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
    """Return how to restore production after its server was lost."""
    words = f"inv rollback --target={target} --backup={manifest.backup}" + (
        " --incomplete" if manifest.excluded else ""
    )
    why = "Restore production from that backup; rows that were written after the backup exist only on the old server"
    return Way(why, (words, f"inv recover --target={target}"))


def _chosen(folder: Path, has: Sequence[str] | None, backup_id: str) -> tuple[Manifest, tuple[str, ...]]:
    """Choose the backup to compare production with.

    If no backup is named, choose the newest intact one from before production's last migrations; else the newest
    intact one whose migrations production has. If production is empty, choose the newest intact one.

    Args:
        folder: the target's folder in the store.
        has: the migrations that production has; None if production is empty.
        backup_id: the named backup; empty if none is named.

    Returns:
        the backup, and the damaged backups that were skipped.

    Raises:
        UsageError: there is no such backup.
        Refused: the named backup is damaged.
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
    raise UsageError(f"{folder.name}: no {'dump' if held else 'backup'} fits production's migrations{said}", hint)


def _fits(manifest: Manifest, has: Sequence[str] | None) -> bool:
    return has is None or set(manifest.migrations) <= set(has)


def _missing(
    connection: psycopg.Connection[Any], old: Fingerprint, live: Catalog, homes: column_mapping.Homes
) -> list[Missing]:
    """Return the tables that are missing or have fewer rows than in the backup."""
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
    """Return how to salvage the rows; if migrations lost the rows, also how to roll back and migrate again."""
    why = "Bring the missing rows back; newer rows are not changed, and production stays available"
    placed = ",".join(one.table for one in missing if one.into)
    commands = (
        [f"inv salvage --target={target} --backup={name} {quote(f'--table={placed}')} --with-related"] if placed else []
    )
    for one in missing:
        if not one.into:
            fits = " or ".join(homes.several.get(one.table, []))
            why += f"; for NAME, write the live table for the rows of {one.table}{f' ({fits})' if fits else ''}"
            commands.append(
                f"inv salvage --target={target} --backup={name} {quote(f'--table={one.table}')} --into=NAME"
            )
    ways = [Way(why, (*commands, f"inv recover --target={target}"))]
    if migrated:
        ways.append(
            Way(
                "Or roll back to that backup, correct the migrations, and migrate again; the rollback saves newer rows "
                "in a safety backup, and inv recover then reports how to bring them back",
                (f"inv rollback --target={target} --backup={name}", f"inv recover --target={target}"),
            )
        )
    return tuple(ways)


def _forward(session: Session, target: str, folder: Path, given: dict[str, Any]) -> Recovery:
    """Return the state if no rows are missing: what remains to be done for the release."""
    entry = session.inventory.target(target)
    seen = look_ahead(session, target) if entry.app else None
    if seen and (bad := sorted([*seen.of("stop"), *seen.of("loss")], key=lambda one: seen.place(one.migration))):
        names = dict.fromkeys(hazard.migration for hazard in bad)
        way = Way(
            "Correct the migrations. Let their author review these commands before you type them",
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
    """Return the commands that remove the migrations that lose rows, and that write a rename if it was a rename."""
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
    """Return how to bring back the rows that the last rollback set aside; None if there are none."""
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
        f"Bring back the rows that were written before the rollback (they are in its safety backup {kept})",
        (f"inv salvage --target={target} --backup={kept} {words} --new-keys", f"inv recover --target={target}"),
    )


def _differs(one: Fingerprint, two: Fingerprint, name: str) -> bool:
    if schema_and_name(name)[1] in OWN:
        return False
    return not equal(one.tables.get(name), two.tables[name])


def lines(found: Recovery) -> list[str]:
    """Return the state and what to type, as lines for a person."""
    said = [f"{found.target}: compared with backup {found.backup}, {found.age} old; all its files are intact"]
    said += [f"  damaged and skipped: {one}" for one in found.damaged]
    if rest := not_backed_up(found.excluded):
        said.append(f"  in that backup {rest}; whether rows of these tables are missing is unknown")
    if found.since:
        said.append(f"  migrated since: {', '.join(found.since)}")
    for one in found.missing:
        where = f"{one.live:,} in {one.into}" if one.into else "the table is missing, and no other table fits"
        said.append(f"  {one.table}: {one.rows:,} rows in the backup, {where}")
    said += [f"  {title}" for title in found.hazards]
    for way in found.ways:
        said += ["", f"{way.why}:", *(f"  {command}" for command in way.commands)]
    return said

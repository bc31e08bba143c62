"""List backups and runs. These commands change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ops.backups import restore_tests
from ops.backups.pgbackrest.presence import engine_data, engine_told
from ops.backups.requirements import needs
from ops.cli import console
from ops.cli.options import Options, open_session, target_of, targets_of
from ops.cli.status import every_run
from ops.core.errors import DONE, OpsError
from ops.core.text import age, listed, megabytes
from ops.engine import journal
from ops.infra.railway.volume_backups import OnVolume
from ops.infra.railway.volume_cli import VolumeBackup
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import manifest as backup
from ops.retention.pins import pins


def backups(options: Options) -> int:
    """List every backup with its age, size and rows, and Railway's own backups."""
    session = open_session(options)
    found: list[tuple[list[str], dict[str, Any]]] = []
    notes: list[str] = []
    for name in targets_of(session, options):
        found += _ours(session, name)
        entry = session.inventory.target(name).railway
        if entry and (entry.backups or entry.schedule):
            more, said = _volume_backups(session, name)
            for one in more:
                shown = f"{one.name or 'automatic'} (Railway's, {one.id})"
                old = age(one.taken) if one.taken else ""
                row = [name, shown, old, f"{one.megabytes:,.1f} MB", "", "", ""]
                found.append((row, {"event": "railway-backup", "target": name, **asdict(one)}))
            notes += [said] if said else []
    screen, columns = console.Console(options.json), ["target", "backup", "age", "size", "rows", "proved", "commit"]
    screen.table("backups", columns, [row for row, _ in found], [event for _, event in found])
    for note in notes:
        screen.text(note)
    return DONE


def _ours(session: Session, name: str) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Yield each backup of a target as a row of the table and as an event."""
    states = journal.runs(target_folder(session, name))
    done, bad = restore_tests.proved(states), restore_tests.failed(states)
    pinned = pins(target_folder(session, name))
    copy = session.stores.working_copy(name)
    stored = copy.stored if copy else None
    for manifest in backup.backups(target_folder(session, name)):
        one, count = manifest.backup, sum(manifest.rows.values())
        here_only = stored is not None and one not in stored
        size, told = megabytes(manifest.whole), restore_tests.told(one, done, bad)
        label = _label(session, manifest, one in pinned, here_only)
        row = [name, label, age(manifest.taken_at), size, f"{count:,}", told, manifest.commit[:12]]
        yield row, {
            "event": "backup",
            "target": name,
            "backup": one,
            "rows": count,
            "taken_at": manifest.taken_at.isoformat(),
            "bytes": manifest.whole,
            "commit": manifest.commit,
            "proved": done[one].data() if one in done else None,
            "pinned": pinned.get(one),
            **({"stored": one in stored} if stored is not None else {}),
            **({"failed_drill": bad[one]} if one in bad else {}),
            **({"delta_of": manifest.delta_of} if manifest.delta_of else {}),
            **engine_data(session, manifest),
            **({"excluded": manifest.excluded} if manifest.excluded else {}),
            **({"standby": manifest.standby.model_dump()} if manifest.standby else {}),
        }


def _label(session: Session, manifest: backup.Manifest, pinned: bool, here_only: bool) -> str:
    return (
        manifest.backup
        + (f" (delta of {manifest.delta_of})" if manifest.delta_of else "")
        + engine_told(session, manifest)
        + (" (pinned)" if pinned else "")
        + (" (ON THIS MACHINE ONLY)" if here_only else "")
        + (f" (without {listed(sorted(manifest.excluded))})" if manifest.excluded else "")
    )


def needed(options: Options, wanted: str) -> int:
    """Report what another machine needs to restore a backup. Query no server."""
    session = open_session(options)
    name = target_of(session, options)
    folder = target_folder(session, name)
    manifest = backup.find(folder, wanted)
    found = needs(manifest, backup.folder_of(folder, manifest.backup))
    entry = session.inventory.target(name)
    rows = found.lines(entry.encrypt.identity or "" if entry.encrypt else "")
    data = {"event": "needs", "target": name, "backup": manifest.backup, **found.data()}
    console.Console(options.json).table(f"{manifest.backup} needs", ["what", "it needs"], rows, [data])
    return DONE


def _volume_backups(session: Session, target: str) -> tuple[list[VolumeBackup], str]:
    """Return Railway's own backups, and the reason if they can't be listed."""
    try:
        return OnVolume(session.railway(target)).backups(), ""
    except OpsError as error:
        return [], f"{error.message}; Railway's own backups are not listed" + (
            f"; Try: {error.hint}" if error.hint else ""
        )


def runs(options: Options) -> int:
    """List every run with its outcome."""
    session = open_session(options)
    rows, data = [], []
    for state in every_run(session, options.target and target_of(session, options)):
        outcome = str(state.outcome["outcome"]) if state.outcome else "interrupted"
        ended = "undone" if state.undone else outcome
        rows.append([state.run, state.target, state.procedure, ended, str(state.header.get("reason") or "")])
        data.append(
            {
                "event": "run-listed",
                "run": state.run,
                "target": state.target,
                "procedure": state.procedure,
                "outcome": outcome,
                **({"undone": True} if state.undone else {}),
            }
        )
    console.Console(options.json).table("runs", ["run", "target", "procedure", "outcome", "reason"], rows, data)
    return DONE

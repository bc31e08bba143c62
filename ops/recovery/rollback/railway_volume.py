"""Define the actions of a restore of a Railway volume backup: preview, request, proof."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from ops.backups import selection
from ops.core.errors import OpsError, Refused, StepFailed, Unreachable
from ops.core.files import write_whole
from ops.engine.registry import tool
from ops.infra.railway.volume_backups import OnVolume
from ops.infra.railway.volume_cli import moment_of
from ops.infra.session.run_lock import RunLock
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import backup_kinds, manifest
from ops.verdict import fingerprint
from ops.verdict.fingerprint import Fingerprint

# Seconds until the restored database has to answer, and between two checks.
PATIENCE, PAUSE = 2400, 3
# Identifies one lifetime of a database: the server's start time, and the database's oid.
LIFE = (
    "SELECT pg_postmaster_start_time()::text || ' ' || d.oid, pg_current_wal_lsn()::text, "
    "(SELECT system_identifier::text FROM pg_control_system()), d.datname "
    "FROM pg_database d WHERE d.datname = current_database()"
)


@tool
def volume_glance(session: Session, *, target: str, volume_backup: str, safety: str = "") -> str:
    """Show what a restore of the volume backup would replace, and which dump is safer."""
    volumes = OnVolume(session.railway(target))
    meant, ours = volumes.chosen(volume_backup), selection.newest(target_folder(session, target))
    last = f"the safety backup {safety} will hold them" if safety else "no safety backup is made, so they are lost"
    lines = [
        f"{selection.said_of(meant)} replaces the whole volume, and Railway stops the service for the restore. Rows "
        f"written since are not live afterwards, and cannot be listed in advance: {last}"
    ]
    if ours:
        lines.append(
            f"prefer   inv rollback --backup={ours.backup} --target={target}   : {selection.said(ours)}. The "
            "rollback restores the dump beside production, shows each row that it sets aside, and retains the database"
        )
    else:
        lines.append("there is no dump to restore instead")
    waits = volumes.staged()
    lines.append(
        "this token may not query other staged changes in the environment: Railway applies them, too"
        if waits is None
        else "other changes are staged in the environment"
        if waits
        else "no other change is staged in the environment"
    )
    return "\n".join(lines)


@tool
def check_volume_backup(session: Session, *, target: str, place: str, volume_backup: str) -> str:
    """Check that the inventory still leads to the planned service, and that Railway still has the volume backup."""
    on = session.railway(target)
    if str(on.database) != place:
        raise Refused(
            f"{target}: its database is {on.database} on Railway, and the run was planned for {place}; nothing was "
            "changed",
            "use the former inventory, or start a new run",
        )
    return f"{selection.said_of(OnVolume(on).chosen(volume_backup))} is of {place}"


@tool
def check_unstaged(session: Session, *, target: str) -> str:
    """Check that no change is staged in the environment: Railway would apply it with the restore."""
    waits = OnVolume(session.railway(target)).staged()
    if waits:
        raise StepFailed(
            f"{target}: other changes are staged in its environment on Railway, and would be applied with the restore",
            "apply or discard them (Railway: the project's canvas, Details), then repeat the command",
        )
    return "nothing is staged" if waits is False else "this token may not query staged changes"


@tool
def check_alone(session: Session, *, target: str, database: str, run: str) -> str:
    """Check that no other run is active on production."""
    with RunLock(session, target, database, run, "railway-restore"):
        return "no other run is active"


@tool
def note_volume(session: Session, *, target: str, volume_backup: str, report: str) -> str:
    """Record the present volume and the server's WAL position, to recognize the restored database later."""
    volumes = OnVolume(session.railway(target))
    noted = {"volume": volumes.volume(), "taken": volumes.chosen(volume_backup).created, "life": "", "lsn": ""}
    try:
        noted["life"], noted["lsn"], _, _ = _life(session, target)
        at = f", at {noted['lsn']}"
    except Unreachable as error:
        at = f"; {error.message}"
    if not noted["volume"]:
        raise StepFailed(f"{target}: the database's service has no volume, so there is nothing to restore it to")
    write_whole(session.inventory.path(report), json.dumps(noted))
    return f"volume {noted['volume']}{at}"


@tool
def volume_restore(
    session: Session,
    *,
    target: str,
    place: str,
    volume_backup: str,
    report: str,
    database: str,
    system: str = "",
    timeout: str = "",
    every: str = "",
) -> str:
    """Request the restore from Railway once, and wait until the restored database answers."""
    on, asked = session.railway(target), session.inventory.path(f"{report}.asked")
    failed = ""
    if not asked.exists():
        check_volume_backup(session, target=target, place=place, volume_backup=volume_backup)
        # Written before the request: a second restore during the first has an undefined result.
        write_whole(asked, volume_backup)
        try:
            failed = OnVolume(on).restore(volume_backup)
        except OpsError:
            asked.unlink()
            raise
    deadline = time.monotonic() + float(timeout or PATIENCE)
    while True:
        try:
            return check_volume_restored(session, target=target, report=report, database=database, system=system)
        except Refused:
            raise
        except OpsError as error:
            if time.monotonic() > deadline:
                raise _unfinished(session, target, failed or error.message) from None
        time.sleep(float(every or PAUSE))


def _unfinished(session: Session, target: str, why: str) -> OpsError:
    """Return the error for a restore that did not finish in time: the exchange may be staged and not applied."""
    with contextlib.suppress(OpsError):
        if OnVolume(session.railway(target)).staged():
            return StepFailed(
                f"{target}: the backup was copied into a new volume, and the exchange is staged, not applied ({why})",
                "Railway: the project's canvas, Deploy (or discard it there), then   inv resume",
            )
    return StepFailed(
        f"{target}: the volume backup is not restored yet: {why}",
        "check the service on https://railway.com, then   inv resume   which waits and requests no second restore",
    )


@tool
def check_volume_restored(session: Session, *, target: str, report: str, database: str, system: str = "") -> str:
    """Check that the planned database answers, and that it is not in its former state."""
    noted = _noted(session, target, report)
    life, lsn, found, name = _life(session, target)
    if (system and found != system) or name != database:
        raise Refused(
            f"{target}: {name} on server {found} answers, but the run was planned for {database} on {system}",
            "check the service on Railway before anything else",
        )
    if life == noted["life"]:
        raise StepFailed(f"{target}: the former server still answers, at {lsn}", "inv resume")
    now = OnVolume(session.railway(target)).volume()
    if now == noted["volume"] and not _behind(session, target, noted["lsn"]):
        raise StepFailed(f"{target}: the database is still in its former state: volume {now}, at {lsn}", "inv resume")
    what = f"volume {now}" if now != noted["volume"] else f"the same volume, back at {lsn}"
    return f"{database} answers from {what}, in place of {noted['volume']}"


def _noted(session: Session, target: str, report: str) -> dict[str, str]:
    try:
        found = json.loads(session.inventory.path(report).read_bytes())
        return {name: str(found[name]) for name in ("volume", "taken", "life", "lsn")}
    except (OSError, ValueError, TypeError, KeyError):
        raise StepFailed(f"{target}: the former state was not recorded", "inv resume") from None


@tool
def check_volume_untouched(session: Session, *, target: str, report: str) -> str:
    """Check that no restore was requested from Railway, or that Railway refused it."""
    if session.inventory.path(f"{report}.asked").exists():
        raise StepFailed(f"{target}: the restore was requested from Railway")
    return "no restore was requested"


def _life(session: Session, target: str) -> tuple[Any, ...]:
    with session.connect(target) as connection:
        return tuple(connection.execute(LIFE).fetchone() or ())


def _behind(session: Session, target: str, lsn: str) -> bool:
    """Return True if the server is at an earlier WAL position than before."""
    if not lsn:
        return False
    with session.connect(target) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn() < %s::pg_lsn", [lsn]).fetchone()
        return bool(row and row[0])


@tool
def volume_account(session: Session, *, target: str, report: str, after: str, safety: str = "") -> str:
    """Compare the live tables with the nearest dump and with the safety backup."""
    now, folder = fingerprint.read(session.inventory.path(after)), target_folder(session, target)
    lines = [f"live now: {now.rows:,} rows in {len(now.tables)} tables"]
    moment = moment_of(str(_noted(session, target, report)["taken"]))
    known = backup_kinds.dumps(manifest.backups(folder))
    if known:
        near = min(known, key=lambda one: abs(one.taken_at - (moment or one.taken_at)))
        then = fingerprint.read(folder / "backups" / near.backup / "fingerprint.jsonl")
        lines.append(f"compared with the nearest dump, {selection.said(near)}: {_differs(then, now)}")
    if safety:
        last = fingerprint.read(folder / "backups" / safety / "fingerprint.jsonl")
        lines.append(
            f"compared with the safety backup {safety}: {_differs(last, now)}; bring missing rows back with   "
            f"inv salvage --backup={safety} --table=TABLE --target={target}"
        )
    return "\n".join(lines)


def _differs(then: Fingerprint, now: Fingerprint) -> str:
    """Return the tables that differ, with the rows then and now."""
    found = []
    for name in sorted(then.tables.keys() | now.tables.keys()):
        one, two = then.tables.get(name), now.tables.get(name)
        if one is None or two is None:
            found.append(f"{name} {'is new' if one is None else 'is missing'}")
        elif one.rows != two.rows:
            found.append(f"{name} {one.rows:,} → {two.rows:,} rows")
        elif one.checksum != two.checksum:
            found.append(f"{name} {one.rows:,} rows with other content")
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return ", ".join(found[:8]) + more if found else "every table is equal"

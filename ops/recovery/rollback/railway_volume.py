"""Tools of a restore of Railway's own backup: what it would take away, the asking, and whether it is in place."""

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

# Seconds: until the restored database has to answer, and between two looks.
PATIENCE, PAUSE = 2400, 3
# What tells one life of a database from another: the server's start, and the database's number.
LIFE = (
    "SELECT pg_postmaster_start_time()::text || ' ' || d.oid, pg_current_wal_lsn()::text, "
    "(SELECT system_identifier::text FROM pg_control_system()), d.datname "
    "FROM pg_database d WHERE d.datname = current_database()"
)


@tool
def volume_glance(session: Session, *, target: str, volume_backup: str, safety: str = "") -> str:
    """Say what a restore of Railway's backup would take away, and which dump of ours is the better way."""
    volumes = OnVolume(session.railway(target))
    meant, ours = volumes.chosen(volume_backup), selection.newest(target_folder(session, target))
    last = f"the last dump, {safety}, will hold it" if safety else "no last dump is made, so it is lost for good"
    lines = [
        f"{selection.said_of(meant)} takes the place of the whole volume, and the service goes down for it. What was "
        f"written since is live no more; which rows that is can't be known before: {last}"
    ]
    if ours:
        lines.append(
            f"prefer   inv rollback --backup={ours.backup} --target={target}   : {selection.said(ours)}. It is "
            "restored beside production, shows each row that would go, and keeps what is live"
        )
    else:
        lines.append("there is no dump of ours to take instead")
    waits = volumes.staged()
    lines.append(
        "whether other changes are staged in that environment may not be asked with this token: they are applied, too"
        if waits is None
        else "other changes are staged in that environment"
        if waits
        else "nothing else is staged in that environment"
    )
    return "\n".join(lines)


@tool
def check_volume_backup(session: Session, *, target: str, place: str, volume_backup: str) -> str:
    """Say whether the inventory still leads to the database's service, and Railway still has that backup of it."""
    on = session.railway(target)
    if str(on.database) != place:
        raise Refused(
            f"{target}: its database is {on.database} on Railway, and the run was planned for {place}; nothing was "
            "changed",
            "the inventory as it was, or a new run",
        )
    return f"{selection.said_of(OnVolume(on).chosen(volume_backup))} is of {place}"


@tool
def check_unstaged(session: Session, *, target: str) -> str:
    """Say whether nothing waits in the environment: whatever is staged there is applied with the restore."""
    waits = OnVolume(session.railway(target)).staged()
    if waits:
        raise StepFailed(
            f"{target}: other changes are staged in its environment on Railway, and would be applied with the restore",
            "apply or discard them (Railway: the project's canvas, Details), then the same again",
        )
    return "nothing is staged" if waits is False else "whether anything is staged may not be asked with this token"


@tool
def check_alone(session: Session, *, target: str, database: str, run: str) -> str:
    """Say whether no other run is at work on production."""
    with RunLock(session, target, database, run, "railway-restore"):
        return "no other run is at work"


@tool
def note_volume(session: Session, *, target: str, volume_backup: str, report: str) -> str:
    """Note which volume there is, and how far the server is, so that what comes after can be told from it."""
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
    """Ask Railway once for a backup in the place of the volume, and wait until the database answers from it."""
    on, asked = session.railway(target), session.inventory.path(f"{report}.asked")
    failed = ""
    if not asked.exists():
        check_volume_backup(session, target=target, place=place, volume_backup=volume_backup)
        # Written before: a second restore on top of one that still copies would be anybody's guess.
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
    """What to do where the backup is not in place in time: the exchange may be staged, and wait for somebody."""
    with contextlib.suppress(OpsError):
        if OnVolume(session.railway(target)).staged():
            return StepFailed(
                f"{target}: the backup was copied into a new volume, and the exchange is staged, not applied ({why})",
                "Railway: the project's canvas, Deploy (or discard it there), and then   inv resume",
            )
    return StepFailed(
        f"{target}: Railway's backup is not in place: {why}",
        "look at the service on https://railway.com, and then   inv resume   which waits on and asks for no second one",
    )


@tool
def check_volume_restored(session: Session, *, target: str, report: str, database: str, system: str = "") -> str:
    """Say whether the database answers, is the planned one, and is not the one that was there before."""
    noted = _noted(session, target, report)
    life, lsn, found, name = _life(session, target)
    if (system and found != system) or name != database:
        raise Refused(
            f"{target}: what answers is {name} on server {found}, and the run was planned for {database} on {system}",
            "look at the service on Railway before anything else",
        )
    if life == noted["life"]:
        raise StepFailed(f"{target}: it is still the server that was there before, at {lsn}", "inv resume")
    now = OnVolume(session.railway(target)).volume()
    if now == noted["volume"] and not _behind(session, target, noted["lsn"]):
        raise StepFailed(f"{target}: it is still as it was before: volume {now}, at {lsn}", "inv resume")
    what = f"volume {now}" if now != noted["volume"] else f"the same volume, back at {lsn}"
    return f"{database} answers from {what}, in place of {noted['volume']}"


def _noted(session: Session, target: str, report: str) -> dict[str, str]:
    try:
        found = json.loads(session.inventory.path(report).read_bytes())
        return {name: str(found[name]) for name in ("volume", "taken", "life", "lsn")}
    except (OSError, ValueError, TypeError, KeyError):
        raise StepFailed(f"{target}: what was there before was not noted", "inv resume") from None


@tool
def check_volume_untouched(session: Session, *, target: str, report: str) -> str:
    """Say whether Railway was not asked for anything yet, or refused it."""
    if session.inventory.path(f"{report}.asked").exists():
        raise StepFailed(f"{target}: Railway was asked for the restore")
    return "Railway was not asked"


def _life(session: Session, target: str) -> tuple[Any, ...]:
    with session.connect(target) as connection:
        return tuple(connection.execute(LIFE).fetchone() or ())


def _behind(session: Session, target: str, lsn: str) -> bool:
    """Whether the server has gone back to before a place in its log."""
    if not lsn:
        return False
    with session.connect(target) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn() < %s::pg_lsn", [lsn]).fetchone()
        return bool(row and row[0])


@tool
def volume_account(session: Session, *, target: str, report: str, after: str, safety: str = "") -> str:
    """Say what is live now, table by table against our nearest dump, and what of the last dump is not."""
    now, folder = fingerprint.read(session.inventory.path(after)), target_folder(session, target)
    lines = [f"live now: {now.rows:,} rows in {len(now.tables)} tables"]
    moment = moment_of(str(_noted(session, target, report)["taken"]))
    known = backup_kinds.dumps(manifest.backups(folder))
    if known:
        near = min(known, key=lambda one: abs(one.taken_at - (moment or one.taken_at)))
        then = fingerprint.read(folder / "backups" / near.backup / "fingerprint.jsonl")
        lines.append(f"against our nearest dump, {selection.said(near)}: {_differs(then, now)}")
    if safety:
        last = fingerprint.read(folder / "backups" / safety / "fingerprint.jsonl")
        lines.append(
            f"against the last dump, {safety}: {_differs(last, now)}; what is gone comes back by   "
            f"inv salvage --backup={safety} --table=TABLE --target={target}"
        )
    return "\n".join(lines)


def _differs(then: Fingerprint, now: Fingerprint) -> str:
    """Rows per table, then and now, where they or their content differ."""
    found = []
    for name in sorted(then.tables.keys() | now.tables.keys()):
        one, two = then.tables.get(name), now.tables.get(name)
        if one is None or two is None:
            found.append(f"{name} {'is new' if one is None else 'is gone'}")
        elif one.rows != two.rows:
            found.append(f"{name} {one.rows:,} → {two.rows:,} rows")
        elif one.checksum != two.checksum:
            found.append(f"{name} {one.rows:,} rows, others")
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return ", ".join(found[:8]) + more if found else "every table is equal"

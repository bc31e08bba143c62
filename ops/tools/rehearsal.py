"""Tools of the rehearsal: whose database it is, the verdict, the certificate."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ops import __version__, certificate, fingerprint, measures
from ops.blame import better, name_operations
from ops.errors import DataDiffers, Refused
from ops.explain import explain
from ops.files import write_whole
from ops.judge import judge
from ops.look import Databases
from ops.operations import Application
from ops.probes import commit_of, identity, pending, pending_digest, probe, target_folder
from ops.tools.registry import tool
from ops.world import World

MOVES = TypeAdapter(tuple[certificate.Moved, ...])


@tool
def check_app(world: World, *, target: str, database_of: str) -> str:
    """Prove from inside the application that it talks to the database that is meant, and to no other."""
    found, wanted = probe(world, target, database_of), identity(world, database_of)
    if (found["system"], found["database"]) != (wanted["system"], wanted["database"]):
        raise Refused(
            f"{target}: its manage.py talks to the database {found['database']}, not to {database_of} "
            f"({wanted['database']}): its settings do not read app.database_env",
            f"read the variable of app.database_env in the settings of {target}",
        )
    return f"manage.py talks to {found['database']}"


@tool
def verdict(world: World, *, target: str, test: str, before: str, before_database: str, after: str, report: str) -> str:
    """Say for every table whether its rows are unchanged, moved, changed or lost, and refuse what loses data."""
    old, new = (fingerprint.read(world.inventory.path(name)) for name in (before, after))
    with world.connect(test, before_database) as one, world.connect(test) as two:
        look = Databases({"before": one, "after": two})
        known = Application.read(probe(world, target, target))
        judged = judge(old, new, look, known)
        lagging = sorted(set(look.lagging("after")) - set(look.lagging("before")))
    name_operations(judged, known)
    write_whole(world.inventory.path(report), json.dumps(judged.data(), indent=1, ensure_ascii=False))
    write_whole(_moves_file(world, report), MOVES.dump_json(certificate.moves(judged)))
    if judged.refused:
        message, hint = explain(target, judged, better(judged, known))
        raise DataDiffers(message, hint, verdict=judged.data())
    moved = [f"{t.table} → {t.to}" for t in judged.tables if t.verdict == "moved"]
    said = f"every row of {len(old.tables)} tables is accounted for" + (f"; moved: {', '.join(moved)}" if moved else "")
    if lagging:
        behind = ", ".join(lagging)
        said += f"\nWARNING: the next insert will fail, its sequence is behind: {behind}; add setval to the copy"
    return said


def bound(world: World, target: str, backup_id: str, found: dict[str, Any]) -> certificate.Bound:
    """What binds a certificate, as it is now."""
    who = identity(world, target)
    return certificate.Bound(
        migrations=pending_digest(found),
        commit=commit_of(world, target),
        schema_digest=str(who["schema"]),
        applied=tuple(found["applied"]),
        backup=backup_id,
        server=str(who["server"]),
        tool=__version__,
    )


@tool
def certify(world: World, *, target: str, backup_id: str, report: str, after: str, name: str) -> str:
    """Bind the rehearsal's result to what it is valid for."""
    entry = world.inventory.target(target)
    found = probe(world, target, target)
    issued = datetime.now(UTC)
    folder = target_folder(world, target)
    costs = measures.newest(folder, backup_id, [migration for migration, _ in pending(found)])
    certificate.write(
        folder,
        certificate.Certificate(
            certificate=name,
            target=target,
            issued_at=issued,
            expires_at=issued + timedelta(hours=entry.certificate_hours),
            bound=bound(world, target, backup_id, found),
            pending=tuple(pending(found)),
            schema_after=fingerprint.read(world.inventory.path(after)).schema,
            moves=MOVES.validate_json(_moves_file(world, report).read_bytes()),
            measured=measures.summary(costs) if costs else None,
        ),
    )
    unknown = "" if costs else "; what the migrations lock was not measured"
    return f"{name}: valid for {entry.certificate_hours:g} h{unknown}"


def _moves_file(world: World, report: str) -> Path:
    return world.inventory.path(report).with_name("moves.json")


@tool
def check_certificate(world: World, *, target: str, name: str) -> str:
    """Compare what a certificate is bound to with what is there now."""
    found = certificate.read(target_folder(world, target), name)
    now = bound(world, target, found.bound.backup, probe(world, target, target))
    if said := certificate.objections(found, now):
        why = "; ".join(said)
        raise Refused(f"{target}: certificate {name} does not hold: {why}", f"inv release --target={target}")
    return f"{name}: holds until {found.expires_at:%Y-%m-%d %H:%M} UTC"

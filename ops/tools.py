"""What our own Python does within a step; each is also a task, ``inv tool.NAME``, with the same options.

A tool takes a ``World`` and text options, says what it found in a line, and raises an ``OpsError`` where something does
not hold. It asks nobody and starts no other step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ops import __version__, backup, certificate, django, fingerprint
from ops.command import Query, Shell
from ops.errors import DataDiffers, OpsError, Refused, StepFailed
from ops.explain import explain
from ops.files import write_whole
from ops.inputs import AppInputs, Inputs
from ops.judge import judge
from ops.look import Databases
from ops.postgres import json_lines, said_error
from ops.promoted import Holdings, hold, objections
from ops.world import World

TOOLS: dict[str, Callable[..., str]] = {}
MOVES = TypeAdapter(tuple[certificate.Moved, ...])


def tool(function: Callable[..., str]) -> Callable[..., str]:
    """Make a function a tool under its name with dashes."""
    TOOLS[function.__name__.replace("_", "-")] = function
    return function


def target_folder(world: World, target: str) -> Path:
    """A target's folder in the store."""
    return world.inventory.path(world.inventory.target(target).store) / target


def identity(world: World, target: str) -> dict[str, Any]:
    """What ``identity.sql`` says of a target: system, server, database, size, databases, schema.

    Raises:
        OpsError: the server can't be reached.
    """
    done = world.run(Query("identity.sql", target))
    if done.exit:
        raise OpsError(
            f"{target}: the database does not answer: {said_error(done.err)}", "check its address and that it runs"
        )
    found, schema = json_lines(done.out)[:2]
    return {**found, **schema}


def app_inputs(world: World, target: str) -> AppInputs | None:
    """How the target's application is called."""
    app = world.inventory.target(target).app
    if app is None:
        return None
    return AppInputs(folder=app.dir, manage=app.manage, database_env=app.database_env, env=tuple(app.env.items()))


def probe(world: World, target: str, database_of: str) -> dict[str, Any]:
    """Ask the application of ``target``, from inside, about the database of ``database_of``; read-only.

    Raises:
        OpsError: it does not start, or says nothing.
    """
    if (target, database_of) in world.memo:
        return world.memo[target, database_of]
    c = Inputs(run="", target=target, database="", store="", backup="", app=app_inputs(world, target))
    shell = django.manage(c, database_of, "shell", "-c", django.PROBE, options="-c default_transaction_read_only=on")
    done = world.run(shell)
    found = django.read_probe(done.out)
    if found is None:
        said = said_error(done.err or done.out) or f"exit code {done.exit}"
        folder, words = (c.app.folder, " ".join(c.app.manage)) if c.app else ("", "")
        raise OpsError(f"{target}: the application does not start: {said}", f"cd {folder} && {words} check")
    world.memo[target, database_of] = found
    return found


def commit_of(world: World, target: str) -> str:
    """The application's commit, with ``-dirty`` where its folder has changes; empty where there is no git."""
    app = world.inventory.target(target).app
    if app is None:
        return ""
    words = ("git", "describe", "--always", "--abbrev=40", "--match=", "--dirty")
    done = world.run(Shell(words, "", folder=app.dir))
    return done.out.strip() if done.exit == 0 else ""


@tool
def seal(world: World, *, target: str, backup_id: str, run: str) -> str:
    """Write the manifest of a finished dump: fingerprint, sha256 of every file, versions, migrations, commit."""
    folder = target_folder(world, target) / "backups"
    partial, final = folder / f"{backup_id}.partial", folder / backup_id
    if final.exists() and not partial.exists():
        return f"{backup_id} is sealed already"
    found = fingerprint.read(partial / "fingerprint.jsonl")
    manifest = backup.seal(
        partial,
        final,
        {
            "backup": backup_id,
            "target": target,
            "database": world.database(target),
            "taken_at": datetime.now(UTC),
            "server": found.server,
            "client": str(world.tools.major if world.tools else ""),
            "system": identity(world, target)["system"],
            "schema_digest": found.schema,
            "migrations": found.migrations,
            "commit": commit_of(world, target),
            "run": run,
            "rows": {t.name: t.rows for t in found.tables.values()},
        },
    )
    return f"{backup_id}: {found.rows:,} rows in {len(found.tables)} tables, {manifest.size / 1e6:,.1f} MB"


@tool
def check_backup(world: World, *, target: str, backup_id: str) -> str:
    """Read every file of a backup and compare its sha256 with the manifest."""
    folder = target_folder(world, target) / "backups" / backup_id
    if wrong := backup.damage(folder):
        raise StepFailed(f"{target}: backup {backup_id} is damaged: {'; '.join(wrong[:3])}", "inv backups")
    return f"{backup_id}: every file is what was written"


@tool
def same_fingerprint(world: World, *, before: str, after: str) -> str:
    """Compare two fingerprints: every table equal, every sequence as far or further."""
    one, two = (fingerprint.read(world.inventory.path(name)) for name in (before, after))
    if wrong := fingerprint.differences(one, two):
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise StepFailed(f"{after}: not what was dumped: {'; '.join(wrong[:3])}{more}", "inv backup")
    return f"{one.rows:,} rows in {len(one.tables)} tables are equal"


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
        judged = judge(old, new, look)
        lagging = sorted(set(look.lagging("after")) - set(look.lagging("before")))
    write_whole(world.inventory.path(report), json.dumps(judged.data(), indent=1, ensure_ascii=False))
    write_whole(_moves_file(world, report), MOVES.dump_json(certificate.moves(judged)))
    if judged.refused:
        message, hint = explain(target, judged)
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


def pending_digest(found: dict[str, Any]) -> str:
    """One digest over the pending migrations' names and files, in the order in which they would run."""
    return hashlib.sha256(json.dumps(pending(found)).encode()).hexdigest()


def pending(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The pending migrations that a probe found: name and sha256 of the file, in the order in which they would run."""
    return [(migration["name"], migration["sha256"]) for migration in found["pending"]]


@tool
def certify(world: World, *, target: str, backup_id: str, report: str, after: str, name: str) -> str:
    """Bind the rehearsal's result to what it is valid for."""
    entry = world.inventory.target(target)
    found = probe(world, target, target)
    issued = datetime.now(UTC)
    certificate.write(
        target_folder(world, target),
        certificate.Certificate(
            certificate=name,
            target=target,
            issued_at=issued,
            expires_at=issued + timedelta(hours=entry.certificate_hours),
            bound=bound(world, target, backup_id, found),
            pending=tuple(pending(found)),
            schema_after=fingerprint.read(world.inventory.path(after)).schema,
            moves=MOVES.validate_json(_moves_file(world, report).read_bytes()),
        ),
    )
    return f"{name}: valid for {entry.certificate_hours:g} h"


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


@tool
def check_rest(world: World, *, target: str, name: str) -> str:
    """Compare the migrations that production has, and those that are left, with the rehearsed ones."""
    found = certificate.read(target_folder(world, target), name)
    now = probe(world, target, target)
    if said := certificate.partly(found, set(now["applied"]), pending(now)):
        raise Refused(f"{target}: not what was rehearsed: {'; '.join(said)}", "inv status")
    return f"{len(now['pending'])} of {len(found.pending)} rehearsed migrations are left"


@tool
def hold_production(world: World, *, target: str, name: str, before: str, report: str) -> str:
    """Note what production holds before its migrations; refuse where they would drop what was never rehearsed."""
    found = certificate.read(target_folder(world, target), name)
    file = world.inventory.path(report)
    with world.connect(target) as connection:
        look = Databases({"before": connection})
        holdings, said = hold(found, fingerprint.read(world.inventory.path(before)), look, file.parent)
    if said:
        raise DataDiffers(
            f"{target}: written since the rehearsal, and the migrations would drop it: {'; '.join(said[:4])}",
            f"inv undo --target={target}   then   inv release --target={target}",
        )
    write_whole(file, holdings.model_dump_json())
    return f"{len(holdings.tables)} tables are held against the rehearsal"


@tool
def verify_production(world: World, *, target: str, name: str, held: str, after: str, frozen: str) -> str:
    """Compare production after the migrations with what it held before, over the columns that the rehearsal proved."""
    found = certificate.read(target_folder(world, target), name)
    new = fingerprint.read(world.inventory.path(after))
    holdings = Holdings.model_validate_json(world.inventory.path(held).read_bytes())
    with world.connect(target) as connection:
        said = objections(found, holdings, new, Databases({"after": connection}), frozen == "yes")
    if said:
        raise DataDiffers(f"{target}: production is not what was rehearsed: {'; '.join(said[:4])}")
    return f"{len(holdings.tables)} tables hold what they held before"


@tool
def loss_preview(world: World, *, target: str, before: str, after: str) -> str:
    """Say which tables of the live database differ from a backup, with rows: what a rollback would set aside."""
    old, new = (fingerprint.read(world.inventory.path(name)) for name in (before, after))
    said = []
    for name in sorted(old.tables.keys() | new.tables.keys()):
        was, is_now = old.tables.get(name), new.tables.get(name)
        if was is None or is_now is None:
            there = was or is_now
            said.append(f"{name}: {there.rows if there else 0:,} rows, {'only in the backup' if was else 'only live'}")
        elif (was.rows, was.checksum, was.columns) != (is_now.rows, is_now.checksum, is_now.columns):
            said.append(f"{name}: {is_now.rows:,} rows live, {was.rows:,} in the backup")
    return "live and backup differ in\n  " + "\n  ".join(said) if said else "the live database equals the backup"


@tool
def check_window(world: World, *, target: str) -> str:
    """Say whether the maintenance window of the inventory is open now; without one, it always is."""
    window = world.inventory.target(target).window
    if window is None:
        return "no maintenance window is asked for"
    if not window.contains(datetime.now(UTC)):
        raise Refused(
            f"{target}: the maintenance window is closed: {', '.join(window.days)} {window.hours} {window.zone}",
            "wait for it, or change `window` in the inventory",
        )
    return f"the maintenance window is open ({window.hours} {window.zone})"

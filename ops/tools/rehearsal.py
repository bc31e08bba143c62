"""Tools of the rehearsal: whose database it is, the verdict, the certificate."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ops import backup, certificate, fingerprint, measures, rehearsed, way_back
from ops.blame import better, name_operations
from ops.bound import bound_now, bound_then, checks_of
from ops.declared import declare_for, refusal
from ops.errors import DataDiffers, OpsError, Refused
from ops.excluded import must_not_touch, touched
from ops.files import write_whole
from ops.judge import judge
from ops.look import Databases
from ops.operations import Application
from ops.probes import changes_of, commit_of, identity, pending, probe, target_folder
from ops.tools.registry import tool
from ops.world import World

# What one step of the rehearsal leaves for another, beside the verdict.
MOVES, CHECKS, WAY_BACK = "moves.json", "checks.json", "way-back.json"


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
def check_touched(world: World, *, target: str, backup_id: str) -> str:
    """Refuse to rehearse what works on a table whose rows stayed out of the backup: they could not be proved."""
    try:
        out = backup.read_manifest(backup.folder_of(target_folder(world, target), backup_id)).excluded
    except OpsError:
        # A clone may outlive its backup; without that nothing is verified or certified.
        return f"{backup_id} is not there any more"
    if out and (said := touched(Application.read(probe(world, target, target)), out)):
        must_not_touch(world, target, said)
    return fingerprint.not_backed_up(out) or "every table was backed up"


@tool
def note_rehearsal(world: World, *, target: str, test: str, backup_id: str, run: str) -> str:
    """Note what the clone is about to be migrated with, by what its application says is pending there."""
    now = rehearsed.Rehearsed(
        run=run,
        migrations=tuple(pending(probe(world, target, test))),
        commit=commit_of(world, target),
        changes=changes_of(world, target),
    )
    found = rehearsed.note(target_folder(world, target), backup_id, now)
    return f"{len(found.migrations)} migrations: {', '.join(name for name, _ in found.migrations)}"


@tool
def verdict(
    world: World,
    *,
    target: str,
    test: str,
    backup: str,
    before: str,
    before_database: str,
    after: str,
    report: str,
    draft: str,
) -> str:
    """Say for every table whether its rows are unchanged, moved, changed or lost, and refuse what loses data."""
    dumped, old, new = (fingerprint.read(world.inventory.path(name)) for name in (backup, before, after))
    check_before(target, dumped, old)
    with world.connect(test, before_database) as one, world.connect(test) as two:
        look = Databases({"before": one, "after": two})
        known = Application.read(probe(world, target, target))
        judged = judge(old, new, look, known)
        lagging = sorted(set(look.lagging("after")) - set(look.lagging("before")))
    name_operations(judged, known)
    declared, expectations = declare_for(world, target, judged)
    judged.excluded = dumped.excluded
    write_whole(world.inventory.path(report), json.dumps(judged.data(), indent=1, ensure_ascii=False))
    proved = certificate.Proved(
        moves=certificate.moves(judged, old, new, declared.allowed), expectations=expectations.digest
    )
    write_whole(_beside(world, report, MOVES), proved.model_dump_json())
    if declared.objections or declared.left.refused:
        right = better(declared.left, known)
        message, hint = refusal(world, target, declared, expectations, right=right, write=draft == "yes")
        raise DataDiffers(message, hint, verdict=judged.data())
    moved = [f"{t.table} → {t.to}" for t in judged.tables if t.verdict == "moved"]
    counted = len(old.tables) - len(dumped.excluded)
    said = f"every row of {counted} tables is accounted for" + (f"; moved: {', '.join(moved)}" if moved else "")
    said += _unknown(dumped.excluded)
    if named := [t.table for t in judged.tables if t.verdict == "declared"]:
        said += f"; as declared in {expectations.file}: {', '.join(named)}"
    grown = [t for t in judged.tables if t.verdict == "unchanged" and t.rows_after > t.rows_before and not t.tolerated]
    if grown:
        said += "; rows added: " + ", ".join(f"{t.table} {t.rows_after - t.rows_before:,}" for t in grown)
    if lagging:
        behind = ", ".join(lagging)
        said += f"\nWARNING: the next insert will fail, its sequence is behind: {behind}; add setval to the copy"
    return said + "".join(f"\nWARNING: {warning}" for warning in declared.warnings)


def _unknown(excluded: dict[str, int]) -> str:
    """What was not rehearsed, behind what was."""
    rest = fingerprint.not_backed_up(excluded)
    return f"; {rest}: nothing is known of their rows" if rest else ""


def check_before(target: str, dumped: fingerprint.Fingerprint, before: fingerprint.Fingerprint) -> None:
    """What the migrated clone is compared with must be the backup itself.

    Raises:
        Refused: the clone was migrated or written to before it was copied, or the copy is of another clone.
    """
    if wrong := fingerprint.differences(dumped, before):
        raise Refused(
            f"{target}: the clone was not production's copy any more when it was migrated ({'; '.join(wrong[:3])}), so "
            "comparing with it proves nothing",
            f"inv clone-prod-to-test --target={target}   and then   inv migrate-test --target={target}",
        )


@tool
def note_checks(world: World, *, target: str, report: str) -> str:
    """Note that the application's own checks passed; called when all of them have."""
    passed = checks_of(world, target)
    write_whole(world.inventory.path(report), json.dumps(passed))
    return f"{len(passed)} check{'s' if len(passed) != 1 else ''} passed"


@tool
def time_way_back(world: World, *, report: str, moment: str) -> str:
    """Note that a moment of the way back is now; the certificate tells how long it took."""
    return way_back.note(world.inventory.path(report), moment)


@tool
def certify(world: World, *, target: str, backup_id: str, report: str, after: str, name: str) -> str:
    """Bind the rehearsal's result to what it is valid for: to what was rehearsed, not to what is there by now."""
    hours = world.inventory.target(target).certificate_hours
    try:
        proved = certificate.Proved.model_validate_json(_beside(world, report, MOVES).read_bytes())
    except (OSError, ValueError):
        raise Refused(
            f"{target}: {_beside(world, report, MOVES)}: what the comparison found can't be read",
            f"inv verify --target={target}",
        ) from None
    recovery = way_back.measured(_beside(world, report, WAY_BACK))
    found = fingerprint.read(world.inventory.path(after))
    issued = datetime.now(UTC)
    folder = target_folder(world, target)
    bound = bound_then(world, target, backup_id, _beside(world, report, CHECKS), proved, found)
    costs = measures.newest(folder, backup_id, [name for name, _ in bound.migrations])
    made = certificate.Certificate(
        certificate=name,
        target=target,
        issued_at=issued,
        expires_at=issued + timedelta(hours=hours),
        bound=bound,
        recovery=recovery,
        schema_after=found.schema,
        moves=proved.moves,
        measured=measures.summary(costs) if costs else None,
        excluded=backup.read_manifest(backup.folder_of(folder, backup_id)).excluded,
    )
    certificate.write(folder, made)
    unknown = "" if costs else "; what the migrations lock was not measured"
    said = f"{name}: valid for {hours:g} h{unknown}" + (f"; {recovery.sentence}" if recovery else "")
    longer = ", and the way back from the last backup, which has them, takes longer" if made.excluded else ""
    return said + _unknown(made.excluded) + longer


def _beside(world: World, report: str, name: str) -> Path:
    return world.inventory.path(report).with_name(name)


@tool
def check_certificate(world: World, *, target: str, name: str) -> str:
    """Compare what a certificate is bound to with what is there now."""
    found = certificate.read(target_folder(world, target), name)
    said = certificate.objections(found, bound_now(world, target, found.bound.backup))
    if found.target != target:
        said.insert(0, f"it is one of {found.target}")
    if said:
        why = "; ".join(said)
        raise Refused(f"{target}: certificate {name} does not hold: {why}", f"inv release --target={target}")
    return f"{name}: holds until {found.expires_at:%Y-%m-%d %H:%M} UTC"


@tool
def check_recovery(world: World, *, target: str, name: str) -> str:
    """Say how long the way back took in the rehearsal; refuse where it was not tried."""
    recovery = certificate.read(target_folder(world, target), name).recovery
    if recovery is None:
        raise Refused(
            f"{target}: the rehearsal of certificate {name} did not prove the way back",
            f"inv release --target={target}",
        )
    return recovery.sentence

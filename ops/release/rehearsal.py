"""Run the steps of a rehearsal: check the application's database, compute the verdict, write the certificate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from ops.application.database_aliases import check_isolated, check_told, others
from ops.application.operations import Application
from ops.application.probe import changes_of, commit_of, identity, pending, probe
from ops.core.errors import DataDiffers, OpsError, Refused
from ops.core.files import write_whole
from ops.core.text import counted
from ops.engine.hooks import HOOKS
from ops.engine.inputs import RunInputs
from ops.engine.registry import tool
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import manifest as backup
from ops.release import certificate, rehearsal_record, touched_tables
from ops.release.certificate_binding import bound_then, changed_since, checks_of
from ops.release.declarations import declare_for, refusal
from ops.release.measuring import corrections, migration_metrics, recovery_time
from ops.release.measuring.attribution import better, name_operations
from ops.release.new_tables import Fresh, fresh, rehearse, sources
from ops.release.touched_tables import must_not_touch, works_on
from ops.verdict import fingerprint, result_comparison
from ops.verdict.accounting.judge import judge
from ops.verdict.databases import Databases
from ops.verdict.expect.expectations import Expectations
from ops.verdict.expect.expectations_match import Declared
from ops.verdict.expect.limits import Allowed
from ops.verdict.explain import as_declared, examples
from ops.verdict.model import ColumnVerdict, Verdict
from ops.verdict.objects.beyond_rows import Connections, complete
from ops.verdict.objects.content_types import Types, models_of
from ops.verdict.result_comparison import Made

# Files that one step of the rehearsal writes for another, beside the verdict.
CHECKS, WAY_BACK = "checks.json", "way-back.json"
TRIAL = "beside.json"


@tool
def check_app(session: Session, *, target: str, database_of: str) -> str:
    """Check from inside the application that it uses the right database and no other."""
    found, wanted = probe(session, target, database_of), identity(session, database_of)
    if (found["system"], found["database"]) != (wanted["system"], wanted["database"]):
        raise Refused(
            f"{target}: its manage.py connects to the database {found['database']}, not to {database_of} "
            f"({wanted['database']}): its settings do not read app.database_env",
            f"have the settings of {target} read the variable that app.database_env names",
        )
    check_told(target, found)
    said = f"manage.py connects to {found['database']}"
    if database_of != target:
        check_isolated(target, found)
        return said
    rest = others(found)
    return said + (f"; other databases, neither backed up nor frozen: {', '.join(rest)}" if rest else "")


@tool
def check_touched(session: Session, *, target: str, backup_id: str) -> str:
    """Refuse migrations that change a table whose rows are not in the backup: nothing about them could be proved."""
    try:
        out = backup.read_manifest(backup.folder_of(target_folder(session, target), backup_id)).excluded
    except OpsError:
        # A clone may outlive its backup. Without the backup, no later step verifies or certifies anything.
        return f"{backup_id} no longer exists"
    if out and (said := works_on(Application.read(probe(session, target, target)), out)):
        must_not_touch(session, target, said)
    return fingerprint.not_backed_up(out) or "every table was backed up"


@tool
def note_rehearsal(session: Session, *, target: str, test: str, backup_id: str, run: str) -> str:
    """Record the migrations that are pending on the clone, before they run."""
    now = rehearsal_record.Rehearsed(
        run=run,
        migrations=tuple(pending(probe(session, target, test))),
        commit=commit_of(session, target),
        changes=changes_of(session, target),
    )
    found = rehearsal_record.note(target_folder(session, target), backup_id, now)
    return f"{len(found.migrations)} migrations: {', '.join(name for name, _ in found.migrations)}"


@tool
def verdict(
    session: Session,
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
    """Report for every table whether its rows are unchanged, moved, changed or lost. Refuse a loss of data."""
    dumped, old, new = (fingerprint.read(session.inventory.path(name)) for name in (backup, before, after))
    check_before(target, dumped, old)
    judged, known = _judged(session, (target, test, before_database), old, new)
    declared, expectations = declare_for(session, target, judged)
    judged.excluded = dumped.excluded
    write_whole(session.inventory.path(report), json.dumps(judged.data(), indent=1, ensure_ascii=False))
    if declared.objections or declared.left.refused or declared.left.against:
        right = better(declared.left, known, partial(corrections.replace, session, target, known))
        message, hint = refusal(session, target, declared, expectations, right=right, write=draft == "yes")
        sides = f"on {test}, compare {before_database} (before the migrations) with {session.database(test)} (after)"
        differs = DataDiffers(message, f"{hint};   to see the difference {sides}", verdict=judged.data())
        differs.examples = examples(declared.left)
        raise differs
    made, new_rows = made_of(session, target, (test, before_database), (old, new), judged, declared.allowed, report)
    reached = touched_tables.reaches(known, old.tables)
    proved = certificate.Proved(
        moves=certificate.moves(judged, old, new, declared.allowed, reached),
        expectations=expectations.digest,
        objects=declared.objects,
        made=made,
        fresh=new_rows,
        sources=sources(reached, old) if new_rows else {},
        since=dumped.moment,
    )
    write_whole(_beside(session, report, certificate.MOVES), proved.model_dump_json())
    counted = len(old.tables) - len(dumped.excluded)
    return _said(judged, counted, declared, expectations)


def _judged(
    session: Session, place: tuple[str, str, str], old: fingerprint.Fingerprint, new: fingerprint.Fingerprint
) -> tuple[Verdict, Application]:
    """Compute the verdict on every row and object. Return the pending migrations, too."""
    target, test, before_database = place
    with session.connect(test, before_database) as one, session.connect(test) as two:
        plan = Application.read(probe(session, target, target))
        known = plan.model_copy(update={"models_before": models_of(plan, Types.read(one, old), old)})
        judged = judge(old, new, Databases({"before": one, "after": two}), known)
        with session.connect(target) as production:
            complete(judged, old, new, Connections(one, two, production), known)
    name_operations(judged, known)
    return judged, known


def _said(judged: Verdict, counted: int, declared: Declared, expectations: Expectations) -> str:
    """Report a verdict without refusal in one line, and its warnings in further lines."""
    moved = [f"{t.table} → {t.to}" for t in judged.tables if t.verdict == "moved"]
    said = f"every row of {counted} tables is accounted for" + (f"; moved: {', '.join(moved)}" if moved else "")
    if other := [
        f"{t.table}.{c.column}{_rule(c)}" for t in judged.tables for c in t.columns if c.verdict == "re-expressed"
    ]:
        said += f"; re-expressed, proved in every row: {', '.join(other)}"
    said += _unknown(judged.excluded)
    if named := [what for table in judged.tables for what in as_declared(table)]:
        said += f"; as declared in {expectations.file}: {', '.join(named)}"
    if more := judged.grown:
        said += "; rows added: " + ", ".join(f"{name} {count:,}" for name, count in more.items())
    return said + "".join(f"\nWARNING: {warning}" for warning in [*judged.remarks, *declared.warnings])


def made_of(
    session: Session,
    target: str,
    clone: tuple[str, str],
    prints: tuple[fingerprint.Fingerprint, fingerprint.Fingerprint],
    judged: Verdict,
    allowed: Mapping[str, Allowed],
    report: str,
) -> tuple[tuple[Made, ...], tuple[Fresh, ...]]:
    """Write beside the report what the migrations wrote into rows, for the comparison with production.

    Args:
        clone: the test target, and the database of the clone before the migrations.
        prints: fingerprints of the clone before and after.
    """
    known = Application.read(probe(session, target, target))
    names = [name for name, _ in pending(probe(session, target, target))]
    folder = target_folder(session, target)
    found = []
    with session.connect(*clone) as one, session.connect(clone[0]) as two:
        look = Databases({"before": one, "after": two})
        for number, made in enumerate(result_comparison.made(judged, *prints, allowed, names)):
            if not known.opaque:
                found += [same] if (same := result_comparison.alike(made, look)).values else []
                continue
            file = _beside(session, report, f"rehearsed-{number}.txt").relative_to(folder)
            found.append(made.model_copy(update={"file": str(file)}))
            result_comparison.rehearse(found[-1], look, folder)
        reader = result_comparison.Reader.of(judged, prints[1], names)
        tables = fresh(judged, prints[1], reader, allowed) if known.opaque else []
        for number, new in enumerate(tables):
            file = _beside(session, report, f"fresh-{number}.txt")
            tables[number] = new.model_copy(update={"file": str(file.relative_to(folder))})
            rehearse(new, look, file)
    return tuple(found), tuple(tables)


def _rule(column: ColumnVerdict) -> str:
    return (f" → {column.to}" if column.to else "") + f" ({column.note})"


def _unknown(excluded: Mapping[str, int]) -> str:
    """Return the part of a message that names the tables without rehearsal."""
    rest = fingerprint.not_backed_up(excluded)
    return f"; {rest}: their rows were not rehearsed" if rest else ""


def check_before(target: str, dumped: fingerprint.Fingerprint, before: fingerprint.Fingerprint) -> None:
    """Check that the clone was equal to the backup before the migrations.

    Raises:
        Refused: the clone was migrated or written to before it was copied, or the copy is of another clone.
    """
    if wrong := fingerprint.differences(dumped, before):
        raise Refused(
            f"{target}: the clone had changed before it was migrated, so the comparison proves nothing: "
            f"{'; '.join(wrong[:3])}",
            f"inv clone-prod-to-test --target={target}   and then   inv migrate-test --target={target}",
        )


@tool
def note_checks(session: Session, *, target: str, report: str) -> str:
    """Record that all of the application's checks passed."""
    passed = checks_of(session, target)
    write_whole(session.inventory.path(report), json.dumps(passed))
    return f"{counted(len(passed), 'check')} passed"


@tool
def time_way_back(session: Session, *, report: str, moment: str) -> str:
    """Record the time of a moment of the recovery. The certificate has the duration."""
    return recovery_time.note(session.inventory.path(report), moment)


@tool
def certify(session: Session, *, target: str, backup_id: str, report: str, after: str, name: str) -> str:
    """Write the certificate, bound to what was rehearsed, not to the current state."""
    hours = session.inventory.target(target).certificate_hours
    try:
        proved = certificate.Proved.model_validate_json(_beside(session, report, certificate.MOVES).read_bytes())
    except (OSError, ValueError):
        raise Refused(
            f"{target}: {_beside(session, report, certificate.MOVES)}: the result of the comparison cannot be read",
            f"inv verify --target={target}",
        ) from None
    recovery = recovery_time.measured(_beside(session, report, WAY_BACK))
    found = fingerprint.read(session.inventory.path(after))
    issued = datetime.now(UTC)
    folder = target_folder(session, target)
    bound = bound_then(session, target, backup_id, _beside(session, report, CHECKS), proved, found)
    costs = migration_metrics.newest(folder, backup_id, [name for name, _ in bound.migrations])
    made = certificate.Certificate(
        certificate=name,
        target=target,
        issued_at=issued,
        expires_at=issued + timedelta(hours=hours),
        bound=bound,
        recovery=recovery,
        schema_after=found.schema,
        schema_parts_after=found.schema_parts,
        moves=certificate.reached(proved.moves, touched_tables.measured(costs)) if costs else proved.moves,
        since=proved.since,
        measured=migration_metrics.summary(costs) if costs else None,
        beside=_tried(_beside(session, report, TRIAL)),
        excluded=backup.read_manifest(backup.folder_of(folder, backup_id)).excluded,
        objects=proved.objects,
        made=proved.made,
        fresh=proved.fresh,
        sources=proved.sources,
    )
    certificate.write(folder, made)
    unknown = "" if costs else "; the locks of the migrations were not measured"
    said = f"{name}: valid for {hours:g} h{unknown}" + (f"; {recovery.sentence}" if recovery else "")
    longer = ", and a rollback to the last backup, which includes them, takes longer" if made.excluded else ""
    return said + _unknown(made.excluded) + longer


def _tried(path: Path) -> str:
    """Return the result of the trial restore beside production as text."""
    try:
        found = json.loads(path.read_bytes())
        return f"{found['objects']:,} objects, as {found['role']}" if not found["troubles"] else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _beside(session: Session, report: str, name: str) -> Path:
    return session.inventory.path(report).with_name(name)


@tool
def check_certificate(session: Session, *, target: str, name: str) -> str:
    """Check that nothing that a certificate is bound to has changed."""
    found = certificate.read(target_folder(session, target), name)
    said = changed_since(session, target, found)
    if found.target != target:
        said.insert(0, f"it belongs to {found.target}")
    if said:
        why = "; ".join(said)
        raise Refused(f"{target}: certificate {name} does not hold: {why}", f"inv release --target={target}")
    return f"{name}: valid until {found.expires_at:%Y-%m-%d %H:%M} UTC"


@tool
def check_recovery(session: Session, *, target: str, name: str) -> str:
    """Report how long the recovery took in the rehearsal. Refuse a rehearsal without recovery."""
    found = certificate.read(target_folder(session, target), name)
    if (recovery := found.recovery) is None:
        raise Refused(
            f"{target}: the rehearsal of certificate {name} did not prove the recovery",
            f"inv release --target={target}",
        )
    if not found.beside:
        raise Refused(
            f"{target}: the rehearsal of certificate {name} did not test the restore beside production",
            f"inv verify --target={target}",
        )
    return f"{recovery.sentence}; the schema was also restored beside production ({found.beside})"


def _report(_: Session, __: RunInputs, folder: Path) -> object:
    """Return the verdict of this run, or None."""
    try:
        return json.loads((folder / "verdict.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


HOOKS.reports["verdict"] = _report

"""The trial restore: the only check that creates an object, an empty database beside production that it drops."""

from __future__ import annotations

from ops.backups import restore_trial
from ops.backups.actions import check_backup
from ops.backups.selection import newest
from ops.doctor.check import Finding, Subject, check, fail, ok, warn
from ops.engine.command import Tool
from ops.engine.inputs import RunInputs
from ops.engine.registry import TOOLS
from ops.infra.postgres.client import choose, said_error
from ops.infra.session.store_access import target_folder
from ops.infra.session.template import template
from ops.procedures import trial_beside as beside
from ops.procedures.planning.from_inventory import join
from ops.procedures.planning.look import anew, can_open


@check("restore", "server", "tools", "store", "changing", of=("trial",))
def restore(subject: Subject) -> Finding:
    """Check, with `--restore` only, that a rollback can restore every object of the newest backup.

    The schema is restored as this role, with owners and grants and without rows, to an empty database beside
    production, which is then dropped. Warns if a function may not work in a restore, or another version of an
    extension would be installed.
    """
    session, target = subject.session, subject.target
    manifest = newest(target_folder(session, target))
    if manifest is None:
        return warn("there is no backup to restore yet", f"inv backup --target={target}")
    if manifest.sealed:
        can_open(session, subject.entry)
    check_backup(session, target=target, backup_id=manifest.backup)
    major = int(subject.identity["number"]) // 10000
    session.commands.tools = choose(subject.tools, manifest.server // 10000, major, f"{target} ← {manifest.backup}")
    given = {
        "database": session.database(target),
        "system": subject.identity["system"],
        "backup": manifest.backup,
        "encryption": {"sealed": manifest.sealed},
        "beside": {"template": template(session, target)},
    }
    c = RunInputs(**join(anew(session, subject.entry), given))
    folder = session.secrets.private / "trial"
    folder.mkdir(exist_ok=True)
    try:
        if wrong := _run(subject, c, str(folder)):
            return fail(f"the restore could not be tried: {wrong}", f"inv doctor --target={target}")
    finally:
        session.run(beside.drop_tried(c), run=c.run)
    names = (f"{beside.FILES[name]}" for name in ("after", "said", "fragile", "empty"))
    found = restore_trial.judge(
        session, target, session.inventory.path(c.fingerprint), *(folder / name for name in names)
    )
    if found.troubles:
        return fail(f"a rollback would fail: {found.told}", found.hint)
    if found.notes:
        return warn(f"{manifest.backup}: {'; '.join(found.notes)}", "inv drill   restores the rows, too")
    return ok(f"{manifest.backup}: {found.sentence}")


def _run(subject: Subject, c: RunInputs, folder: str) -> str:
    """Run the trial restore; return the error as one line, or an empty text."""
    for command in beside.trial(c, folder):
        if isinstance(command, Tool):
            TOOLS[command.name](subject.session, **command.options)
            continue
        done = subject.session.run(command, run=c.run)
        if done.exit:
            return said_error(done.err) or f"exit code {done.exit}"
    return ""

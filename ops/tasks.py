"""The command line: one thin Invoke task per procedure. Imports nothing heavy, so that ``inv --list`` is quick.

A project of your own has a ``tasks.py`` of two lines::

    from ops.tasks import namespace
    __all__ = ["namespace"]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.tasks import task

from ops.backup_tasks import check_backups, drill, pin, prune_backups, unpack, unpin
from ops.doctor.task import doctor
from ops.listing_tasks import backups, environment, hazards, runs, status
from ops.schedule.task import HELP as SCHEDULE
from ops.schedule.task import schedule, scheduled
from ops.tool_tasks import end, tool_tasks
from ops.typed import watch

if TYPE_CHECKING:
    from ops.main import Options

HELP = {
    "target": "the target of the inventory; may be left out where one is meant",
    "inventory": "another inventory file than inventory.yaml (or OPS_INVENTORY)",
    "json": "one JSON object a line, nothing else (docs/json.md)",
    "confirm": "the target's name, as you would type it; needed without a terminal",
    "plan": "show the exact commands and change nothing",
    "reason": "why, for the journal",
    "run": "the run's id; the last one that fits, where left out",
    "backup": "the backup: its id, latest, before:RUN (production before that run changed it), or a time (UTC)",
    "to_replaced": "swap a kept database back in, by its name; without one, the only one that was replaced",
    "name": "the kept database's exact name (inv status lists them)",
    "auto_rollback": "if the promotion of a frozen production fails, take it back, and prove that nothing was lost",
    "write_expectations": "draft migrations.expect.yaml for what is refused; accepts nothing (docs/expectations.md)",
    "procedure": "release, backup, clone-prod-to-test, migrate-test, verify, promote, rollback, freeze, unfreeze",
    "check": "change nothing; exit 5 where a page is not what would be rendered",
    "out": "the folder of the pages",
    "app": "the label of the Django app",
    "old": "the model's name so far",
    "new": "the name that it is to have",
    "freeze": "production refuses writes until the way back is through, so that nothing is written meanwhile",
    "export": "keep the rows that differ as a backup of their own, RUN_delta",
    "max_rate": "write the dump at no more than so many bytes a second: 500kB, 20MB (docs/large.md)",
    "incomplete": "also to a backup without some tables' rows: those tables are live and empty then (docs/large.md)",
    "no_safety": "make no last dump before: for a database that does not answer, or can't be dumped",
    "deep": "read all of the newest backup and compare every sha256; pgBackRest's by pgbackrest verify",
    "metrics": "a file for Prometheus' textfile collector",
    "table": "a table of the backup whose rows are to come back; may be repeated, or several with commas between",
    "into": "the live table that they go into, where it has another name; by place",
    "with_related": "rows that led to them and went with them come back, too, and rows that they need",
    "new_keys": "a row whose key another row has by now comes back under a new one; links to it follow",
    "set": "COLUMN=VALUE for a column that the backup does not have; may be repeated",
    "copy": "a new table, filled and checked before the old one goes, in place of RenameModel",
    **SCHEDULE,
}


def operation(function: Callable[..., None]) -> Any:
    """Make a task whose flags have the same help everywhere."""
    named = function.__code__.co_varnames[: function.__code__.co_argcount]
    known = {name: text for name, text in HELP.items() if name in named}
    return task(help=known, optional=[name for name in named if name == "to_replaced"])(function)


def _procedure(name: str, context: Any, backup: str = "", **given: Any) -> None:
    def work(options: Options) -> int:
        from ops.main import start

        return start(name, options, backup)

    end(name, context, work, **given)


@operation
def release(  # type: ignore[no-untyped-def]
    c, target="", confirm="", auto_rollback=False, json=False, plan=False, reason="", inventory=""
):
    """Rehearse a release on a copy of production and promote it: backup, clone, migrate, verify, promote.

    Example: inv release --target=lessons --plan
             inv release --target=lessons --confirm=lessons --auto-rollback
    """
    given = {"target": target, "confirm": confirm, "auto_rollback": auto_rollback, "json": json, "plan": plan}
    _procedure("release", c, **given, reason=reason, inventory=inventory)


@operation
def backup(  # type: ignore[no-untyped-def]
    c, target="", max_rate="", json=False, plan=False, reason="", inventory=""
):
    """Back production up: one consistent dump with its fingerprint, proved readable.

    Example: inv backup --target=lessons
             inv backup --max-rate=20MB
    """
    given = {"target": target, "max_rate": max_rate, "json": json, "plan": plan, "reason": reason}
    _procedure("backup", c, **given, inventory=inventory)


@operation
def clone_prod_to_test(c, target="", json=False, plan=False, reason="", inventory=""):  # type: ignore[no-untyped-def]
    """Make the test database an exact, proved copy of production.

    Example: inv clone-prod-to-test --target=lessons
    """
    _procedure("clone-prod-to-test", c, target=target, json=json, plan=plan, reason=reason, inventory=inventory)


@operation
def migrate_test(c, target="", json=False, plan=False, reason="", inventory=""):  # type: ignore[no-untyped-def]
    """Run the pending migrations on the clone.

    Example: inv migrate-test --target=lessons
    """
    _procedure("migrate-test", c, target=target, json=json, plan=plan, reason=reason, inventory=inventory)


@operation
def verify(  # type: ignore[no-untyped-def]
    c, target="", write_expectations=False, json=False, plan=False, reason="", inventory=""
):
    """Account for every row of the migrated clone, prove the way back, and certify the rehearsal.

    Example: inv verify --target=lessons
             inv verify --target=lessons --write-expectations
    """
    draft = write_expectations
    _procedure("verify", c, target=target, draft=draft, json=json, plan=plan, reason=reason, inventory=inventory)


@operation
def promote(  # type: ignore[no-untyped-def]
    c, target="", confirm="", auto_rollback=False, json=False, plan=False, reason="", inventory=""
):
    """Apply to production what was rehearsed, when its certificate holds.

    Example: inv promote --target=lessons --confirm=lessons
    """
    given = {"target": target, "confirm": confirm, "auto_rollback": auto_rollback, "json": json, "plan": plan}
    _procedure("promote", c, **given, reason=reason, inventory=inventory)


@operation
def rollback(  # type: ignore[no-untyped-def]
    c,
    backup="",
    to_replaced="",
    target="",
    freeze=False,
    export=False,
    incomplete=False,
    confirm="",
    json=False,
    plan=False,
    reason="",
    inventory="",
):
    """Bring production back to a backup, or swap a replaced database back in; what is live now is kept aside.

    Says first what was written since.

    Example: inv rollback --backup=latest --confirm=lessons
             inv rollback --backup=latest --freeze --export
             inv rollback --backup=before:20261123_021500_a1b2
             inv rollback --backup="2026-11-23 02:00"
             inv rollback --to-replaced
    """
    given = {"target": target, "confirm": confirm, "json": json, "plan": plan, "reason": reason, "inventory": inventory}
    # Without a value, the flag alone is True.
    kept = "" if to_replaced is True else to_replaced
    name = "rollback-to-replaced" if to_replaced else "rollback"
    _procedure(name, c, backup, kept=kept, freeze=freeze, export=export, incomplete=incomplete, **given)


@operation
def railway_restore(  # type: ignore[no-untyped-def]
    c, backup="", target="", no_safety=False, confirm="", json=False, plan=False, reason="", inventory=""
):
    """Put one of Railway's own backups in the place of production's volume; where there is a dump, prefer inv rollback.

    Example: inv railway-restore --backup=ID --plan
             inv railway-restore --backup=20261123_021500_a1b2 --confirm=shop
    """
    given = {"target": target, "confirm": confirm, "json": json, "plan": plan, "reason": reason, "inventory": inventory}
    _procedure("railway-restore", c, backup, no_safety=no_safety, **given)


@operation
def discard_replaced(  # type: ignore[no-untyped-def]
    c, name, target="", confirm="", json=False, plan=False, reason="", inventory=""
):
    """Remove a replaced database that was kept long enough, by its exact name, typed again.

    Example: inv discard-replaced lessons_replaced_20261123_021500_a1b2 --confirm=lessons_replaced_20261123_021500_a1b2
    """
    given = {"target": target, "confirm": confirm, "json": json, "plan": plan, "reason": reason, "inventory": inventory}
    _procedure("discard-replaced", c, kept=name, **given)


@task(
    help={name: HELP[name] for name in ("backup", "target", "confirm", "json", "plan", "reason", "inventory")}
    | {name: HELP[name] for name in ("table", "into", "with_related", "new_keys", "set")},
    iterable=["table", "into", "set"],
)
def salvage(  # type: ignore[no-untyped-def]
    c,
    backup,
    table,
    into,
    set,
    with_related=False,
    new_keys=False,
    target="",
    confirm="",
    json=False,
    plan=False,
    reason="",
    inventory="",
):
    """Bring lost rows of a table back from a backup; what was written since stays as it is.

    Example: inv salvage --backup=latest --table=lessons_lesson --plan
             inv salvage --backup=latest --table=lessons_lesson --into=lessons_session --with-related --confirm=lessons
    """

    def work(options: Options) -> int:
        from dataclasses import replace

        from ops.main import start
        from ops.salvage.wanted import Asked

        asked = Asked.read(table, into, related=with_related, new_keys=new_keys, values=set)
        return start("salvage", replace(options, salvage=asked), backup)

    given = {"target": target, "confirm": confirm, "json": json, "plan": plan, "reason": reason}
    end("salvage", c, work, inventory=inventory, **given)


@operation
def recover(c, target="", backup="", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """Say what production has lost, which backup still has it, and what to type next; changes nothing.

    Example: inv recover --target=lessons
    """

    def work(options: Options) -> int:
        from ops.recovery import recover as look

        return look(options, backup)

    end("recover", c, work, target=target, json=json, inventory=inventory)


@operation
def freeze(c, target="", confirm="", json=False, plan=False, reason="", inventory=""):  # type: ignore[no-untyped-def]
    """Make production refuse writes; reading goes on.

    Example: inv freeze --target=lessons --confirm=lessons
    """
    _procedure("freeze", c, target=target, confirm=confirm, json=json, plan=plan, reason=reason, inventory=inventory)


@operation
def unfreeze(c, target="", confirm="", json=False, plan=False, reason="", inventory=""):  # type: ignore[no-untyped-def]
    """Let production take writes again.

    Example: inv unfreeze --target=lessons --confirm=lessons
    """
    _procedure("unfreeze", c, target=target, confirm=confirm, json=json, plan=plan, reason=reason, inventory=inventory)


@operation
def plan(  # type: ignore[no-untyped-def]
    c, procedure="release", target="", backup="", name="", json=False, inventory=""
):
    """Show exactly what a procedure would run; changes nothing.

    Example: inv plan --procedure=release --target=lessons
             inv plan --procedure=rollback --backup=before:20261123_021500_a1b2
    """
    if procedure in ("rollback", "auto-rollback"):
        backup = backup or "latest"
    _procedure(procedure, c, backup, kept=name, target=target, json=json, plan=True, inventory=inventory)


def _again(undo_it: bool, run: str) -> Callable[[Options], int]:
    def work(options: Options) -> int:
        from ops.main import again

        return again(options, run, undo_it)

    return work


@operation
def resume(c, run="", target="", confirm="", json=False, plan=False, inventory=""):  # type: ignore[no-untyped-def]
    """Go on with a run that was interrupted or failed; what was done is not done again.

    Example: inv resume
             inv resume --run=20261123_021500_a1b2 --confirm=lessons
    """
    end("resume", c, _again(False, run), target=target, confirm=confirm, json=json, plan=plan, inventory=inventory)


@operation
def undo(c, run="", target="", confirm="", json=False, plan=False, inventory=""):  # type: ignore[no-untyped-def]
    """Take a run back, last step first; after a rollback, swap the replaced database back in.

    Example: inv undo --confirm=lessons
    """
    end("undo", c, _again(True, run), target=target, confirm=confirm, json=json, plan=plan, inventory=inventory)


@operation
def runbooks(c, check=False, target="", out="runbooks", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """Render every procedure as a page; with --check, fail where the pages have drifted.

    Example: inv runbooks --check
    """

    def work(options: Options) -> int:
        from ops.pages import write_pages

        return write_pages(options, out, check)

    end("runbooks", c, work, target=target, json=json, inventory=inventory)


@operation
def scaffold_rename(c, app, old, new, copy=False, target="", json=False, plan=False, inventory=""):  # type: ignore[no-untyped-def]
    """Write the migrations that rename a model and lose no row: RenameModel, or with --copy the guide's four.

    Example: inv scaffold-rename lessons Lesson Session --plan
    """

    def work(options: Options) -> int:
        from ops.scaffold import scaffold_rename as scaffold

        return scaffold(options, app, old, new, copy)

    end("scaffold-rename", c, work, target=target, json=json, plan=plan, inventory=inventory)


namespace = Collection(
    release,
    backup,
    clone_prod_to_test,
    migrate_test,
    verify,
    promote,
    rollback,
    discard_replaced,
    railway_restore,
    salvage,
    recover,
    operation(drill),
    operation(unpack),
    operation(check_backups),
    operation(prune_backups),
    operation(pin),
    operation(unpin),
    freeze,
    unfreeze,
    plan,
    operation(doctor),
    operation(hazards),
    operation(backups),
    operation(runs),
    operation(status),
    resume,
    undo,
    runbooks,
    operation(environment),
    scaffold_rename,
    operation(schedule),
    operation(scheduled),
)
namespace.add_collection(tool_tasks())
watch(namespace)

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
    "backup": "the backup's id, or latest",
    "write_expectations": "draft migrations.expect.yaml for what is refused; accepts nothing (docs/expectations.md)",
    "procedure": "release, backup, clone-prod-to-test, migrate-test, verify, promote, freeze, unfreeze",
    "check": "change nothing; exit 5 where a page is not what would be rendered",
    "out": "the folder of the pages",
    "app": "the label of the Django app",
    "old": "the model's name so far",
    "new": "the name that it is to have",
    "copy": "a new table, filled and checked before the old one goes, in place of RenameModel",
}


def operation(function: Callable[..., None]) -> Any:
    """Make a task whose flags have the same help everywhere."""
    named = function.__code__.co_varnames[: function.__code__.co_argcount]
    return task(help={name: text for name, text in HELP.items() if name in named})(function)


def _procedure(name: str, context: Any, backup: str = "", **given: Any) -> None:
    def work(options: Options) -> int:
        from ops.main import start

        return start(name, options, backup)

    end(name, context, work, **given)


@operation
def release(c, target="", confirm="", json=False, plan=False, reason="", inventory=""):  # type: ignore[no-untyped-def]
    """Rehearse a release on a copy of production and promote it: backup, clone, migrate, verify, promote.

    Example: inv release --target=lessons --plan
             inv release --target=lessons --confirm=lessons
    """
    _procedure("release", c, target=target, confirm=confirm, json=json, plan=plan, reason=reason, inventory=inventory)


@operation
def backup(c, target="", json=False, plan=False, reason="", inventory=""):  # type: ignore[no-untyped-def]
    """Back production up: one consistent dump with its fingerprint, proved readable.

    Example: inv backup --target=lessons
    """
    _procedure("backup", c, target=target, json=json, plan=plan, reason=reason, inventory=inventory)


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
def promote(c, target="", confirm="", json=False, plan=False, reason="", inventory=""):  # type: ignore[no-untyped-def]
    """Apply to production what was rehearsed, when its certificate holds.

    Example: inv promote --target=lessons --confirm=lessons
    """
    _procedure("promote", c, target=target, confirm=confirm, json=json, plan=plan, reason=reason, inventory=inventory)


@operation
def rollback(  # type: ignore[no-untyped-def]
    c, backup, target="", confirm="", json=False, plan=False, reason="", inventory=""
):
    """Bring production back to a backup; what is live now is kept aside.

    Example: inv rollback --backup=latest --confirm=lessons
    """
    _procedure(
        "rollback", c, backup, target=target, confirm=confirm, json=json, plan=plan, reason=reason, inventory=inventory
    )


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
def plan(c, procedure="release", target="", backup="latest", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """Show exactly what a procedure would run; changes nothing.

    Example: inv plan --procedure=release --target=lessons
    """
    _procedure(procedure, c, backup, target=target, json=json, plan=True, inventory=inventory)


def _listing(name: str) -> Callable[[Options], int]:
    def work(options: Options) -> int:
        from ops import listings

        return int(getattr(listings, name)(options))

    return work


@operation
def hazards(c, target="", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """Say what the pending migrations would do, with production's rows, and how to write it right; changes nothing.

    Example: inv hazards --target=lessons
    """

    def work(options: Options) -> int:
        from ops.hazards.listing import show

        return show(options)

    end("hazards", c, work, target=target, json=json, inventory=inventory)


@operation
def backups(c, target="", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """List the backups: id, age, size, rows.

    Example: inv backups --target=lessons
    """
    end("backups", c, _listing("backups"), target=target, json=json, inventory=inventory)


@operation
def runs(c, target="", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """List the runs: what, when, how they ended.

    Example: inv runs
    """
    end("runs", c, _listing("runs"), target=target, json=json, inventory=inventory)


@operation
def status(c, target="", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """Say where we stand: the last run, what it changed, what is kept aside, what to type next.

    Example: inv status --target=lessons
    """
    end("status", c, _listing("status"), target=target, json=json, inventory=inventory)


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
def environment(c, target="", inventory=""):  # type: ignore[no-untyped-def]
    """Print the shell variables that the pages' blocks use; eval it. Passwords stay in a private file.

    Example: eval "$(inv environment --target=lessons)"
    """
    end("environment", c, _listing("environment"), target=target, inventory=inventory)


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
    freeze,
    unfreeze,
    plan,
    hazards,
    backups,
    runs,
    status,
    resume,
    undo,
    runbooks,
    environment,
    scaffold_rename,
)
namespace.add_collection(tool_tasks())
watch(namespace)

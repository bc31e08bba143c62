"""The tasks that run, resume or undo a procedure."""

from ops.cli.namespace.operation import operation


def _start(name, options, **more):
    from dataclasses import replace

    from ops.cli.run import start

    options = replace(options, **more)
    return start(name, options, options.backup)


@operation
def release(options, target="", confirm="", auto_rollback=False, json=False, plan=False, reason="", inventory=""):
    """Rehearse a release on a copy of production and promote it: backup, clone, migrate, verify, promote.

    Example: inv release --target=lessons --plan
             inv release --target=lessons --confirm=lessons --auto-rollback
    """
    return _start("release", options)


@operation
def backup(options, target="", max_rate="", json=False, plan=False, reason="", inventory=""):
    """Back up production: one consistent dump with its fingerprint, proved to be readable.

    Example: inv backup --target=lessons
             inv backup --max-rate=20MB
    """
    return _start("backup", options)


@operation
def clone_prod_to_test(options, target="", json=False, plan=False, reason="", inventory=""):
    """Restore a new backup of production to the test database, and prove that both are equal.

    Example: inv clone-prod-to-test --target=lessons
    """
    return _start("clone-prod-to-test", options)


@operation
def migrate_test(options, target="", json=False, plan=False, reason="", inventory=""):
    """Run the pending migrations on the clone.

    Example: inv migrate-test --target=lessons
    """
    return _start("migrate-test", options)


@operation
def verify(options, target="", write_expectations=False, json=False, plan=False, reason="", inventory=""):
    """Account for every row of the migrated clone, prove the rollback, and write the certificate of the rehearsal.

    Example: inv verify --target=lessons
             inv verify --target=lessons --write-expectations
    """
    return _start("verify", options, draft=write_expectations)


@operation
def promote(options, target="", confirm="", auto_rollback=False, json=False, plan=False, reason="", inventory=""):
    """Apply the rehearsed migrations to production, if the certificate of the rehearsal is valid.

    Example: inv promote --target=lessons --confirm=lessons
    """
    return _start("promote", options)


def rollback(
    options,
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
    """Roll production back to a backup, or swap a replaced database in again; the live database is retained.

    Reports first which rows were written since the backup.

    Example: inv rollback --backup=latest --confirm=lessons
             inv rollback --backup=latest --freeze --export
             inv rollback --backup=before:20261123_021500_a1b2
             inv rollback --backup="2026-11-23 02:00"
             inv rollback --to-replaced
    """
    # The flag without a value is True.
    kept = "" if to_replaced is True else to_replaced
    return _start("rollback-to-replaced" if to_replaced else "rollback", options, kept=kept)


rollback = operation(rollback, optional=["to_replaced"])


@operation
def railway_restore(
    options, backup="", target="", no_safety=False, confirm="", json=False, plan=False, reason="", inventory=""
):
    """Replace production's volume by one of Railway's own backups; if there is a dump, prefer `inv rollback`.

    Example: inv railway-restore --backup=ID --plan
             inv railway-restore --backup=20261123_021500_a1b2 --confirm=shop
    """
    return _start("railway-restore", options)


@operation
def discard_replaced(options, name, target="", confirm="", json=False, plan=False, reason="", inventory=""):
    """Drop a kept database that is older than `keep_replaced`, after a confirmation by its exact name.

    Example: inv discard-replaced lessons_replaced_20261123_021500_a1b2 --confirm=lessons_replaced_20261123_021500_a1b2
    """
    return _start("discard-replaced", options, kept=name)


def salvage(
    options,
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
    """Bring lost rows of a table back from a backup, without a change to newer rows.

    Example: inv salvage --backup=latest --table=lessons_lesson --plan
             inv salvage --backup=latest --table=lessons_lesson --into=lessons_session --with-related --confirm=lessons
    """
    from ops.recovery.salvage.resolve import Asked

    asked = Asked.read(table, into, related=with_related, new_keys=new_keys, values=set)
    return _start("salvage", options, salvage=asked)


salvage = operation(salvage, iterable=["table", "into", "set"])


@operation
def drill(options, backup="", target="", beside=False, json=False, plan=False, reason="", inventory=""):
    """Restore a backup to a temporary database and prove it; default: the newest backup that was never proved.

    With --beside, or without a test server, the backup's schema is also restored next to production, without rows and
    as the role of a rollback, and dropped.

    Example: inv drill
             inv drill --beside
             inv drill --backup=latest --target=lessons
    """
    return _start("drill", options)


@operation
def unpack(options, backup="latest", target="", json=False, plan=False, reason="", inventory=""):
    """Make a dump from one of pgBackRest's backups, for a rollback or a salvage; default: the newest backup.

    Example: inv unpack
             inv unpack --backup=20261123_021500_a1b2_pgbackrest
    """
    return _start("unpack", options)


@operation
def freeze(options, target="", confirm="", json=False, plan=False, reason="", inventory=""):
    """Freeze production: refuse writes, and continue to allow reads.

    Example: inv freeze --target=lessons --confirm=lessons
    """
    return _start("freeze", options)


@operation
def unfreeze(options, target="", confirm="", json=False, plan=False, reason="", inventory=""):
    """End the freeze of production: allow writes again.

    Example: inv unfreeze --target=lessons --confirm=lessons
    """
    return _start("unfreeze", options)


@operation
def plan(options, procedure="release", target="", backup="", name="", json=False, inventory=""):
    """Print exactly what a procedure would run; change nothing.

    Example: inv plan --procedure=release --target=lessons
             inv plan --procedure=rollback --backup=before:20261123_021500_a1b2
    """
    from ops.procedures.catalog import usual_backup

    return _start(procedure, options, backup=backup or usual_backup(procedure), kept=name, plan=True)


@operation
def resume(options, run="", target="", confirm="", json=False, plan=False, inventory=""):
    """Continue a run that was interrupted or failed; steps that are done are not repeated.

    Example: inv resume
             inv resume --run=20261123_021500_a1b2 --confirm=lessons
    """
    from ops.cli.run import again

    return again(options, run, undo=False)


@operation
def undo(options, run="", target="", confirm="", json=False, plan=False, inventory=""):
    """Undo a run, last step first; after a rollback, this swaps the replaced database in again.

    Example: inv undo --confirm=lessons
    """
    from ops.cli.run import again

    return again(options, run, undo=True)


@operation
def runbooks(options, check=False, target="", out="runbooks", json=False, inventory=""):
    """Render every procedure as a page; with --check, exit 5 if a page has drifted.

    Example: inv runbooks --check
    """
    from ops.cli.runbooks import write_pages

    return write_pages(options, out, check)


@operation
def scaffold_rename(options, app, old, new, copy=False, target="", json=False, plan=False, inventory=""):
    """Write migrations that rename a model without losing rows: with RenameModel, or with --copy by a new table.

    Example: inv scaffold-rename lessons Lesson Session --plan
    """
    from ops.cli.scaffold_rename import scaffold_rename as scaffold

    return scaffold(options, app, old, new, copy)

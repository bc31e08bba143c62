# mypy: ignore-errors
"""Inside the application: walk over the pending migrations, and print the report."""

import hashlib
import importlib
import inspect
import json

import django
from django.apps import apps as current_apps
from django.db import connection, migrations
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState

from ops.application.inside.aliases import aliases
from ops.application.inside.change import describe
from ops.application.inside.code import code_of, defaults_of, loops, missing_models, tree_of
from ops.application.inside.state import (
    MARK,
    acts_as,
    generic_links,
    idle,
    links_of,
    own,
    state_now,
    tables_of,
    text_of,
)
from ops.application.inside.variable_reads import rehearsal_reads


def digest(migration):
    """Return the sha256 of the migration's file."""
    with open(inspect.getsourcefile(importlib.import_module(type(migration).__module__)), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def summary(migration):
    """Return a pending migration's name, sha256 and operations."""
    return {
        "name": migration.app_label + "." + migration.name,
        "sha256": digest(migration),
        "operations": [type(operation).__name__ for operation in migration.operations],
        "atomic": migration.atomic,
    }


class Walk:
    """A walk over the operations of the pending migrations, from one project state to the next."""

    def __init__(self, executor, plan):
        self.state = state_now(executor)
        self.plan, self.found, self.broken = plan, [], ""

    def go(self):
        """Describe every operation. An operation that does not fit the state leaves the state unchanged."""
        for migration, _ in self.plan:
            for index, operation in enumerate(migration.operations):
                self.state = self.take(migration, index, operation, self.state, {})

    def take(self, migration, index, operation, state, flags):
        """Describe one operation and its nested operations; return the state after it."""
        if isinstance(operation, migrations.SeparateDatabaseAndState):
            if not own(operation):
                self.note(migration, index, operation, state, state, flags)
            if not flags.get("state_only"):
                branch = state
                for inner in operation.database_operations:
                    branch = self.take(migration, index, inner, branch, {**flags, "database_only": True})
            for inner in operation.state_operations:
                state = self.take(migration, index, inner, state, {**flags, "state_only": True})
            return state
        after = state.clone()
        try:
            operation.state_forwards(migration.app_label, after)
        except Exception as error:
            self.broken = self.broken or self.words(migration, index, operation, error)
            after = state
        self.note(migration, index, operation, state, after, flags)
        if isinstance(operation, migrations.RunSQL):
            for inner in operation.state_operations:
                state = self.take(migration, index, inner, state, {**flags, "state_only": True})
            return state
        return after

    def words(self, migration, index, operation, error):
        """Return the error text for an operation that does not fit the state."""
        name = migration.app_label + "." + migration.name
        return "%s: %s (number %s): %s: %s" % (name, type(operation).__name__, index + 1, type(error).__name__, error)

    def note(self, migration, index, operation, before, after, flags):
        """Add the description of an operation; on an error, add what is known and the error."""
        found = {"migration": migration.app_label + "." + migration.name, "index": index, "app": migration.app_label}
        found.update(
            {"kind": type(operation).__name__, "acts_as": acts_as(operation), "atomic": bool(migration.atomic)}
        )
        found["reversible"] = bool(getattr(operation, "reversible", True))
        found["elidable"] = bool(getattr(operation, "elidable", False))
        found["opaque"] = (
            not own(operation) and not flags.get("state_only") and not idle(operation, migration.app_label)
        )
        found.update(flags)
        self.found.append(found)
        for part in (self.opaque, describe):
            try:
                found.update(part(operation, migration.app_label, before, after))
            except Exception as error:
                found["undescribed"] = type(error).__name__ + ": " + str(error)

    def opaque(self, operation, app, before, after):
        """Return the code of an opaque operation, or the code of an operation's defaults."""
        if own(operation):
            return {"defaults": defaults_of(operation)}
        found = {"code": code_of(operation)}
        tree = tree_of(operation) if isinstance(operation, migrations.RunPython) else None
        if tree is not None:
            found.update({"missing": missing_models(tree, before), "loops": loops(tree, before)})
        return found


def unmade(loader):
    """Return the changes of models without a migration, as ``app: change``. Ask and write nothing."""
    detector = MigrationAutodetector(
        loader.project_state(),
        ProjectState.from_apps(current_apps),
        MigrationQuestioner(specified_apps=(), dry_run=True),
    )
    changes = detector.changes(graph=loader.graph)
    return sorted(
        app + ": " + operation.describe() for app in changes for migration in changes[app]
        for operation in migration.operations
    )  # fmt: skip


def attempt(function, *arguments):
    """Return a function's result and ""; or None and the error."""
    try:
        return function(*arguments), ""
    except (Exception, SystemExit) as error:
        return None, type(error).__name__ + ": " + str(error)


def beyond(loader, recorder):
    """Return the applied migrations that this release lacks.

    Omit replaced migrations of a squash: those that a file on disk replaces, and those that were recorded before a
    migration that the release has.
    """
    recorded = {key: record.id for key, record in recorder.applied_migrations().items()}
    known = set(loader.disk_migrations) | {key for m in loader.disk_migrations.values() for key in m.replaces}
    latest = {}
    for key in known & set(recorded):
        latest[key[0]] = max(latest.get(key[0], 0), recorded[key])
    return sorted(
        ".".join(key)
        for key in recorded
        if key not in known and key[0] in loader.migrated_apps and recorded[key] > latest.get(key[0], 0)
    )


def skipped(loader):
    """Return the squashed migrations that Django silently ignores, each with the missing replaced migrations.

    Production has applied a part of the replaced migrations, and the files of the others do not exist.
    """
    found = {}
    for key, migration in loader.disk_migrations.items():
        left = [one for one in migration.replaces if one not in loader.applied_migrations]
        missing = [one for one in left if one not in loader.disk_migrations]
        if missing and key not in loader.graph.nodes:
            found[".".join(key)] = [".".join(one) for one in missing]
    return found


def main():
    """Return the report."""
    executor = MigrationExecutor(connection)
    loader = executor.loader
    plan = executor.migration_plan(loader.graph.leaf_nodes())
    walk, failed = attempt(Walk, executor, plan)
    before = walk and (attempt(tables_of, walk.state.apps)[0], attempt(links_of, walk.state.apps)[0])
    walked = attempt(walk.go)[1] if walk else failed
    after = walk and (attempt(tables_of, walk.state.apps)[0], attempt(links_of, walk.state.apps)[0])
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier::text, current_database() FROM pg_control_system()")
        system, database = cursor.fetchone()
    return {
        "system": system,
        "database": database,
        "aliases": aliases(),
        "conflicts": {app: sorted(names) for app, names in loader.detect_conflicts().items()},
        "applied": sorted(".".join(key) for key in loader.applied_migrations),
        "unknown": beyond(loader, executor.recorder),
        "skipped": skipped(loader),
        "pending": [summary(migration) for migration, _ in plan],
        "operations": walk.found if walk else [],
        "broken": (walk.broken or walked) if walk else failed,
        "models_before": (before and before[0]) or {},
        "links_before": (before and before[1]) or [],
        "models_after": (after and after[0]) or {},
        "links_after": (after and after[1]) or [],
        "generic": attempt(generic_links)[0] or [],
        "rehearsal_reads": attempt(rehearsal_reads, plan)[0] or [],
        "unmade": attempt(unmade, loader)[0] or [],
        "inconsistent": attempt(loader.check_consistent_history, connection)[1],
        "django": django.get_version(),
    }


print(MARK + json.dumps(main(), default=text_of))

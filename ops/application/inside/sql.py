# mypy: ignore-errors
"""Inside the application: collect the SQL of the pending migrations as ``sqlmigrate`` does, without running it."""

import json
import time

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from ops.application.inside.clock import BEGAN
from ops.application.inside.state import MARK, state_now


def statements(migration, state):
    """Return the statements of one migration, and the error if they could not be collected."""
    try:
        with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            migration.apply(state.clone(), editor, collect_sql=True)
        return [str(statement) for statement in editor.collected_sql], ""
    except Exception as error:
        return [], type(error).__name__ + ": " + str(error)


def collected():
    """Return every pending migration with its statements, in order."""
    executor = MigrationExecutor(connection)
    state, found = state_now(executor), []
    for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes()):
        told, failed = statements(migration, state)
        name = migration.app_label + "." + migration.name
        found.append({"migration": name, "atomic": bool(migration.atomic), "statements": told, "failed": failed})
        try:
            state = migration.mutate_state(state)
        except Exception:
            return found
    return found


print(MARK + json.dumps({"sql": collected(), "own_seconds": time.monotonic() - BEGAN}))

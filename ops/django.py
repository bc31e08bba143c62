"""Django: the words that call ``manage.py``, and the probe that looks at the application from inside. Pure.

The probe needs nothing installed in the application: it is handed to its own ``manage.py shell -c``, reads, and prints
one line of JSON behind a mark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ops.command import Secret, Shell
from ops.inputs import Inputs

MARK = "generalprobe:"

# What production has beyond this release is unknown to it. What was recorded before something that it knows is a
# leftover of a squash whose files are gone, and so is what a file on disk says that it replaces.
PROBE = """
import hashlib, inspect, json
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
executor = MigrationExecutor(connection)
loader = executor.loader
plan = executor.migration_plan(loader.graph.leaf_nodes())
def source(migration):
    import importlib
    with open(inspect.getsourcefile(importlib.import_module(type(migration).__module__)), 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest()
recorded = {key: record.id for key, record in executor.recorder.applied_migrations().items()}
known = loader.disk_migrations.keys() | {key for m in loader.disk_migrations.values() for key in m.replaces}
latest = {}
for key in known & recorded.keys():
    latest[key[0]] = max(latest.get(key[0], 0), recorded[key])
with connection.cursor() as cursor:
    cursor.execute('SELECT system_identifier::text, current_database() FROM pg_control_system()')
    system, database = cursor.fetchone()
print('generalprobe:' + json.dumps({
    'system': system, 'database': database,
    'conflicts': {app: sorted(names) for app, names in loader.detect_conflicts().items()},
    'applied': sorted('.'.join(key) for key in loader.applied_migrations),
    'unknown': sorted('.'.join(key) for key in recorded if key not in known and key[0] in loader.migrated_apps
                      and recorded[key] > latest.get(key[0], 0)),
    'pending': [{'name': m.app_label + '.' + m.name, 'sha256': source(m),
                 'operations': [type(o).__name__ for o in m.operations], 'atomic': m.atomic} for m, _ in plan]}))
"""

# Operations that only add: production may go on writing while they run.
ADDITIVE = {"CreateModel", "AddField", "AddIndex", "AddIndexConcurrently", "AlterModelOptions", "AlterModelManagers"}


def manage(c: Inputs, target: str, *words: str, options: str = "") -> Shell:
    """A call of the application's ``manage.py`` on a target's database.

    Args:
        c: the inputs; ``c.app`` says where and how.
        target: whose database it works on.
        words: the management command.
        options: what libpq passes to the server (``PGOPTIONS``), so the application itself stays as it is.
    """
    if c.app is None:
        raise ValueError(f"{c.target} has no app")
    env: dict[str, Any] = dict(c.app.env) | {c.app.database_env: Secret(target)}
    if options:
        env["PGOPTIONS"] = options
    return Shell((*c.app.manage, *words), target, folder=c.app.folder, env=env)


def read_probe(output: str) -> dict[str, Any] | None:
    """What the probe found; None where it printed nothing."""
    for line in output.splitlines():
        if line.startswith(MARK):
            found = json.loads(line.removeprefix(MARK))
            return found if isinstance(found, dict) else None
    return None


def failed_migration(output: str) -> str:
    """The migration at which ``migrate`` stopped, by what it printed; empty where it names none."""
    found = re.findall(r"^ *(?:Una|A)pplying (\S+?)\.\.\.(.*)$", output, re.MULTILINE)
    return found[-1][0] if found and "OK" not in found[-1][1] else ""


def only_adds(pending: Sequence[dict[str, Any]]) -> bool:
    """Whether no pending migration moves, changes or removes anything."""
    return all(set(migration["operations"]) <= ADDITIVE for migration in pending)

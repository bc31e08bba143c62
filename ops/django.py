"""Django: the words that call ``manage.py``, and the probe that looks at the application from inside. Pure.

The probe needs nothing installed in the application: it is handed to its own ``manage.py shell -c``, reads, and prints
one line of JSON behind a mark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ops import inside
from ops.command import Secret, Shell
from ops.inputs import Inputs

MARK = "generalprobe:"

# The probe, as one argument.
PROBE = inside.program(inside.PROBE)

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
    return Shell((*c.app.manage, *words), target, folder=c.app.folder, env=env, host=c.host)


def read_probe(output: str) -> dict[str, Any] | None:
    """What a program inside the application reported, on one line or several; None where it printed nothing."""
    found: dict[str, Any] = {}
    for line in output.splitlines():
        if line.startswith(MARK) and isinstance(part := json.loads(line.removeprefix(MARK)), dict):
            found |= part
    return found or None


def failed_migration(output: str) -> str:
    """The migration at which ``migrate`` stopped, by what it printed; empty where it names none."""
    found = re.findall(r"^ *(?:Una|A)pplying (\S+?)\.\.\.(.*)$", output, re.MULTILINE)
    return found[-1][0] if found and "OK" not in found[-1][1] else ""


def applied_migrations(output: str) -> list[str]:
    """The migrations that ``migrate`` applied whole, by what it printed."""
    return re.findall(r"^ *Applying (\S+?)\.\.\..*OK *$", output, re.MULTILINE)


def only_adds(pending: Sequence[dict[str, Any]]) -> bool:
    """Whether no pending migration moves, changes or removes anything."""
    return all(set(migration["operations"]) <= ADDITIVE for migration in pending)

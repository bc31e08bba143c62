"""The commands that call ``manage.py``, and the interpretation of their output. Pure.

The probe requires no package in the application: the application's ``manage.py shell -c`` gets the probe as an
argument. The probe is read-only and prints one line of JSON after a mark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ops.application import inside
from ops.engine.command import Secret, Shell
from ops.engine.inputs import RunInputs

MARK = "generalprobe:"

# The probe as one argument.
PROBE = inside.program(inside.PROBE)

# The application's migrate, in which indexes are built concurrently without lock_timeout, as one argument.
MIGRATE = inside.program(inside.MIGRATE)

# The environment variable that tells the application of a rehearsal.
REHEARSAL = ("GENERALPROBE", "rehearsal")

# Settings of a probe's session, in the server's units; the probe reports whether they reached the server.
TOLD = {"default_transaction_read_only": "on", "lock_timeout": "7654"}
PROBE_OPTIONS = " ".join(f"-c {name}={value}" for name, value in TOLD.items())
# For commands that must not write.
READ_ONLY = "-c default_transaction_read_only=on"

# Exceptions about the dependencies of migrations.
HISTORY = {"InconsistentMigrationHistory", "NodeNotFoundError", "CircularDependencyError", "BadMigrationError"}
# Exceptions caused by a migration's code, its rows or its dependencies.
LASTING = {
    *("IntegrityError", "DataError", "ProgrammingError", "NotSupportedError"),
    *("FieldError", "FieldDoesNotExist", "DoesNotExist", "MultipleObjectsReturned", "ValidationError"),
    *HISTORY,
    *("InvalidBasesError", "IrreversibleError", "AmbiguityError"),
    *("AttributeError", "TypeError", "ValueError", "NameError", "KeyError", "IndexError", "LookupError"),
    *("AssertionError", "ImportError", "ModuleNotFoundError", "SyntaxError", "ZeroDivisionError", "RecursionError"),
    *("UnicodeDecodeError", "UnicodeEncodeError", "JSONDecodeError", "InvalidOperation", "OverflowError"),
}
# Operations that only add: users of production may write while they run.
ADDITIVE = {"CreateModel", "AddField", "AddIndex", "AddIndexConcurrently", "AlterModelOptions", "AlterModelManagers"}


def manage(c: RunInputs, target: str, *words: str, options: str = "", rehearses: bool = False) -> Shell:
    """Return a call of the application's ``manage.py`` on a target's database.

    Args:
        c: the inputs; ``c.app`` defines folder, command and environment.
        target: the target whose database is used. If it is not ``c.target``, the call is part of a rehearsal, and the
            environment contains ``REHEARSAL`` and ``c.app.rehearsal_env``.
        words: the management command.
        options: settings that libpq passes to the server (``PGOPTIONS``).
        rehearses: use the environment of a rehearsal also on production's database; for read-only commands.
    """
    if c.app is None:
        raise ValueError(f"{c.target} has no app")
    told = dict([*c.app.rehearsal_env, REHEARSAL]) if rehearses or target != c.target else {}
    env: dict[str, Any] = dict(c.app.env) | told | {c.app.database_env: Secret(target)}
    if options:
        env["PGOPTIONS"] = options
    return Shell((*c.app.manage, *words), target, folder=c.app.folder, env=env, host=c.host, failure="manage")


def read_probe(output: str) -> dict[str, Any] | None:
    """Parse the report of a program inside the application, from one or several lines; None if there is no report."""
    found: dict[str, Any] = {}
    for line in output.splitlines():
        if line.startswith(MARK) and isinstance(part := json.loads(line.removeprefix(MARK)), dict):
            found |= part
    return found or None


def failed_migration(output: str) -> str:
    """Return the migration at which ``migrate`` stopped, from its output; empty if the output names none."""
    found = re.findall(r"^ *(?:Una|A)pplying (\S+?)\.\.\.(.*)$", output, re.MULTILINE)
    return found[-1][0] if found and "OK" not in found[-1][1] else ""


def cut_off(said: str) -> str:
    """Return what to type if a migration failed because a clone reaches no other server; else "".

    Args:
        said: the database's error message.
    """
    if not re.search(r"user mapping not found|a copy of production reaches no other server", said):
        return ""
    return (
        "move that code to a management command that runs after the release: a rehearsal reaches no other server   "
        "(docs/explanation/rehearsal.md)"
    )


def applied_migrations(output: str) -> list[str]:
    """Return the migrations that ``migrate`` applied completely, from its output."""
    return re.findall(r"^ *Applying (\S+?)\.\.\..*OK *$", output, re.MULTILINE)


def concurrent(report: dict[str, Any]) -> bool:
    """Return True if the statements or the code of a pending migration in a probe's report contain CONCURRENTLY."""
    texts = [text for migration in report.get("sql", []) for text in migration["statements"]]
    texts += [operation.get("code") or operation["kind"] for operation in report.get("operations", [])]
    return any("concurrently" in str(text).lower() for text in texts)


def fails_again(errors: str) -> bool:
    """Return True if code or data caused the exception that ended ``manage.py``, so that the same call fails again.

    A lock, a full disk or a lost connection may not recur.
    """
    return _raised(errors) in LASTING


def of_migrations(errors: str) -> bool:
    """Return True if ``manage.py`` failed because of inconsistent migrations."""
    return _raised(errors) in HISTORY


def _raised(errors: str) -> str:
    """Return the class of the exception that ended a Python program, from its traceback; empty if there is none."""
    last = errors.rsplit("Traceback", 1)[-1] if "Traceback" in errors else ""
    found = re.findall(r"^(?:\w+\.)*(\w+)(?:: |$)", last, re.MULTILINE)
    return found[0] if found else ""


def only_adds(pending: Sequence[dict[str, Any]]) -> bool:
    """Return True if no pending migration moves, changes or removes anything."""
    return all(set(migration["operations"]) <= ADDITIVE for migration in pending)

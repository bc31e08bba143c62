"""Django: the words that call ``manage.py``, and the probe that looks at the application from inside. Pure.

The probe needs nothing installed in the application: it is handed to its own ``manage.py shell -c``, reads, and prints
one line of JSON behind a mark.
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

# The probe, as one argument.
PROBE = inside.program(inside.PROBE)

# The application's own migrate, in which indexes are built concurrently without lock_timeout; as one argument, too.
MIGRATE = inside.program(inside.MIGRATE)

# What the application is told of where it works, where that is not production.
REHEARSAL = ("GENERALPROBE", "rehearsal")

# What a session of a probe is told at its start, in the server's own units, to see whether it arrives.
TOLD = {"default_transaction_read_only": "on", "lock_timeout": "7654"}
PROBE_OPTIONS = " ".join(f"-c {name}={value}" for name, value in TOLD.items())
# For what must not write, and is to be refused where it tries.
READ_ONLY = "-c default_transaction_read_only=on"

# Exceptions that say how migrations depend on each other.
HISTORY = {"InconsistentMigrationHistory", "NodeNotFoundError", "CircularDependencyError", "BadMigrationError"}
# Exceptions that come of a migration's code, of the rows that it works on, or of how migrations depend on each other.
LASTING = {
    *("IntegrityError", "DataError", "ProgrammingError", "NotSupportedError"),
    *("FieldError", "FieldDoesNotExist", "DoesNotExist", "MultipleObjectsReturned", "ValidationError"),
    *HISTORY,
    *("InvalidBasesError", "IrreversibleError", "AmbiguityError"),
    *("AttributeError", "TypeError", "ValueError", "NameError", "KeyError", "IndexError", "LookupError"),
    *("AssertionError", "ImportError", "ModuleNotFoundError", "SyntaxError", "ZeroDivisionError", "RecursionError"),
    *("UnicodeDecodeError", "UnicodeEncodeError", "JSONDecodeError", "InvalidOperation", "OverflowError"),
}
# Operations that only add: production may go on writing while they run.
ADDITIVE = {"CreateModel", "AddField", "AddIndex", "AddIndexConcurrently", "AlterModelOptions", "AlterModelManagers"}


def manage(c: RunInputs, target: str, *words: str, options: str = "", rehearses: bool = False) -> Shell:
    """A call of the application's ``manage.py`` on a target's database.

    Args:
        c: the inputs; ``c.app`` says where and how.
        target: whose database it works on; where that is not ``c.target`` itself, this is a rehearsal, and the
            application is told.
        words: the management command.
        rehearses: tell it so on production's database, too: it is only asked.
        options: what libpq passes to the server (``PGOPTIONS``), so the application itself stays as it is.
    """
    if c.app is None:
        raise ValueError(f"{c.target} has no app")
    told = dict([*c.app.rehearsal_env, REHEARSAL]) if rehearses or target != c.target else {}
    env: dict[str, Any] = dict(c.app.env) | told | {c.app.database_env: Secret(target)}
    if options:
        env["PGOPTIONS"] = options
    return Shell((*c.app.manage, *words), target, folder=c.app.folder, env=env, host=c.host, failure="manage")


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


def cut_off(said: str) -> str:
    """What to type where a migration failed since a clone reaches no other server; empty for any other failure.

    Args:
        said: the database's words.
    """
    if not re.search(r"user mapping not found|a copy of production reaches no other server", said):
        return ""
    name, value = REHEARSAL
    return (
        f'if os.environ.get("{name}") != "{value}": …   around it in the migration: the rehearsal reaches no other '
        "server   (docs/explanation/rehearsal.md)"
    )


def applied_migrations(output: str) -> list[str]:
    """The migrations that ``migrate`` applied whole, by what it printed."""
    return re.findall(r"^ *Applying (\S+?)\.\.\..*OK *$", output, re.MULTILINE)


def concurrent(report: dict[str, Any]) -> bool:
    """Whether a pending migration works concurrently: its statements and code, as a probe found them, say so."""
    texts = [text for migration in report.get("sql", []) for text in migration["statements"]]
    texts += [operation.get("code") or operation["kind"] for operation in report.get("operations", [])]
    return any("concurrently" in str(text).lower() for text in texts)


def fails_again(errors: str) -> bool:
    """Whether the exception that ended ``manage.py`` comes of code or data, so that the same call fails again; a lock,
    a full disk or a lost connection does not."""
    return _raised(errors) in LASTING


def of_migrations(errors: str) -> bool:
    """Whether ``manage.py`` ended since the migrations do not fit together."""
    return _raised(errors) in HISTORY


def _raised(errors: str) -> str:
    """The class of the exception that ended a Python program, by its traceback; empty where there is none."""
    last = errors.rsplit("Traceback", 1)[-1] if "Traceback" in errors else ""
    found = re.findall(r"^(?:\w+\.)*(\w+)(?:: |$)", last, re.MULTILINE)
    return found[0] if found else ""


def only_adds(pending: Sequence[dict[str, Any]]) -> bool:
    """Whether no pending migration moves, changes or removes anything."""
    return all(set(migration["operations"]) <= ADDITIVE for migration in pending)

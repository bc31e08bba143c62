"""Find, with the project's own Python, the database of its settings and the variable that changes the database."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.infra.postgres.client import said_error, without_values

MARK = "generalprobe:"
PATIENCE = 120
# Runs inside the application. Its output contains the password, so it is read through a pipe by this process only.
PROGRAM = f"""
import json
from django.conf import settings
found = settings.DATABASES.get("default") or {{}}
said = {{key: str(found.get(key) or "") for key in ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")}}
options = (found.get("OPTIONS") or {{}}).items()
said["OPTIONS"] = {{key: str(value) for key, value in options if isinstance(value, (str, int))}}
print()
print({MARK!r} + json.dumps(said))
"""
# The keywords of libpq. The other keys of OPTIONS are for the driver or Django.
_LIBPQ = re.compile(r"ssl\w+|options|connect_timeout|channel_binding|gssencmode|keepalives\w*")
_KEYS = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}


@dataclass(frozen=True)
class SettingsDatabase:
    """The default database of the settings, or why the settings do not load.

    ``parts`` are the keywords for libpq. They are a secret.
    """

    engine: str = ""
    parts: Mapping[str, str] = field(default_factory=dict, repr=False)
    error: str = ""

    @property
    def is_postgres(self) -> bool:
        """True if the settings name a PostgreSQL database."""
        return any(word in self.engine for word in ("postgres", "postgis", "psqlextra")) and "dbname" in self.parts


def ask_settings(python: Path, manage: Path, environ: Mapping[str, str]) -> SettingsDatabase:
    """Return the default database of the settings that ``manage.py shell`` loads."""
    words = (str(python), manage.name, "shell", "-c", PROGRAM)
    try:
        done = subprocess.run(
            words,
            cwd=manage.parent,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except OSError as error:
        return SettingsDatabase(error=f"{python}: {error.strerror}")
    except subprocess.TimeoutExpired:
        return SettingsDatabase(error=f"no answer within {PATIENCE} s")
    lines = [line.removeprefix(MARK) for line in done.stdout.splitlines() if line.startswith(MARK)]
    if not lines:
        return SettingsDatabase(error=_without_secrets(said_error(done.stderr) or f"exit code {done.returncode}"))
    return _database(json.loads(lines[-1]))


def _database(said: Mapping[str, Any]) -> SettingsDatabase:
    options = {key: value for key, value in said["OPTIONS"].items() if _LIBPQ.fullmatch(key)}
    parts = {ours: said[key] for key, ours in _KEYS.items() if said[key]}
    return SettingsDatabase(said["ENGINE"], parts | options)


def variable_of(
    python: Path, manage: Path, environ: Mapping[str, str], candidates: Sequence[str], engine: str
) -> tuple[str, str]:
    """Find the variable that changes the database: set each candidate to an address with a different, invalid host.

    Args:
        python: the project's Python.
        manage: its ``manage.py``.
        environ: the environment variables.
        candidates: the variables to test.
        engine: the engine that the database must have; empty for any engine.

    Returns:
        the variable, empty if no candidate changes the database; and why the settings did not load, empty if they did.
    """
    hosts = {f"generalprobe-{number}.invalid": name for number, name in enumerate(candidates)}
    tried = {name: f"postgresql://nobody:nothing@{host}:5432/none" for host, name in hosts.items()}
    found = ask_settings(python, manage, {**environ, **tried})
    if engine and found.engine != engine:
        return "", found.error
    return hosts.get(found.parts.get("host", ""), ""), found.error


def _without_secrets(text: str) -> str:
    return re.sub(r"(\w+://[^:@/\s]*:)[^@\s]+@", r"\1•••@", without_values(text))

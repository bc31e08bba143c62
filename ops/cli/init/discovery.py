"""Find what needs no question: the project, its Python and database, Railway, SSH hosts, and PostgreSQL's tools."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ops.cli.init.manage_file import CONFIGURATION, overrules, setting_named, shown
from ops.cli.init.project_python import django_version, find_python
from ops.cli.init.settings_probe import SettingsDatabase, ask_settings, variable_of
from ops.cli.init.settings_source import read_source
from ops.infra.postgres.client import installed, parts_of
from ops.infra.railway import railway_cli
from ops.infra.railway.project_link import ProjectLink, find_link, names_in
from ops.infra.transport.ssh_hosts import named_hosts

# The schemes that libpq accepts. Applications accept others, too, such as postgis://.
SCHEMES = ("postgresql://", "postgres://")


@dataclass(frozen=True)
class Project:
    """A Django project on this machine.

    ``module`` is its settings module. ``configuration`` is the class in the module that has the settings; empty if the
    module itself has them. ``variable`` is the environment variable from which the settings read the database's
    address; empty if there is none. ``checked`` is True if the variable was tested.
    """

    manage: Path
    module: str = ""
    configuration: str = ""
    python: Path | None = None
    django: str = ""
    variable: str = ""
    checked: bool = False
    fixed_settings: bool = False
    database: SettingsDatabase = field(default_factory=SettingsDatabase)


@dataclass(frozen=True)
class Surroundings:
    """What else was found. ``services`` and ``environments`` are those of the linked Railway project."""

    link: ProjectLink | None
    services: tuple[str, ...]
    environments: tuple[str, ...]
    hosts: tuple[str, ...]
    tools: tuple[int, ...]


def look_at(
    manage: Path,
    environ: Mapping[str, str],
    python: str = "",
    variable: str = "",
    choose: Callable[[Sequence[str]], str] = lambda names: names[-1],
) -> Project:
    """Inspect a project: first its source, then its settings with its own Python.

    Args:
        manage: its ``manage.py``.
        environ: the environment variables.
        python: the Python to use; empty: find it.
        variable: the variable of its database; empty: find it.
        choose: chooses one of the classes in the settings, if nothing names the class.
    """
    folder, module, configuration = manage.parent, setting_named(manage, environ), ""
    source = read_source(folder, module)
    if source.classes:
        configuration = setting_named(manage, environ, CONFIGURATION) or choose(source.classes)
        environ = {**environ, CONFIGURATION: configuration}
    found = Project(manage, module, configuration, variable=variable or source.parsed, fixed_settings=overrules(manage))
    given = Path(shutil.which(python, path=environ.get("PATH")) or python).absolute() if python else None
    known = (given, django_version(given)) if given else find_python(folder, environ)
    if known is None:
        return found
    found = replace(found, python=known[0], django=known[1])
    now = ask_settings(known[0], manage, environ)
    candidates = (variable,) if variable else source.candidates
    engine = now.engine if now.is_postgres else ""
    taken, error = variable_of(known[0], manage, environ, candidates, engine)
    if not taken and error:  # The settings do not load, so use what the source shows.
        return replace(found, database=replace(now, error=now.error or error))
    return replace(found, variable=taken, checked=True, database=now)


def look_around(folder: Path, environ: Mapping[str, str]) -> Surroundings:
    """Find Railway's link, the SSH hosts and PostgreSQL's tools.

    Args:
        folder: the folder of the inventory.
        environ: the environment variables.
    """
    link = find_link(folder, environ)
    services, environments = names_in(_railway_status(link, environ)) if link else ([], [])
    hosts = named_hosts(Path(environ.get("HOME") or "~").expanduser())
    tools = [found.major for found in installed(environ.get("PATH", ""))]
    return Surroundings(link, tuple(services), tuple(environments), tuple(hosts), tuple(tools))


def _railway_status(link: ProjectLink, environ: Mapping[str, str]) -> str:
    program = shutil.which("railway", path=environ.get("PATH"))
    if program is None:
        return ""
    words = (program, *railway_cli.status_words(link.project, link.environment)[1:])
    try:
        given = {**environ, **railway_cli.ENV}
        done = subprocess.run(
            words, env=given, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def address_in(environ: Mapping[str, str], name: str) -> str:
    """Return the PostgreSQL address in a variable; empty if there is none. The address is a secret."""
    value = environ.get(name, "")
    try:
        return value if value.startswith(SCHEMES) and parts_of(value).get("dbname") else ""
    except ValueError:
        return ""


def place_of(parts: Mapping[str, str]) -> str:
    """Format a database for people: name, server and role, without the password."""
    host = parts.get("host") or parts.get("hostaddr") or "the local socket"
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"{parts.get('dbname', '')} at {host}{port}" + (f" as {parts['user']}" if parts.get("user") else "")


def summary(project: Project | None, around: Surroundings, start: Path) -> list[tuple[str, str]]:
    """Return what was found, as rows of a name and a text. The texts contain no secrets."""
    rows = []
    if project:
        settings = ":".join(filter(None, (project.module, project.configuration))) or "not named there"
        rows.append(("manage.py", f"{shown(project.manage, start)}, settings {settings}"))
        python = f"{shown(project.python, start)}, Django {project.django}" if project.python else "none with Django"
        rows.append(("Python", python))
        rows.append(("database", _database(project)))
    if around.link:
        rows.append(("Railway", f"project {around.link.project}, environment {around.link.environment}"))
    if around.hosts:
        rows.append(("SSH hosts", ", ".join(around.hosts)))
    tools = ", ".join(map(str, around.tools))
    rows.append(("PostgreSQL", f"client tools {tools}" if tools else "psql, pg_dump and pg_restore are missing"))
    return rows


def _database(project: Project) -> str:
    if project.database.error:
        return f"{project.variable or 'unknown'}: the settings do not load ({project.database.error})"
    if project.variable:
        return f"the settings read its address from {project.variable}"
    if project.database.is_postgres:
        return f"the settings name {place_of(project.database.parts)}, and read no address from a variable"
    kind = project.database.engine.rpartition(".")[2] or "no database"
    return f"the settings name {kind}, and read no address from a variable"


def in_words(python: Path, folder: Path, start: Path) -> str:
    """Return the Python as the key ``manage`` names it: relative to ``manage.py`` if it is in the project."""
    inside = any(python.is_relative_to(place) for place in (folder, start, folder.parent))
    return os.path.relpath(python, folder) if inside else str(python)

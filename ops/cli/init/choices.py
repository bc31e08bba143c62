"""Choose the values of the inventory: from flags, else from what was found, else from the answers of a person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, TypeAdapter, ValidationError

from ops.cli.init.database_choice import Database, choose_production, choose_test
from ops.cli.init.discovery import Project, Surroundings, in_words
from ops.cli.init.manage_file import CONFIGURATION, SETTINGS, setting_named, shown
from ops.cli.init.questions import Questions
from ops.core.errors import UsageError
from ops.core.yaml_lines import wording
from ops.inventory.fields import Word
from ops.inventory.store_kinds import store_name
from ops.inventory.tree import NAME

# The environment variable that the settings module written by `init` reads.
OWN_VARIABLE = "GENERALPROBE_DATABASE_URL"
OWN_SETTINGS = "generalprobe_settings"
HERE = "here"


@dataclass(frozen=True)
class App:
    """How ``manage.py`` is called. ``own_settings`` is True if `init` writes a settings module beside it."""

    folder: str
    manage: tuple[str, ...]
    variable: str
    env: Mapping[str, str] = field(default_factory=dict)
    own_settings: bool = False


@dataclass(frozen=True)
class Setup:
    """The values from which the files are rendered."""

    folder: Path
    target: str
    store: str
    host: str
    app: App | None
    production: Database
    test: Database
    project: Project | None


def choose(
    questions: Questions, folder: Path, project: Project | None, around: Surroundings, environ: Mapping[str, str]
) -> Setup:
    """Ask for the values that were not found.

    Args:
        questions: the flags and the terminal.
        folder: the folder of the inventory.
        project: the Django project on this machine; None if there is none.
        around: what else was found.
        environ: the environment variables.
    """
    place = project.manage.parent if project else folder
    name = usual_name(place)
    target = questions.ask("target", "Name of the target; you type this name to confirm changes", name, check_name)
    host = _host(questions, project, around)
    app = _app(questions, folder, project, host, target, environ)
    production = choose_production(questions, target, project, app.variable if app else "", around, environ)
    test = choose_test(questions, target, production, around, environ)
    store = questions.ask("store", "Where to store backups and runs", "backups", check_store)
    return Setup(folder, target, store, host, app, production, test, project)


def usual_name(folder: Path) -> str:
    """Derive a target's name from a folder's name; from its parent's if the name is generic, such as ``src``."""
    names = [path.name for path in (folder, folder.parent) if path.name not in ("src", "app", "backend", "code", "web")]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", names[0] if names else "").strip("-._")
    return plain[:30] or "app"


def check_name(text: str) -> str:
    """Return a target's name if it is valid.

    Raises:
        UsageError: the name is not valid.
    """
    # The name of the test target is five characters longer.
    if NAME.fullmatch(text) and len(text) <= 35:
        return text
    raise UsageError("a target's name consists of letters, digits and . _ - (at most 35)", "shop")


def check_store(text: str) -> str:
    """Return a store's address if it is valid.

    Raises:
        UsageError: the address is not valid; the message does not quote the address.
    """
    try:
        return TypeAdapter(Annotated[Word, AfterValidator(store_name)]).validate_python(text)
    except ValidationError as error:
        raise UsageError(wording(error.errors(include_input=False)[0])[0], "s3://bucket/prefix") from None


def _host(questions: Questions, project: Project | None, around: Surroundings) -> str:
    """Return the SSH host on which the application runs; empty for this machine."""
    if not around.hosts and not questions.given.get("host"):
        return ""
    default = HERE if project or not around.hosts else around.hosts[0]
    known = ", ".join((HERE, *around.hosts[:8]))
    found = questions.ask("host", f"Host on which manage.py runs ({known})", default, _check_host)
    return "" if found == HERE else found


def _check_host(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@:-]*", text):
        return text
    raise UsageError("the host should be a name of ~/.ssh/config, or an address", "shop.example.com")


def _app(
    questions: Questions,
    folder: Path,
    project: Project | None,
    host: str,
    target: str,
    environ: Mapping[str, str],
) -> App | None:
    variable, env, own = _variable(questions, project, environ)
    if host:
        place = questions.ask("app-dir", f"Folder of manage.py on {host}", f"/srv/{target}", _check_word)
        python = questions.ask("python", f"Python of the application on {host}", "venv/bin/python", _check_word)
        return App(place, (python, "manage.py"), variable, env, own)
    if project is None:
        return None
    python = in_words(project.python, project.manage.parent, folder) if project.python else "python"
    return App(shown(project.manage.parent, folder), (python, project.manage.name), variable, env, own)


def _variable(
    questions: Questions, project: Project | None, environ: Mapping[str, str]
) -> tuple[str, Mapping[str, str], bool]:
    """Return the variable of the database, the other variables of `manage.py`, and True to write a settings module."""
    given = questions.given.get("database-env", "")
    if project is None:
        return given or "DATABASE_URL", {}, False
    env = {SETTINGS: project.module} if environ.get(SETTINGS) else {}
    if project.configuration != setting_named(project.manage, {}, CONFIGURATION):
        env[CONFIGURATION] = project.configuration
    if project.variable or not (project.checked or project.database.is_postgres):
        return project.variable or "DATABASE_URL", env, False
    if not project.module or project.fixed_settings:
        raise UsageError(
            f"{project.manage}: the settings read no database address from an environment variable, and manage.py "
            "does not allow other settings",
            'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "…")   in manage.py, and then   generalprobe init',
        )
    _offer_settings(questions)
    return OWN_VARIABLE, {**env, SETTINGS: OWN_SETTINGS}, True


def _offer_settings(questions: Questions) -> None:
    """Offer to write a settings module that reads the address from a variable.

    Raises:
        UsageError: the user declined.
    """
    questions.say(
        "The settings read no database address from an environment variable, so a rehearsal could not use a clone.\n"
        f"{OWN_SETTINGS}.py, beside manage.py, would import the settings and replace only the database."
    )
    if not questions.confirm(f"Write {OWN_SETTINGS}.py"):
        raise UsageError(
            "the settings read no database address from an environment variable",
            'DATABASES = {"default": dj_database_url.config()}   in the settings, and then   generalprobe init',
        )


def _check_word(text: str) -> str:
    try:
        return TypeAdapter(Word).validate_python(text)
    except ValidationError:
        raise UsageError("this should be a path without a password", "/srv/shop/current") from None

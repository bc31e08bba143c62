"""Decide what the inventory says: flags first, then what was found, then what a person answers."""

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

# The variable that the settings which `init` writes take the address from.
OWN_VARIABLE = "GENERALPROBE_DATABASE_URL"
OWN_SETTINGS = "generalprobe_settings"
HERE = "here"


@dataclass(frozen=True)
class App:
    """How ``manage.py`` is called. ``own_settings``: with the settings module that `init` writes beside it."""

    folder: str
    manage: tuple[str, ...]
    variable: str
    env: Mapping[str, str] = field(default_factory=dict)
    own_settings: bool = False


@dataclass(frozen=True)
class Setup:
    """Everything that the files are made of."""

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
    """Ask for what was not found.

    Args:
        questions: the flags and the terminal.
        folder: where the inventory will be.
        project: the Django project on this machine; None where there is none.
        around: what else was found.
        environ: the caller's environment.
    """
    place = project.manage.parent if project else folder
    name = usual_name(place)
    target = questions.ask("target", "Name of the target, which you type to confirm a change", name, check_name)
    host = _host(questions, project, around)
    app = _app(questions, folder, project, host, target, environ)
    production = choose_production(questions, target, project, app.variable if app else "", around, environ)
    test = choose_test(questions, target, production, around, environ)
    store = questions.ask("store", "Backups and runs are kept in", "backups", check_store)
    return Setup(folder, target, store, host, app, production, test, project)


def usual_name(folder: Path) -> str:
    """Return a target's name made of a folder's name: of its parent's, where it only says that there is code in it."""
    names = [path.name for path in (folder, folder.parent) if path.name not in ("src", "app", "backend", "code", "web")]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", names[0] if names else "").strip("-._")
    return plain[:30] or "app"


def check_name(text: str) -> str:
    """Return a target's name. Raises UsageError for what is none."""
    # A test target's name is five letters longer.
    if NAME.fullmatch(text) and len(text) <= 35:
        return text
    raise UsageError("a target's name has letters, digits and . _ - (at most 35)", "shop")


def check_store(text: str) -> str:
    """Return a store's address. Raises UsageError for what is none, without quoting it."""
    try:
        return TypeAdapter(Annotated[Word, AfterValidator(store_name)]).validate_python(text)
    except ValidationError as error:
        raise UsageError(wording(error.errors(include_input=False)[0])[0], "s3://bucket/prefix") from None


def _host(questions: Questions, project: Project | None, around: Surroundings) -> str:
    """Return the host behind SSH on which the application runs; empty for this machine."""
    if not around.hosts and not questions.given.get("host"):
        return ""
    default = HERE if project or not around.hosts else around.hosts[0]
    known = ", ".join((HERE, *around.hosts[:8]))
    found = questions.ask("host", f"Where does manage.py run: {known}", default, _check_host)
    return "" if found == HERE else found


def _check_host(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@:-]*", text):
        return text
    raise UsageError("a host is a name of ~/.ssh/config, or an address", "shop.example.com")


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
    """Return the variable of the database, what else `manage.py` needs, and whether settings of our own are written."""
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
            f"{project.manage}: the settings take no database address from a variable, and manage.py "
            "lets nobody choose other settings",
            'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "…")   in manage.py, and then   generalprobe init',
        )
    _offer_settings(questions)
    return OWN_VARIABLE, {**env, SETTINGS: OWN_SETTINGS}, True


def _offer_settings(questions: Questions) -> None:
    """The settings take no address from a variable: offer settings of our own that do."""
    questions.say(
        "The settings take no address from a variable, so a rehearsal could not lead them to a copy.\n"
        f"{OWN_SETTINGS}.py, beside manage.py, will import them and change only the database."
    )
    if not questions.confirm(f"Write {OWN_SETTINGS}.py"):
        raise UsageError(
            "the settings take no database address from a variable",
            'DATABASES = {"default": dj_database_url.config()}   in the settings, and then   generalprobe init',
        )


def _check_word(text: str) -> str:
    try:
        return TypeAdapter(Word).validate_python(text)
    except ValidationError:
        raise UsageError("it should be a path without a password in it", "/srv/shop/current") from None

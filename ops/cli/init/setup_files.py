"""Render the files, and write the files that are missing."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.cli.init.choices import OWN_SETTINGS, App, Setup
from ops.cli.init.database_choice import Database
from ops.cli.init.manage_file import read_text
from ops.core.errors import Refused
from ops.core.files import write_whole
from ops.core.new_files import NewFile, write_new
from ops.engine.render import template
from ops.infra.railway.project_link import ProjectLink
from ops.inventory.load import FILE

TASKS = "tasks.py"
TASKS_TEXT = '''"""The command line of Generalprobe: `inv --list`."""

from ops.tasks import namespace

__all__ = ["namespace"]
'''
IGNORE = ".gitignore"
# The maximum column of the comments. The comment of a longer line follows the line.
_COLUMN = 56
# Text that YAML does not read as a number, a date, a boolean or syntax.
_PLAIN = re.compile(r"(?!(?:true|false|null|yes|no|on|off)$)[A-Za-z~./][\w./:~@+-]*(?<!:)", re.IGNORECASE)


@dataclass(frozen=True)
class Written:
    """The result: the new files, and the files that existed already and are unchanged."""

    new: tuple[Path, ...]
    known: tuple[Path, ...]


def check_folder(folder: Path) -> bool:
    """Check the files that exist in the folder.

    Returns:
        True if an inventory exists, so that only ``tasks.py`` is missing.

    Raises:
        Refused: no file is missing, or an existing file is in conflict.
    """
    tasks, inventory = folder / TASKS, folder / FILE
    elsewhere = f"mkdir {folder.name}-ops && cd {folder.name}-ops && generalprobe init"
    if tasks.exists() and "ops.tasks" not in read_text(tasks):
        raise Refused(f"{tasks} exists already, and is not Generalprobe's; nothing was written", elsewhere)
    for module in (folder / "ops.py", folder / "ops/__init__.py"):
        if module.exists():
            raise Refused(f"{module} would hide Generalprobe's own package `ops`; nothing was written", elsewhere)
    if tasks.exists() and inventory.exists():
        raise Refused(f"{TASKS} and {FILE} exist already; nothing was written", "inv doctor")
    return inventory.exists()


def files_of(setup: Setup) -> list[NewFile]:
    """Return the files of a setup, in the order in which they are written."""
    files = []
    for database in (setup.production, setup.test):
        if database.file:
            files.append(NewFile(database.file, f"{database.url}\n", private=True))
    if setup.app and setup.app.own_settings and setup.project:
        project = setup.project
        given = {
            "module": project.module,
            "variable": setup.app.variable,
            "configuration": project.configuration,
        }
        text = template("settings.py.j2").render(given)
        files.append(NewFile(setup.project.manage.with_name(f"{OWN_SETTINGS}.py"), text))
    files.append(NewFile(setup.folder / FILE, inventory_text(setup)))
    return [*files, NewFile(setup.folder / TASKS, TASKS_TEXT)]


def inventory_text(setup: Setup) -> str:
    """Render the inventory, with comments and without secrets."""
    app, beside = setup.app, setup.test.railway
    text = template("inventory.yaml.j2").render(
        target=_word(setup.target),
        test=_word(f"{setup.target}-test"),
        store=_word(setup.store),
        host=_word(setup.host) if setup.host else "",
        app=_app(app) if app else None,
        database=_word(setup.production.reference),
        place=_comment(setup.production),
        railway=_railway(setup.production.railway),
        test_database=_word(setup.test.reference),
        test_place=_comment(setup.test),
        test_railway=_railway(beside and ProjectLink(beside.project, beside.environment)),
    )
    return _aligned(text)


def _app(app: App) -> dict[str, str]:
    env = ", ".join(f"{name}: {_word(value)}" for name, value in app.env.items())
    words = ", ".join(_word(word) for word in app.manage)
    return {
        "dir": _word(app.folder),
        "manage": f"[{words}]",
        "variable": app.variable,
        "env": f"{{{env}}}" if env else "",
    }


def _railway(link: ProjectLink | None) -> str:
    if link is None:
        return ""
    service = f", service: {_word(link.service)}" if link.service else ""
    return f"{{project: {_word(link.project)}, environment: {_word(link.environment)}{service}}}"


def _word(text: str) -> str:
    """Return a text as a YAML scalar."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _comment(database: Database) -> str:
    """Return the comment on a reference, without control characters that a name in an address may contain."""
    said = database.place or "the address is not set yet"
    return "".join(char for char in said if char.isprintable())


def _aligned(text: str) -> str:
    """Align the marked comments in one column."""
    rows = [line.split("  #| ") for line in text.splitlines()]
    width = max(len(row[0]) for row in rows if len(row) > 1 and len(row[0]) <= _COLUMN)
    return "".join("  # ".join([row[0].ljust(width), *row[1:]] if row[1:] else row) + "\n" for row in rows)


def ignored(store: str, folder: Path) -> list[str]:
    """Return the lines that ``.gitignore`` lacks: the store, if it is a folder in this folder."""
    place = os.path.normpath(store)
    if "://" in store or store.startswith("~") or os.path.isabs(place) or place.startswith(".."):
        return []
    known = {line.strip().strip("/") for line in read_text(folder / IGNORE).splitlines()}
    return [] if place in known else [f"/{place}/"]


def write(files: Sequence[NewFile], lines: Sequence[str], folder: Path) -> Written:
    """Write the files that are missing, then the lines of ``.gitignore``.

    Raises:
        Refused: a file exists with another content; nothing was written.
    """
    known = [file.path for file in files if file.path.exists() and _same(file)]
    new = [file for file in files if file.path not in known]
    write_new("", new)
    paths = [file.path for file in new]
    if lines:
        _append(folder / IGNORE, lines)
        paths.append(folder / IGNORE)
    return Written(tuple(paths), tuple(known))


def _same(file: NewFile) -> bool:
    """Return True if an existing file can be used: the inventory and ``tasks.py`` always, other files if equal."""
    return file.path.name in (FILE, TASKS) or read_text(file.path) == file.text


def _append(file: Path, lines: Sequence[str]) -> None:
    """Append lines to a file, and preserve its content and mode."""
    real = Path(os.path.realpath(file))
    before = real.read_bytes() if real.exists() else b""
    mode = stat.S_IMODE(real.stat().st_mode) if real.exists() else 0o644
    gap = b"\n" if before and not before.endswith(b"\n") else b""
    write_whole(real, before + gap + "".join(f"{line}\n" for line in lines).encode())
    real.chmod(mode)

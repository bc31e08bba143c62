"""Find ``manage.py`` and the settings module that it names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

NAME = "manage.py"
DEEPEST = 2
SETTINGS, CONFIGURATION = "DJANGO_SETTINGS_MODULE", "DJANGO_CONFIGURATION"
_NAMED = r"""{}["']\s*(\]\s*=|,)\s*["']([\w.]+)["']"""


def find_manage(start: Path) -> list[Path]:
    """Return each ``manage.py`` in the folder; if there is none, below the folder, then above, then beside it."""
    for place in (_below(start, 0), _below(start, DEEPEST), _above(start), _beside(start)):
        if found := sorted(file for file in place if _is_manage(file)):
            return found
    return []


def _below(folder: Path, depth: int) -> Iterator[Path]:
    yield folder / NAME
    for inner in _folders(folder) if depth else ():
        yield from _below(inner, depth - 1)


def _above(folder: Path) -> Iterator[Path]:
    while not (folder / ".git").exists() and folder != folder.parent:
        folder = folder.parent
        yield folder / NAME


def _beside(folder: Path) -> Iterator[Path]:
    for other in _folders(folder.parent):
        if other != folder:
            yield from _below(other, 1)


def _folders(folder: Path) -> list[Path]:
    """Return the folders in a folder that may contain a project."""
    try:
        found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []
    return [path for path in found if path.name != "node_modules" and not (path / "pyvenv.cfg").exists()]


def read_text(file: Path) -> str:
    """Return a file's text; empty if the file can't be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    except OSError:
        return ""


def is_own(path: Path) -> bool:
    """Return True if this user or root owns a file. Only such a file may be run without a question."""
    try:
        return path.lstat().st_uid in (0, os.geteuid())
    except OSError:
        return False


def _is_manage(file: Path) -> bool:
    return is_own(file) and "execute_from_command_line" in read_text(file)


def setting_named(manage: Path, environ: Mapping[str, str], variable: str = SETTINGS) -> str:
    """Return the settings module that ``manage.py`` uses, or the class in the module; empty if none is named."""
    found = re.search(_NAMED.format(variable), read_text(manage))
    if found and found[1] != ",":  # The assignment overrides the environment.
        return found[2]
    return environ.get(variable, "") or (found[2] if found else "")


def overrules(manage: Path) -> bool:
    """Return True if ``manage.py`` overrides the settings module of the environment."""
    found = re.search(_NAMED.format(SETTINGS), read_text(manage))
    return bool(found and found[1] != ",")


def shown(path: Path, start: Path) -> str:
    """Format a path relative to a folder if it is near, or else absolute or relative to the home folder."""
    relative = os.path.relpath(path, start)
    if not relative.startswith(".."):
        return relative
    home = Path(os.path.expanduser("~"))
    if path.is_relative_to(home / ".config"):
        return f"~/{path.relative_to(home)}"
    return str(path) if relative.startswith("../..") else relative

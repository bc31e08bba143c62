"""Find the Python of the project's virtual environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ops.cli.init.manage_file import is_own

FOLDERS = (".venv", "venv", "env", ".virtualenv")
# Managers that create the environment elsewhere: the file that marks their projects, and the command that prints the
# Python of a project.
MANAGERS = {"poetry.lock": ("poetry", "env", "info", "--executable"), "Pipfile": ("pipenv", "--py")}
_VERSION = "import django; print(django.get_version())"


def find_python(folder: Path, environ: Mapping[str, str]) -> tuple[Path, str] | None:
    """Return the Python in which Django is installed, and Django's version; None if there is none.

    Args:
        folder: the folder of ``manage.py``.
        environ: the environment variables.
    """
    for python in dict.fromkeys(_candidates(folder, environ)):
        if is_own(python) and python.is_file() and (version := django_version(python)):
            return python, version
    return None


def django_version(python: Path) -> str:
    """Return the version of Django that is installed in a Python; empty if there is none."""
    return _said((str(python), "-c", _VERSION), Path("/"))


def _candidates(folder: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    if active := environ.get("VIRTUAL_ENV"):
        yield Path(active) / "bin/python"
    places = [folder, *folder.parents[:2]]
    yield from (place / name / "bin/python" for place in places for name in FOLDERS)
    for file, words in MANAGERS.items():
        if (folder / file).is_file() and shutil.which(words[0], path=environ.get("PATH")):
            yield Path(_said(words, folder) or os.devnull)
    yield Path(sys.executable)
    for name in ("python", "python3"):
        if found := shutil.which(name, path=environ.get("PATH")):
            yield Path(found)


def _said(words: tuple[str, ...], folder: Path) -> str:
    """Return the last line that a program printed; empty if the program failed."""
    try:
        done = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout.strip().splitlines() or [""])[-1] if done.returncode == 0 else ""

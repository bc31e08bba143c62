"""Run ``generalprobe init``: inspect the folder, ask, write the files, and run the doctor."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from ops.cli import doctor
from ops.cli.init.choices import HERE, choose
from ops.cli.init.discovery import Project, look_around, look_at, summary
from ops.cli.init.manage_file import NAME, find_manage, shown
from ops.cli.init.questions import Questions, check_terminal
from ops.cli.init.setup_files import (
    IGNORE,
    TASKS,
    TASKS_TEXT,
    Written,
    check_folder,
    files_of,
    ignored,
    write,
)
from ops.cli.options import Options
from ops.core.errors import DONE, Interrupted, UsageError
from ops.core.new_files import NewFile
from ops.core.text import listed
from ops.engine.command import quote
from ops.inventory.load import FILE

WHERE = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"


def initialize(flags: Mapping[str, str], folder: Path, *, yes: bool = False, only_print: bool = False) -> int:
    """Find the project, ask for missing values, write the files, and run the doctor.

    Args:
        flags: the flags of the command line, by name without dashes; empty if not given.
        folder: the folder of the new files.
        yes: ask nothing.
        only_print: print the files; write nothing.

    Returns:
        the exit code: the doctor's, if files were written.
    """
    out = sys.stderr if only_print else sys.stdout
    if not only_print and check_folder(folder):
        return _finish(write([NewFile(folder / TASKS, TASKS_TEXT)], [], folder), folder, out)
    check_terminal(yes, out)
    questions = Questions(flags, yes, out)
    project, around = _project(questions, folder), look_around(folder, os.environ)
    for name, text in summary(project, around, folder):
        questions.say(f"  {name:<10}  {text}")
    setup = choose(questions, folder, project, around, os.environ)
    files, lines = files_of(setup), ignored(setup.store, folder)
    if only_print:
        return _print(files, lines, folder, out)
    missing = [one.missing for one in (setup.production, setup.test) if one.missing]
    return _finish(write(files, lines, folder), folder, out, missing)


def _project(questions: Questions, folder: Path) -> Project | None:
    """Find the Django project, or ask for it; None if the application is on another machine, or there is none."""
    given = questions.given
    elsewhere = given["host"] not in ("", HERE)
    found = [] if given["manage"] else find_manage(folder)
    if len(found) == 1:
        chosen = str(found[0])
    elif not found and not given["manage"] and elsewhere:
        chosen = ""
    else:
        if questions.yes and not given["manage"]:
            raise _undecided(found, folder)
        chosen = _ask_manage(questions, found, folder)
    if not chosen:
        return None
    python = "" if elsewhere else given["python"]

    def choose_class(names: Sequence[str]) -> str:
        usual = next((name for name in names if "prod" in name.lower()), names[-1])
        return questions.ask("configuration", f"Class of the settings ({', '.join(names)})", usual, check_class)

    return look_at(Path(os.path.abspath(chosen)), os.environ, python, given["database-env"], choose_class)


def check_class(text: str) -> str:
    """Return the name of a class. Raises UsageError for what is none."""
    if text.isidentifier():
        return text
    raise UsageError("it should be the name of a class in the settings", "Production")


def _undecided(found: Sequence[Path], folder: Path) -> UsageError:
    """Return the error if the project is ambiguous. Only a person may choose: the wrong project would be migrated."""
    if not found:
        return UsageError(f"no {NAME} in {folder}, below, above or beside it", "generalprobe init --manage=FOLDER")
    names = [shown(path, folder) for path in found]
    return UsageError(f"several {NAME}: {listed(names, 8)}", f"generalprobe init --manage={names[0]}")


def _ask_manage(questions: Questions, found: Sequence[Path], folder: Path) -> str:
    """Ask for the path of ``manage.py``; empty for none."""

    def check(text: str) -> str:
        path = folder / os.path.expanduser(text)
        path = path / NAME if path.is_dir() else path
        if text and not path.is_file():
            raise UsageError(f"{path} does not exist", "../shop/manage.py")
        return str(path) if text else ""

    names = ", ".join(shown(path, folder) for path in found[:8]) or "Enter if there is none on this machine"
    return questions.ask("manage", f"Path of {NAME} ({names})", shown(found[0], folder) if found else "", check)


def _print(files: Sequence[NewFile], lines: Sequence[str], folder: Path, out: TextIO) -> int:
    for file in files:
        if file.private:
            print(f"{file.path} would contain an address (mode 0600), which is not shown", file=out)
        else:
            print(f"# {shown(file.path, folder)}\n{file.text}")
    if lines:
        print("\n".join([f"# {IGNORE}", *lines]))
    return DONE


def _finish(done: Written, folder: Path, out: TextIO, missing: Sequence[str] = ()) -> int:
    """Print which files were written, run the doctor, and print what to type next."""
    files = (("wrote", done.new), ("unchanged", done.known))
    rows = [(word, shown(path, folder)) for word, paths in files for path in paths]
    rows += [("to commit", line) for line in _commits(done.new, folder)]
    rows += [("to set", f"export {name}={WHERE}") for name in missing]
    for word, text in rows:
        print(f"  {word:<10}  {text}", file=out, flush=True)
    try:
        code = doctor.show(Options(inventory=str(folder / FILE)))
    except KeyboardInterrupt:
        raise Interrupted("the files were written; the doctor was interrupted", f"{_inv()} doctor") from None
    ways = f"{_inv()} plan" if code == DONE else f"correct what failed; {_inv()} doctor; {_inv()} plan"
    print(f"\nNext: {ways}", file=out, flush=True)
    return code


def _commits(paths: Sequence[Path], folder: Path) -> list[str]:
    """Return the commands that add the new files to git, one for each repository."""
    found: dict[Path, list[Path]] = {}
    for path in paths:
        if root := next((above for above in path.parents if (above / ".git").exists()), None):
            found.setdefault(root, []).append(path)
    lines = []
    for root, files in found.items():
        start = folder if folder.is_relative_to(root) else root
        names = " ".join(quote(os.path.relpath(path, start)) for path in files)
        lines.append(f"git add {names}" if start == folder else f"git -C {quote(shown(root, folder))} add {names}")
    return lines


def _inv() -> str:
    """Return how to call ``inv``: by its path, if another ``inv`` or none is on PATH."""
    own = Path(sys.executable).with_name("inv")
    return "inv" if shutil.which("inv") == str(own) or not own.exists() else str(own)

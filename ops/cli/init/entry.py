"""The console script ``generalprobe``. Its command ``init`` sets up a project; all other commands are ``inv`` tasks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from ops import __version__
from ops.core.errors import DONE, UsageError

FLAGS = {
    "manage": ("FILE", "manage.py, or its folder"),
    "python": ("FILE", "the Python in which the project's Django is installed"),
    "configuration": ("NAME", "the class of the settings, if they are classes (DJANGO_CONFIGURATION)"),
    "target": ("NAME", "the name of the target; default: the name of the folder"),
    "host": ("NAME", "the SSH host on which manage.py runs; `here` for this machine"),
    "app-dir": ("FOLDER", "with --host: the folder of manage.py on that host"),
    "database-env": ("NAME", "the environment variable from which the settings read the database's address"),
    "database": ("REFERENCE", "location of production's address: env:NAME, file:PATH or railway:SERVICE/VARIABLE"),
    "test-database": ("REFERENCE", "location of the test database's address"),
    "test-name": ("NAME", "the name of the test database, created on production's server"),
    "store": ("ADDRESS", "where to store backups and runs: a folder, s3://bucket/prefix, ssh://host/folder"),
}
EXAMPLE = "generalprobe init --help"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, EXAMPLE)


def main() -> None:
    """Run the console script, and exit with its exit code."""
    from ops.cli.options import Options
    from ops.cli.process import ended

    ended(lambda: run(sys.argv[1:], Path.cwd()), Options(), "generalprobe")


def run(words: list[str], folder: Path) -> int:
    """Run a command line.

    Args:
        words: the command line after ``generalprobe``.
        folder: the folder of the new files.

    Returns:
        the exit code.

    Raises:
        UsageError: the command line is wrong.
    """
    if words and words[0] != "init" and not words[0].startswith("-"):
        raise UsageError(f"no such command: generalprobe {words[0]}", f"inv {words[0]}   or   generalprobe init")
    given = _parser().parse_args(words)
    if not words:
        _parser().print_help()
        return DONE
    from ops.cli.init.initialization import initialize  # Slow to load, and `generalprobe --help` does not need it.

    flags = {flag: getattr(given, flag.replace("-", "_")) for flag in FLAGS}
    return initialize(flags, folder, yes=given.yes, only_print=given.stdout)


def _parser() -> argparse.ArgumentParser:
    said = "Set up Generalprobe in a Django project. All other commands are tasks of `inv`."
    top = _Parser("generalprobe", description=said, allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"generalprobe {__version__}")
    init = top.add_subparsers(title="command", parser_class=_Parser).add_parser(
        "init",
        help="write tasks.py and inventory.yaml, and run inv doctor",
        description="Find the Django project in or beside this folder, ask for missing values, write tasks.py, "
        "inventory.yaml and lines of .gitignore, and run `inv doctor`. No file is overwritten.",
        allow_abbrev=False,
    )
    for flag, (kind, text) in FLAGS.items():
        init.add_argument(f"--{flag}", metavar=kind, default="", help=text)
    init.add_argument("--yes", action="store_true", help="ask nothing, use the defaults; required without a terminal")
    init.add_argument("--stdout", action="store_true", help="print the files; write nothing")
    return top

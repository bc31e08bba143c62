"""The console script ``generalprobe``: ``init`` sets up a project; everything else is a task of ``inv``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from ops import __version__
from ops.core.errors import DONE, UsageError

FLAGS = {
    "manage": ("FILE", "manage.py, or its folder"),
    "python": ("FILE", "the Python that has the project's Django"),
    "configuration": ("NAME", "the class of the settings, where they are classes (DJANGO_CONFIGURATION)"),
    "target": ("NAME", "the target's name; default: the folder's"),
    "host": ("NAME", "the host behind SSH on which manage.py runs; `here` for this machine"),
    "app-dir": ("FOLDER", "with --host: the folder of manage.py there"),
    "database-env": ("NAME", "the variable from which the settings take the database's address"),
    "database": ("REFERENCE", "where production's address is: env:NAME, file:PATH or railway:SERVICE/VARIABLE"),
    "test-database": ("REFERENCE", "where the test database's address is"),
    "test-name": ("NAME", "the test database's name, beside production on the same server"),
    "store": ("ADDRESS", "where backups and runs are kept: a folder, s3://bucket/prefix, ssh://host/folder"),
}
EXAMPLE = "generalprobe init --help"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, EXAMPLE)


def main() -> None:
    """Run the console script, and leave with its exit code."""
    from ops.cli.options import Options
    from ops.cli.process import ended

    ended(lambda: run(sys.argv[1:], Path.cwd()), Options(), "generalprobe")


def run(words: list[str], folder: Path) -> int:
    """Do what a command line says.

    Args:
        words: what was typed after ``generalprobe``.
        folder: where the files go.

    Returns:
        the exit code.
    """
    if words and words[0] != "init" and not words[0].startswith("-"):
        raise UsageError(f"no such command: generalprobe {words[0]}", f"inv {words[0]}   or   generalprobe init")
    given = _parser().parse_args(words)
    if not words:
        _parser().print_help()
        return DONE
    from ops.cli.init.initialization import initialize  # `generalprobe --help` needs none of it.

    flags = {flag: getattr(given, flag.replace("-", "_")) for flag in FLAGS}
    return initialize(flags, folder, yes=given.yes, only_print=given.stdout)


def _parser() -> argparse.ArgumentParser:
    said = "Set up Generalprobe in a Django project. The work itself is done by `inv`."
    top = _Parser("generalprobe", description=said, allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"generalprobe {__version__}")
    init = top.add_subparsers(title="command", parser_class=_Parser).add_parser(
        "init",
        help="write tasks.py and inventory.yaml, and run the doctor",
        description="Find the Django project in or beside this folder, ask for what is missing, write tasks.py, "
        "inventory.yaml and lines of .gitignore, and run `inv doctor`. No file is overwritten.",
        allow_abbrev=False,
    )
    for flag, (kind, text) in FLAGS.items():
        init.add_argument(f"--{flag}", metavar=kind, default="", help=text)
    init.add_argument("--yes", action="store_true", help="ask nothing: take the defaults; needed without a terminal")
    init.add_argument("--stdout", action="store_true", help="print the files and write nothing")
    return top

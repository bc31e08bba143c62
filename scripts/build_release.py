"""Build wheel and sdist into dist/, check both, and run the demo from the installed wheel. Run: `make release`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TASKS = 'from ops.tasks import namespace\n__all__ = ["namespace"]\n'
# Files that setuptools adds to the sdist.
MADE = ("PKG-INFO", "setup.cfg", "generalprobe.egg-info/")


def fail(text: str, hint: str) -> None:
    """Stop the build.

    Raises:
        SystemExit: always.
    """
    sys.exit(f"No release: {text}\nTry: {hint}")


def version_of(root: Path) -> str:
    """Return `__version__` of `ops/__init__.py`, the only place that contains the version."""
    found = re.search(r'^__version__ = "([^"]+)"$', (root / "ops/__init__.py").read_text("utf-8"), re.MULTILINE)
    return found[1] if found else fail("ops/__init__.py has no __version__", '__version__ = "0.2.0"') or ""


def check_changelog(root: Path, version: str) -> str:
    """Return the heading of the version's section of the changelog.

    Raises:
        SystemExit: the first section is for another version, or has no entry.
    """
    parts = re.split(r"^## (.+)$", (root / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    heading, text = (parts[1], parts[2]) if len(parts) > 2 else ("", "")
    if heading.split(" ")[0] != version:
        fail(f"ops.__version__ is {version}, and the changelog begins with '## {heading}'", f"add '## {version}'")
    if not re.search(r"^- \S", text, re.MULTILINE):
        fail(f"the changelog's section '## {heading}' has no entry", "write a line for each change: '- …'")
    return heading


def files_of_ops(root: Path) -> set[str]:
    """List the files that an installation needs: the modules, and the data beside them."""
    found = (root / "ops").rglob("*")
    return {path.relative_to(root).as_posix() for path in found if path.is_file() and "__pycache__" not in path.parts}


def check_wheel(root: Path, wheel: Path) -> int:
    """Compare the wheel with `ops/`, and return the number of its files.

    Raises:
        SystemExit: the wheel lacks a file, or has one that is not the project's.
    """
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if ".dist-info/" not in name and not name.endswith("/")}
    wanted = files_of_ops(root)
    if lacking := sorted(wanted - names):
        fail(f"{wheel.name} lacks {', '.join(lacking)}", "add them to package-data in pyproject.toml")
    if more := sorted(names - wanted):
        fail(f"{wheel.name} has {', '.join(more)}, which ops/ does not have", "rm -rf build *.egg-info")
    return len(names)


def check_sdist(root: Path, sdist: Path) -> int:
    """Compare the sdist with what git tracks, and return the number of its files.

    Raises:
        SystemExit: the sdist lacks a file of the project, or has one that git does not track.
    """
    with tarfile.open(sdist) as opened:
        names = {member.name.partition("/")[2] for member in opened.getmembers() if member.isfile()}
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True)
    tracked = {name for name in listed.stdout.split("\0") if name and (root / name).is_file()}
    if not tracked:
        return len(names)  # This is an unpacked sdist, without git.
    if lacking := sorted(name for name in tracked - names if not name.startswith(".")):
        fail(f"{sdist.name} lacks {', '.join(lacking)}", "name them in MANIFEST.in, or   git rm   them")
    if more := sorted(name for name in names - tracked if not name.startswith(MADE)):
        fail(f"{sdist.name} has {', '.join(more)}, which git does not track", "git add   them, or remove them")
    return len(names)


def run(words: Sequence[str | Path], folder: Path, quiet: bool = False) -> None:
    """Run a command without this checkout's environment.

    Args:
        words: the command.
        folder: the folder in which the command runs.
        quiet: print the command's output only when the command fails.

    Raises:
        SystemExit: the command failed.
    """
    ours = ("PYTHONPATH", "VIRTUAL_ENV", "OPS_INVENTORY", "DJANGO_SETTINGS_MODULE")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if quiet else {}
    line = " ".join(map(str, words))
    print(f"$ {line}", flush=True)
    done = subprocess.run(list(map(str, words)), cwd=folder, env=environment, text=True, **streams)  # type: ignore[call-overload]
    if done.returncode:
        print(done.stdout or "", end="")
        fail(f"{line} ended with {done.returncode}", f"read the output above; the folder was {folder}")


def build(root: Path, dist: Path) -> tuple[Path, Path]:
    """Build the sdist from the checkout, and the wheel from the sdist."""
    shutil.rmtree(dist, ignore_errors=True)
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, root], root, quiet=True)
    return next(dist.glob("*.whl")), next(dist.glob("*.tar.gz"))


def install(wheel: Path, place: Path) -> Path:
    """Install the wheel alone into an empty environment, and list the tasks in an empty project. Return the Python."""
    run([sys.executable, "-m", "venv", place / "venv"], place)
    python = place / "venv/bin/python"
    pip(python, place, wheel)
    own = place / "own"
    own.mkdir()
    (own / "tasks.py").write_text(TASKS, "utf-8")
    run([python.with_name("inv"), "--list"], own, quiet=True)
    run([python.with_name("generalprobe"), "init", "--help"], own, quiet=True)
    return python


def pip(python: Path, place: Path, *words: str | Path) -> None:
    """Install into the environment, from the package index that pip is set to."""
    run([python, "-m", "pip", "install", "--disable-pip-version-check", *words], place, quiet=True)


def play(wheel: Path, sdist: Path, python: Path, place: Path) -> None:
    """Run the demo: its files from the sdist, the tool from the wheel."""
    pip(python, place, f"generalprobe[demo] @ {wheel.as_uri()}")
    with tarfile.open(sdist) as opened:
        opened.extractall(place, filter="data")
    unpacked = place / sdist.name.removesuffix(".tar.gz")
    # Remove the unpacked package, so that the demo imports the installed package.
    shutil.rmtree(unpacked / "ops")
    try:
        run([python, "demo/play.py"], unpacked)
    finally:
        run([python, "demo/reset.py", "--stop"], unpacked)


def main(dist: Path) -> None:
    """Build, check and test a release; publish nothing."""
    version = version_of(ROOT)
    heading = check_changelog(ROOT, version)
    wheel, sdist = build(ROOT, dist)
    counts = f"{wheel.name}: {check_wheel(ROOT, wheel)} files; {sdist.name}: {check_sdist(ROOT, sdist)} files"
    with tempfile.TemporaryDirectory(prefix="generalprobe-release-") as folder:
        place = Path(folder)
        play(wheel, sdist, install(wheel, place), place)
    print(f"Release {version} is built and tested: {dist}\n{counts}")
    if "unreleased" in heading:
        print(f"Before you publish: replace '{heading}' in the changelog by the version and the date.")
    print(f"Next: git tag v{version}, and upload both files to the package index.")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT / "dist")

"""Virtual environments of old and new releases, made once and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path


class CannotInstall(Exception):
    """The registry can't be reached, has not these versions, or the Python for them is not here."""


def cache() -> Path:
    """The folder in which everything is kept that takes long to make; outside the checkout."""
    found = Path(os.environ.get("UPGRADES_CACHE") or "/var/tmp/generalprobe-upgrades")
    found.mkdir(parents=True, exist_ok=True)
    return found


def interpreter(version: str) -> str:
    """The program of a Python version.

    Raises:
        CannotInstall: there is none on this machine.
    """
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for found in [*map(str, pyenv), shutil.which(f"python{version}") or ""]:
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    raise CannotInstall(f"there is no Python {version} on this machine")


def python_with(version: str, requirements: tuple[str, ...]) -> str:
    """The Python of an environment that has these requirements; made where it is missing.

    Raises:
        CannotInstall: they can't be installed.
    """
    key = hashlib.sha256("\0".join((version, *requirements)).encode()).hexdigest()[:12]
    folder = cache() / "venvs" / key
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, interpreter(version), requirements)
        (folder / "ready").write_text("\n".join(requirements) + "\n")
    return str(folder / "bin" / "python")


def _make(folder: Path, python: str, requirements: tuple[str, ...]) -> None:
    tools = cache() / "tools"
    uv = str(tools / "bin" / "uv") if (tools / "bin" / "uv").exists() else shutil.which("uv")
    # Old releases import pkg_resources, which newer versions of setuptools no longer have.
    wanted = ("setuptools<81", "wheel", *requirements)
    target = str(folder / "bin" / "python")
    if uv:
        _call(uv, "venv", "--quiet", "--python", python, str(folder))
        words = [uv, "pip", "install", "--quiet", "--python", target, *wanted]
    else:
        _call(python, "-m", "venv", str(folder))
        words = [target, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
    try:
        _call(*words)
    except CannotInstall:
        # Packages of their time are built with the setuptools of their time.
        builder = cache() / "builder.txt"
        builder.write_text("setuptools<58\n")
        _call(*words, env={"UV_BUILD_CONSTRAINT": str(builder)} if uv else {"PIP_CONSTRAINT": str(builder)})


def _call(*words: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(words, capture_output=True, text=True, timeout=900, env=os.environ | (env or {}))
    if done.returncode:
        raise CannotInstall("\n".join(f"{done.stdout}\n{done.stderr}".strip().splitlines()[-12:]))

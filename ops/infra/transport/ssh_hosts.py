"""Read OpenSSH's configuration with the files that ``Include`` names, which paramiko ignores."""

from __future__ import annotations

import glob
import io
import os
import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import paramiko

# Hosts of repositories, which run no application.
CODE_HOSTS = re.compile(r"(^|[.@-])(github|gitlab|bitbucket|codeberg)([.-]|$)")
SYSTEM = Path("/etc/ssh/ssh_config")
# The maximum depth of includes in OpenSSH.
DEEPEST = 16
EVERYBODY = "Host *"
_INCLUDE = re.compile(r"\s*include(?:\s*=\s*|\s+)(.+)", re.IGNORECASE)
_BLOCK = re.compile(r"\s*(?:host|match)\b(?!name)", re.IGNORECASE)


def read_config(*files: Path) -> paramiko.SSHConfig:
    """Return the configuration of these files; earlier files take precedence.

    Raises:
        paramiko.ConfigParseError: a file is invalid.
    """
    import paramiko

    config = paramiko.SSHConfig()
    for file in files:
        config.parse(io.StringIO("\n".join(_lines(file, file.parent))))
    return config


def users_config() -> paramiko.SSHConfig:
    """Return the configuration of ``ssh``: the user's, then the system's."""
    return read_config(Path("~/.ssh/config").expanduser(), SYSTEM)


def named_hosts(home: Path) -> list[str]:
    """Return the names of the hosts in a user's SSH configuration, without patterns and hosts of repositories."""
    import paramiko

    try:
        found = read_config(home / ".ssh/config").get_hostnames()
    except paramiko.ConfigParseError:
        return []
    return sorted(name for name in found if re.fullmatch(r"[A-Za-z0-9_][\w.-]*", name) and not CODE_HOSTS.search(name))


def _lines(file: Path, folder: Path, depth: int = 0) -> Iterator[str]:
    """Yield the lines of a file with those of the files that it includes.

    Args:
        file: where it can't be read, it has no line.
        folder: the folder from which relative names are meant.
        depth: how many files lead to this one.
    """
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    block = EVERYBODY
    for line in text.splitlines():
        block = line if _BLOCK.match(line) else block
        if not (included := _INCLUDE.match(line)):
            yield line
            continue
        for one in _files(included[1], folder) if depth < DEEPEST else ():
            inner = _lines(one, folder, depth + 1)
            # A block of other hosts inside a block of some hosts has no effect.
            yield from inner if block.split()[1:] == ["*"] else takewhile(lambda each: not _BLOCK.match(each), inner)
        yield block


def _files(names: str, folder: Path) -> Iterator[Path]:
    try:
        patterns = shlex.split(names, comments=True)
    except ValueError:
        return
    for pattern in patterns:
        yield from map(Path, sorted(glob.glob(os.path.join(folder, os.path.expanduser(pattern)))))

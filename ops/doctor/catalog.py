"""Collect the checks of the doctor, in order.

All modules of this package are imported. A check is a function that is decorated with ``check``.
"""

from __future__ import annotations

import importlib
import pkgutil

import ops.doctor
from ops.doctor.check import CHECKS, Check, Kind

# The order of the checks. A check that is not listed comes last.
# fmt: off
ORDER = (
    "host", "railway", "address", "server", "pooler", "clock", "tools", "tools-fit", "reading", "changing",
    "settings", "sessions", "replication", "standby", "writes", "store", "dump", "space", "backups", "encryption",
    "pgbackrest", "same-server", "other", "cloning", "likeness", "extensions", "leftovers", "run", "schedule",
    "copies", "programs", "app", "rehearsal", "migrations", "declarations", "commit", "window", "restore",
)
# fmt: on
# The checks of production on which checks of a test target depend, by the name that the latter use.
SHARED = {"tools": "tools", "production's server": "server"}


def checks(of: Kind) -> list[Check]:
    """Return the checks for a kind of target, in order. The kind ``trial`` adds its checks to those of production.

    Raises:
        ValueError: a check depends on a check that does not come before it.
    """
    for module in pkgutil.iter_modules(ops.doctor.__path__):
        importlib.import_module(f"ops.doctor.{module.name}")
    kinds = {"production", "trial"} if of == "trial" else {of}
    places = {name: place for place, name in enumerate(ORDER)}
    found = [one for one in CHECKS.values() if kinds & set(one.of)]
    found.sort(key=lambda one: places.get(one.name, len(ORDER)))
    before = set(SHARED if of == "test" else ())
    for one in found:
        if missing := set(one.after) - before:
            raise ValueError(f"check {one.name} needs {', '.join(sorted(missing))}, which does not come before it")
        before.add(one.name)
    return found

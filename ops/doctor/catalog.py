"""The checks of the doctor, in the order in which they are looked at.

Each module of this package is imported; a function of it that ``check`` decorates is one.
"""

from __future__ import annotations

import importlib
import pkgutil

import ops.doctor
from ops.doctor.check import CHECKS, Check, Kind

# The order in which findings are shown. A check that is not named here comes behind them.
# fmt: off
ORDER = (
    "host", "railway", "address", "server", "pooler", "clock", "tools", "tools-fit", "reading", "changing",
    "settings", "sessions", "replication", "writes", "store", "dump", "space", "backups", "encryption",
    "pgbackrest", "same-server", "other", "cloning", "likeness", "extensions", "leftovers", "run", "schedule",
    "copies", "programs", "app", "rehearsal", "migrations", "declarations", "commit", "window", "restore",
)
# fmt: on
# What the checks of a test target need of production's.
SHARED = {"tools": "tools", "production's server": "server"}


def checks(of: Kind) -> list[Check]:
    """Return the checks of one kind of target, each behind those that it needs; a trial's come behind production's.

    Raises:
        ValueError: one of them needs a check that is not looked at before it.
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
            raise ValueError(f"check {one.name} needs {', '.join(sorted(missing))}, not looked at before it")
        before.add(one.name)
    return found

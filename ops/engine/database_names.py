"""The names and comments of the databases that a run makes beside production's and beside the test database.

A name contains the run's ID. The comment (the marker) is read before a database is dropped or swapped in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

# The pattern of a run's ID: the time and four characters.
RUN = r"\d{8}_\d{6}_[a-z0-9]{4}"


def named(database: str, what: str, run: str = "") -> str:
    """Return the name of a database beside ``database``, shortened so that it has no more than 63 bytes."""
    tail = f"_{what}_{run}" if run else f"_{what}"
    stem = database.encode()[: 63 - len(tail.encode())].decode(errors="ignore")
    return stem + tail


def beside(database: str, of: str, *kinds: str) -> bool:
    """Return True if a run gives the name ``database`` to a database of one of ``kinds`` beside the database ``of``."""
    return any(
        database == named(of, kind, found[1]) for kind in kinds if (found := re.search(f"_{kind}_({RUN})$", database))
    )


class _Name:
    """A name beside the live database or the test database; it contains the run's ID unless ``by_run`` is False."""

    def __init__(self, of: Literal["live", "test"], what: str, *, by_run: bool = True) -> None:
        self._of, self._what, self._by_run = of, what, by_run

    def __get__(self, names: DatabaseNames, _: object) -> str:
        return named(names.live if self._of == "live" else names.test, self._what, names.run if self._by_run else "")


class _Marker:
    """A comment that names the target and the run of a database."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __get__(self, names: DatabaseNames, _: object) -> str:
        return f"generalprobe {self._text.format(target=names.target)}, run {names.run}"


@dataclass(frozen=True)
class DatabaseNames:
    """The names and comments of the databases that one run makes.

    Args:
        target: the production target's name.
        run: the run's ID.
        live: production's database.
        test: the test database.
    """

    target: str
    run: str
    live: str
    test: str

    # The test database while it is being restored.
    spare = _Name("test", "spare")
    # The comment that identifies a clone.
    clone_marker = _Marker("clone of {target}")
    # The former test database, kept aside.
    test_replaced = _Name("test", "replaced")
    # A copy of the clone as it was before the migrations.
    before = _Name("test", "before", by_run=False)
    # The comment of ``before``.
    before_marker = _Marker("clone before")
    # The backup, restored beside the migrated clone to time a rollback.
    roundtrip = _Name("test", "roundtrip")
    # The comment of ``roundtrip``; a database with this comment is never migrated as a clone.
    roundtrip_marker = _Marker("clone round trip")
    # The migrated clone while the restored backup has its name.
    migrated = _Name("test", "migrated")
    # A backup that is restored on the test server to prove the backup.
    drill = _Name("test", "drill")
    # The comment of ``drill``; it never becomes the test database.
    drill_marker = _Marker("drill of {target}")
    # Production's backup, restored beside production.
    restored = _Name("live", "restored")
    # The comment of a production database that was restored from a backup.
    restored_marker = _Marker("restored {target}")
    # The former production database, kept aside.
    replaced = _Name("live", "replaced")
    # The restored database that was live until the rollback was undone; kept aside.
    undone = _Name("live", "undone")
    # The backup's schema, restored beside production to prove that the schema can be restored.
    trial = _Name("live", "tried")
    # The comment of ``trial``, which contains no rows and never becomes the live database.
    trial_marker = _Marker("trial restore of {target}")
    # The database of the rows that a rollback sets aside, until the rows are dumped.
    delta = _Name("live", "delta")
    # The comment of ``delta``.
    delta_marker = _Marker("delta of {target}")
    # The backup, restored beside production to take lost rows from it.
    salvage = _Name("live", "salvage")
    # The comment of ``salvage``; it never becomes the live database.
    salvage_marker = _Marker("salvage of {target}")

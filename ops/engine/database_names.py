"""The names and comments of the databases that a run makes beside production's and beside the test database.

A name carries the run's id, and the comment (the marker) is read before a database is dropped or swapped in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# A run's id: the moment and four letters; by hand the page's.
RUN = r"\d{8}_\d{6}_[a-z0-9]{4}"


def named(database: str, what: str, run: str = "") -> str:
    """A database's name beside another one; PostgreSQL cuts names at 63 bytes, so the stem gives way."""
    tail = f"_{what}_{run}" if run else f"_{what}"
    stem = database.encode()[: 63 - len(tail.encode())].decode(errors="ignore")
    return stem + tail


def beside(database: str, of: str, *kinds: str) -> bool:
    """Whether a database has the name that a run gives to one of these kinds beside another database."""
    return any(
        database == named(of, kind, found[1]) for kind in kinds if (found := re.search(f"_{kind}_({RUN})$", database))
    )


@dataclass(frozen=True)
class DatabaseNames:
    """What one run calls the databases that it makes.

    Args:
        target: the production target's name.
        run: the run's id.
        live: production's database.
        test: the test database.
    """

    target: str
    run: str
    live: str
    test: str

    @property
    def spare(self) -> str:
        """The test database while it is being restored."""
        return named(self.test, "spare", self.run)

    @property
    def clone_marker(self) -> str:
        """The comment inside the server that tells a clone from anything else."""
        return f"generalprobe clone of {self.target}, run {self.run}"

    @property
    def test_replaced(self) -> str:
        """The former test database, kept aside."""
        return named(self.test, "replaced", self.run)

    @property
    def before(self) -> str:
        """A copy of the clone as it was before the migrations."""
        return named(self.test, "before")

    @property
    def roundtrip(self) -> str:
        """The backup, restored beside the migrated clone to time a rollback."""
        return named(self.test, "roundtrip", self.run)

    @property
    def roundtrip_marker(self) -> str:
        """The comment of ``roundtrip``; it is never taken for a clone to migrate."""
        return f"generalprobe clone round trip, run {self.run}"

    @property
    def migrated(self) -> str:
        """The migrated clone, while the restored backup has its name."""
        return named(self.test, "migrated", self.run)

    @property
    def drill(self) -> str:
        """A backup, restored on the test server to see that it can be."""
        return named(self.test, "drill", self.run)

    @property
    def drill_marker(self) -> str:
        """The comment of ``drill``; it never becomes the test database."""
        return f"generalprobe drill of {self.target}, run {self.run}"

    @property
    def restored(self) -> str:
        """Production's backup, restored beside production."""
        return named(self.live, "restored", self.run)

    @property
    def restored_marker(self) -> str:
        """The comment of a production database that was restored from a backup."""
        return f"generalprobe restored {self.target}, run {self.run}"

    @property
    def replaced(self) -> str:
        """The former production database, kept aside."""
        return named(self.live, "replaced", self.run)

    @property
    def undone(self) -> str:
        """What was restored and live for a while, until that was undone; kept aside."""
        return named(self.live, "undone", self.run)

    @property
    def trial(self) -> str:
        """The backup's schema, restored beside production to see that it can be."""
        return named(self.live, "tried", self.run)

    @property
    def trial_marker(self) -> str:
        """The comment of ``trial``; it holds no rows, and never becomes the live database."""
        return f"generalprobe trial restore of {self.target}, run {self.run}"

    @property
    def delta(self) -> str:
        """The rows that a rollback sets aside, in a database of their own until they are dumped."""
        return named(self.live, "delta", self.run)

    @property
    def delta_marker(self) -> str:
        """The comment of ``delta``."""
        return f"generalprobe delta of {self.target}, run {self.run}"

    @property
    def salvage(self) -> str:
        """The backup, restored beside production to take lost rows from it."""
        return named(self.live, "salvage", self.run)

    @property
    def salvage_marker(self) -> str:
        """The comment of ``salvage``; it never becomes the live database."""
        return f"generalprobe salvage of {self.target}, run {self.run}"

"""The frozen inputs of a run: all that its commands are made of.

Probes look first (versions, names, pending migrations, identities); what they find joins the operator's choice here;
from then on nothing branches. Inputs hold no secret and go into the journal's header as they are, so a resume makes the
very same plan again.
"""

from __future__ import annotations

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, field_validator

from ops.command import Host, placeholder

# A run's id: the moment and four letters; by hand the page's.
RUN = r"\d{8}_\d{6}_[a-z0-9]{4}"
# Behind a test target's name: the database beside it on which a release is rehearsed. No target has an @ in its name.
REHEARSAL = "@rehearsal"
# Behind a production target's name: the server on which one of pgBackRest's backups is restored aside.
ASIDE = "@aside"
# The ends of ids: of a backup that pgBackRest has, and of the dump that was made of it.
PHYSICAL, UNPACKED = "_pgbackrest", "_unpacked"


class AppInputs(BaseModel):
    """How the application's ``manage.py`` is called. ``folder`` is relative to the inventory's folder."""

    model_config = ConfigDict(frozen=True)

    folder: str
    manage: tuple[str, ...]
    database_env: str
    env: tuple[tuple[str, str], ...] = ()


class HealthInputs(BaseModel):
    """How the application's health is asked for again and again: a web address, or words of a command; seconds."""

    model_config = ConfigDict(frozen=True)

    url: str = ""
    command: tuple[str, ...] = ()
    status: int = 200
    timeout: float = 60
    every: float = 2


class DefangInputs(BaseModel):
    """What becomes of the clone before anybody reaches it: a digest of the inventory's key and of its SQL files.

    ``digest`` is empty on a page, where the inventory as it is then is meant; ``files`` are those with their sha256.
    """

    model_config = ConfigDict(frozen=True)

    digest: str = ""
    files: tuple[tuple[str, str], ...] = ()


class PhysicalInputs(BaseModel):
    """A stanza of pgBackRest: what is made (``full``, ``diff``, ``incr``), where it is restored aside, with which
    server's programs, and the words that make a command run as the database's user of the operating system."""

    model_config = ConfigDict(frozen=True)

    stanza: str
    config: str = ""
    kind: str = "incr"
    folder: str
    user: str
    as_user: tuple[str, ...] = ()
    bin: str = ""


class SalvageInputs(BaseModel):
    """What a salvage brings back: pairs of the backup's table and the live one.

    ``tables`` were named, rows of ``related`` may come along, links of ``linked`` may come back; ``values`` are
    ``column=value`` for columns that the backup does not have; ``notes`` say what was found, for the operator;
    ``whole`` restores the rows of all tables, where those that are needed are not known (on a page).
    """

    model_config = ConfigDict(frozen=True)

    tables: tuple[tuple[str, str], ...]
    related: tuple[tuple[str, str], ...] = ()
    linked: tuple[tuple[str, str], ...] = ()
    new_keys: bool = False
    values: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    whole: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """Every table of the backup that is looked at; none where all are."""
        if self.whole:
            return ()
        return tuple(source for source, _ in (*self.tables, *self.related, *self.linked))


class Inputs(BaseModel):
    """What one run is about.

    ``target`` and ``test`` are names of the inventory, ``database`` and ``test_database`` names on their servers,
    ``store`` a folder, ``backup`` the id of the backup that is taken or restored, ``like`` the database on the target
    server whose encoding and locale a new one gets, ``draft`` asks for a draft of declarations. ``health`` is a command
    that is tried once, ``asked_health`` one that is retried. ``chosen`` says of the backup what a person has to know;
    ``kept`` is the kept database that a run is about, ``kept_oid`` its number on the server; ``failed_run`` the release
    that is taken back by itself. ``frozen``: production is frozen before a rollback, or is to be for a promotion;
    ``freezes``: this rollback freezes it; ``export``: it keeps what differs as a backup of its own. Times are in
    seconds, ``keep_replaced`` in days. ``ssh`` are the words that reach the target's host; empty where it is this one.
    ``railway`` is ``project/environment/service`` by IDs, ``railway_deploy`` how the application is deployed there,
    ``railway_backups`` asks for Railway's own backups, too. ``remote`` is the remote store of which ``store`` is the
    working copy; empty where the store is a folder. New dumps are encrypted to ``recipients``; ``sealed``: the backup
    that is restored is encrypted, and ``identity`` (``env:NAME``, ``file:PATH``) opens it. ``apart``: production is not
    asked for anything. A new dump leaves out the rows of the tables of ``exclude`` (patterns), and is written at no
    more than ``rate`` bytes a second; 0 where nothing holds it back. ``physical`` is pgBackRest's stanza, where
    the run is about one of its backups. ``dump_over`` are the words that reach a shell beside
    the database, where pg_dump runs; empty where it runs here. ``dump_port`` is the server's port as that shell's
    machine knows it; empty in its container. ``volume_backup`` is the ID of Railway's own backup that is restored,
    ``railway_database`` the place of the database's service; ``no_safety``: no last dump is made before.
    """

    model_config = ConfigDict(frozen=True)

    run: str
    target: str
    database: str
    system: str = ""
    server: str = ""
    store: str
    remote: str = ""
    recipients: tuple[str, ...] = ()
    sealed: bool = False
    identity: str = ""
    apart: bool = False
    backup: str
    test: str = ""
    test_database: str = ""
    test_system: str = ""
    test_exists: bool = True
    test_like: str = "postgres"
    tidy: tuple[str, ...] = ()
    app: AppInputs | None = None
    checks: tuple[tuple[str, ...], ...] = ()
    deploy: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    asked_health: HealthInputs | None = None
    chosen: str = ""
    kept: str = ""
    kept_oid: str = ""
    keep_replaced: float = 7
    auto_rollback: bool = False
    failed_run: str = ""
    frozen: bool = False
    freezes: bool = False
    export: bool = False
    pending: tuple[str, ...] = ()
    migrations: str = ""
    commit: str = ""
    release: str = ""
    certificate: str = ""
    draft: bool = False
    salvage: SalvageInputs | None = None
    defang: DefangInputs | None = None
    certificate_hours: float = 24
    lock_timeout: float = 5
    retries: int = 5
    jobs: int = 2
    compress: str = "1"
    exclude: tuple[str, ...] = ()
    rate: int = 0
    tools: str = ""
    ssh: tuple[str, ...] = ()
    railway: str = ""
    railway_deploy: str = ""
    railway_backups: bool = False
    physical: PhysicalInputs | None = None
    dump_over: tuple[str, ...] = ()
    dump_port: str = ""
    volume_backup: str = ""
    railway_database: str = ""
    no_safety: bool = False

    @field_validator("run", "backup", "certificate")
    @classmethod
    def _is_id(cls, value: str) -> str:
        """They become names of files: a journal that was edited must not lead out of the store."""
        if not re.fullmatch(r"[\w\ue000\ue001.-]*", value, re.ASCII) or ".." in value:
            raise ValueError("not an id")
        return value

    def whole(self, backup: str) -> Self:
        """The inputs of a backup that is taken to lose nothing: no table stays out, and nobody waits for it longer than
        need be. It goes into a remote store last, when nobody waits for it any more.

        Args:
            backup: its id.
        """
        return self.model_copy(update={"backup": backup, "remote": "", "exclude": (), "rate": 0})

    @property
    def rehearses(self) -> bool:
        """Whether the release is rehearsed beside the test database, since that is only for defanged clones."""
        return self.test.endswith(REHEARSAL)

    @property
    def deploys(self) -> bool:
        """Whether the application is deployed by us."""
        return bool(self.deploy or self.railway_deploy)

    @property
    def host(self) -> Host | None:
        """The machine behind SSH on which the application is; None where it is this one."""
        return Host(self.target, self.ssh) if self.ssh else None

    @property
    def folder(self) -> str:
        """Where everything of this target is kept."""
        return f"{self.store}/{self.target}"

    @property
    def backup_folder(self) -> str:
        """The finished backup."""
        return f"{self.folder}/backups/{self.backup}"

    @property
    def partial(self) -> str:
        """The backup while it is being written; without a manifest, and never taken for a backup."""
        return f"{self.backup_folder}.partial"

    @property
    def run_folder(self) -> str:
        """Journal, logs and reports of this run."""
        return f"{self.folder}/runs/{self.run}"

    @property
    def fingerprint(self) -> str:
        """The fingerprint that was taken with the backup."""
        return f"{self.backup_folder}/fingerprint.jsonl"

    @property
    def on_aside(self) -> str:
        """The server on which pgBackRest's backup is restored."""
        return f"{self.target}{ASIDE}"

    @property
    def unpacked(self) -> str:
        """The dump that is made of pgBackRest's backup; it sorts where that one does."""
        if self.backup == placeholder("BACKUP"):
            return placeholder("UNPACKED")
        return self.backup.removesuffix(PHYSICAL) + UNPACKED

    @property
    def spare(self) -> str:
        """The test database while it is being restored."""
        return named(self.test_database, "spare", self.run)

    @property
    def test_replaced(self) -> str:
        """The former test database, kept aside."""
        return named(self.test_database, "replaced", self.run)

    @property
    def before(self) -> str:
        """A copy of the clone as it was before the migrations."""
        return named(self.test_database, "before")

    @property
    def roundtrip(self) -> str:
        """The backup, restored beside the migrated clone to measure the way back."""
        return named(self.test_database, "roundtrip", self.run)

    @property
    def migrated(self) -> str:
        """The migrated clone, while the restored backup has its name."""
        return named(self.test_database, "migrated", self.run)

    @property
    def roundtrip_marker(self) -> str:
        """The comment of the backup restored beside the migrated clone; it is never taken for a clone to migrate."""
        return f"generalprobe clone round trip, run {self.run}"

    @property
    def restored(self) -> str:
        """Production's backup, restored beside production."""
        return named(self.database, "restored", self.run)

    @property
    def replaced(self) -> str:
        """The former production database, kept aside."""
        return named(self.database, "replaced", self.run)

    @property
    def undone(self) -> str:
        """What was restored and live for a while, until that was undone; kept aside."""
        return named(self.database, "undone", self.run)

    @property
    def delta(self) -> str:
        """The rows that a rollback sets aside, in a database of their own until they are dumped."""
        return named(self.database, "delta", self.run)

    @property
    def delta_marker(self) -> str:
        """Its comment."""
        return f"generalprobe delta of {self.target}, run {self.run}"

    @property
    def drilled(self) -> str:
        """A backup, restored on the test server to see that it can be."""
        return named(self.test_database, "drill", self.run)

    @property
    def drill_marker(self) -> str:
        """Its comment; it never becomes the test database."""
        return f"generalprobe drill of {self.target}, run {self.run}"

    @property
    def aside(self) -> str:
        """The backup, restored beside production to take lost rows from it."""
        return named(self.database, "salvage", self.run)

    @property
    def aside_marker(self) -> str:
        """The comment of what was restored for a salvage; it never becomes the live database."""
        return f"generalprobe salvage of {self.target}, run {self.run}"

    @property
    def clone_marker(self) -> str:
        """The comment inside the server that tells a clone from anything else."""
        return f"generalprobe clone of {self.target}, run {self.run}"

    @property
    def restored_marker(self) -> str:
        """The comment of a production database that was restored from a backup."""
        return f"generalprobe restored {self.target}, run {self.run}"


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

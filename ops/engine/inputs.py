"""The frozen inputs of a run, from which all its commands are made.

Planning queries versions, names, pending migrations and identities, and combines the results with the operator's
choice. From then on nothing branches. Inputs contain no secret. The journal's header contains the inputs, so a resume
makes the same plan.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

from ops.engine.command import Host, placeholder
from ops.engine.database_names import DatabaseNames

# Suffix of a test target's name: the database beside it on which a release is rehearsed. No target's name contains @.
REHEARSAL = "@rehearsal"
# Suffix of a production target's name: the scratch server on which a pgBackRest backup is restored.
ASIDE = "@aside"
# Suffix of a production target's name: its streaming replica.
STANDBY = "@standby"
# Suffixes of backup IDs: of a pgBackRest backup, and of the dump that was made of the pgBackRest backup.
PHYSICAL, UNPACKED = "_pgbackrest", "_unpacked"
# File in a run's folder: the state of production when the run had frozen it.
FREEZE_NOTE = "frozen.json"


def _check_id(value: str) -> str:
    """Refuse an ID that is no plain file name: an edited journal must not reach a file outside the store."""
    if not re.fullmatch(r"[\w\ue000\ue001.-]*", value, re.ASCII) or ".." in value:
        raise ValueError("not an id")
    return value


Id = Annotated[str, AfterValidator(_check_id)]
Words = tuple[str, ...]


class Part(BaseModel):
    """Base of the inputs: frozen; an unknown field is an error, so that a run of another version is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class AppInputs(Part):
    """How the application's ``manage.py`` is called.

    ``folder`` is relative to the inventory's folder. ``rehearsal_env`` replaces variables of ``env`` when ``manage.py``
    works on a database other than production's.
    """

    folder: str
    manage: Words
    database_env: str
    env: tuple[tuple[str, str], ...] = ()
    rehearsal_env: tuple[tuple[str, str], ...] = ()


class HealthInputs(Part):
    """How the application's health is checked: a URL, or the words of a command.

    ``timeout`` and ``every`` are in seconds. A command with timeout 0 is tried once.
    """

    url: str = ""
    command: Words = ()
    status: int = 200
    timeout: float = 60
    every: float = 2


class DefangInputs(Part):
    """How the clone is defanged: the digest of the inventory's ``defang`` and of its SQL files.

    ``digest`` is empty on a page: the current inventory applies. ``files`` are the SQL files with their sha256.
    """

    digest: str = ""
    files: tuple[tuple[str, str], ...] = ()


class PgBackRestInputs(Part):
    """A stanza of pgBackRest.

    ``kind`` is the type of a new backup (``full``, ``diff``, ``incr``), ``folder`` the folder of a scratch restore,
    ``bin`` the folder of the server's programs. ``user`` is the database's operating-system user, and ``as_user``
    are the words that run a command as that user.
    """

    stanza: str
    config: str = ""
    kind: str = "incr"
    folder: str
    user: str
    as_user: Words = ()
    bin: str = ""


class SalvageInputs(Part):
    """What a salvage restores: pairs of a table of the backup and the live table.

    ``tables`` were named by the operator. Rows of ``related`` and links of ``linked`` may be restored, too. ``values``
    are ``column=value`` for columns that the backup lacks. ``notes`` are for the operator. ``whole`` restores the rows
    of all tables if the required tables are unknown (on a page).
    """

    tables: tuple[tuple[str, str], ...]
    related: tuple[tuple[str, str], ...] = ()
    linked: tuple[tuple[str, str], ...] = ()
    new_keys: bool = False
    values: Words = ()
    notes: Words = ()
    whole: bool = False

    @property
    def sources(self) -> Words:
        """The tables of the backup that are restored; empty if all are."""
        if self.whole:
            return ()
        return tuple(source for source, _ in (*self.tables, *self.related, *self.linked))


class EncryptionInputs(Part):
    """How dumps are encrypted.

    New dumps are encrypted to ``recipients``. ``sealed``: the backup to restore is encrypted, and ``identity``
    (``env:NAME``, ``file:PATH``) decrypts it.
    """

    recipients: Words = ()
    sealed: bool = False
    identity: str = ""


class DumpInputs(Part):
    """How a new dump is made.

    The dump omits the rows of the tables that match ``exclude`` (patterns). ``rate`` is the limit in bytes per second;
    0 means no limit. ``over`` are the words that reach a shell on the database's machine, where pg_dump runs; empty if
    pg_dump runs on this machine. ``port`` is the server's port on the database's machine; empty in its container.
    ``base`` is the backup from which the rows of unchanged tables are taken; empty if all rows are dumped.
    ``standby``: dump production's streaming replica, which may be ``max_lag`` seconds behind production.
    ``standby_port`` is for the replica what ``port`` is for production.
    """

    compress: str = "1"
    exclude: Words = ()
    rate: int = 0
    over: Words = ()
    port: str = ""
    base: Id = ""
    standby: bool = False
    standby_port: str = ""
    max_lag: float = 300


class LockInputs(Part):
    """``timeout`` is the lock timeout of a statement in seconds, ``retries`` the number of retries of a step."""

    timeout: float = 5
    retries: int = 5


class TestServerInputs(Part):
    """The test database: its name and its server's system identifier.

    ``exists``: the database exists. ``like`` is the database on the same server from which a new database takes
    encoding and locale. ``tidy`` are the databases that earlier clones have left.
    """

    __test__ = False  # pytest would collect the class because of its name.

    database: str = ""
    system: str = ""
    exists: bool = True
    like: str = "postgres"
    tidy: Words = ()


class DeployInputs(Part):
    """How the application is deployed: the words of a command, or Railway's command (``up``, ``redeploy``).

    ``commit`` is the commit that is deployed.
    """

    command: Words = ()
    railway: str = ""
    commit: str = ""


class ReleaseInputs(Part):
    """What is rehearsed and promoted: the ``pending`` migrations, the application's ``checks``, the ``certificate``.

    ``draft``: write a draft of declarations. ``concurrent``: a migration builds indexes concurrently. ``opaque``: the
    effect of a migration on rows cannot be predicted. ``draws``: a migration may generate random values.
    ``auto_rollback``: roll back a failed promotion automatically. ``clones``: the run itself restores the clone.
    """

    pending: Words = ()
    checks: tuple[Words, ...] = ()
    certificate: Id = ""
    draft: bool = False
    concurrent: bool = False
    opaque: bool = False
    draws: bool = False
    auto_rollback: bool = False
    clones: bool = False


class RollbackInputs(Part):
    """How a rollback is made.

    ``failed_run`` is the failed release that is rolled back automatically. ``export``: save the differing rows as a
    separate backup. ``large``: gather statistics in two stages.
    """

    failed_run: Id = ""
    export: bool = False
    large: bool = False


class KeptInputs(Part):
    """The kept database of a run, and its OID."""

    name: str = ""
    oid: str = ""


class BesideInputs(Part):
    """How a database is made on production's server.

    ``template`` is the template of a new database, unless it is the empty one. ``trial``: try to restore a backup's
    schema there.
    """

    template: str = ""
    trial: bool = False


class RailwayInputs(Part):
    """The Railway services of the application (``app``) and the ``database``: ``project/environment/service`` as IDs.

    ``backups``: also make a Railway backup of the volume. ``volume_backup`` is the ID of the volume backup that is
    restored in place. ``no_safety``: make no safety backup before.
    """

    app: str = ""
    database: str = ""
    backups: bool = False
    volume_backup: str = ""
    no_safety: bool = False


class RunInputs(Part):
    """The inputs of one run: those that every run has, and one part per concern, which is empty if it does not apply.

    ``target`` and ``test`` are names of the inventory. ``database`` is the database's name on the target's server,
    ``system`` the server's system identifier, ``server`` the server's version. ``store`` is a folder; ``remote`` is the
    remote store of which ``store`` is the working copy, empty if the store is a folder. ``backup`` is the ID of the
    backup that is made or restored, and ``chosen`` describes that backup for the operator. ``tools`` is the version of
    psql, pg_dump and pg_restore on this machine. ``jobs`` is the number of tables that are dumped or restored in
    parallel. ``ssh`` are the words that reach the target's host; empty if the host is this machine. ``apart``:
    production is not queried. ``frozen``: production was frozen before the run was planned. ``freezes``: the run
    freezes production.
    """

    run: Id
    target: str
    database: str
    system: str = ""
    server: str = ""
    store: str
    remote: str = ""
    backup: Id
    chosen: str = ""
    test: str = ""
    tools: str = ""
    jobs: int = 2
    ssh: Words = ()
    apart: bool = False
    frozen: bool = False
    freezes: bool = False
    encryption: EncryptionInputs = EncryptionInputs()
    dump: DumpInputs = DumpInputs()
    locks: LockInputs = LockInputs()
    test_server: TestServerInputs = TestServerInputs()
    app: AppInputs | None = None
    deploy: DeployInputs = DeployInputs()
    health: HealthInputs | None = None
    release: ReleaseInputs = ReleaseInputs()
    rollback: RollbackInputs = RollbackInputs()
    kept: KeptInputs = KeptInputs()
    beside: BesideInputs = BesideInputs()
    railway: RailwayInputs = RailwayInputs()
    pgbackrest: PgBackRestInputs | None = None
    salvage: SalvageInputs | None = None
    defang: DefangInputs | None = None

    def replace(self, **fields: Any) -> Self:
        """Return a copy with other values; a dict changes single fields of a part."""
        made = {
            name: getattr(self, name).model_copy(update=value) if isinstance(value, dict) else value
            for name, value in fields.items()
        }
        return self.model_copy(update=made)

    def whole(self, backup: str) -> Self:
        """Return the inputs of a complete backup of production itself, without exclusions and rate limit.

        Users wait for such a backup, so its upload to a remote store is a later step.

        Args:
            backup: the backup's ID.
        """
        return self.replace(backup=backup, remote="", dump={"exclude": (), "rate": 0, "standby": False})

    @property
    def names(self) -> DatabaseNames:
        """The names of the databases that this run makes."""
        return DatabaseNames(self.target, self.run, self.database, self.test_server.database)

    @property
    def read_only(self) -> bool:
        """True if production refuses writes until the end of the run, frozen by this run or before it."""
        return self.frozen or self.freezes

    @property
    def rehearses(self) -> bool:
        """True if the release is rehearsed beside the test database, because the test database is defanged."""
        return self.test.endswith(REHEARSAL)

    @property
    def deploys(self) -> bool:
        """True if the run deploys the application."""
        return bool(self.deploy.command or self.deploy.railway)

    @property
    def host(self) -> Host | None:
        """The application's machine behind SSH; None if it is this machine."""
        return Host(self.target, self.ssh) if self.ssh else None

    @property
    def folder(self) -> str:
        """The target's folder in the store."""
        return f"{self.store}/{self.target}"

    @property
    def backup_folder(self) -> str:
        """The folder of the finished backup."""
        return f"{self.folder}/backups/{self.backup}"

    @property
    def partial(self) -> str:
        """The folder of the backup until it is finished; it has no manifest, so it does not count as a backup."""
        return f"{self.backup_folder}.partial"

    @property
    def run_folder(self) -> str:
        """The folder of this run's journal, logs and reports."""
        return f"{self.folder}/runs/{self.run}"

    @property
    def freeze_note(self) -> str:
        """The file with the state of production when this run had frozen it."""
        return f"{self.run_folder}/{FREEZE_NOTE}"

    @property
    def fingerprint(self) -> str:
        """The file with the backup's fingerprint."""
        return f"{self.backup_folder}/fingerprint.jsonl"

    @property
    def on_aside(self) -> str:
        """The target name of the scratch server on which the pgBackRest backup is restored."""
        return f"{self.target}{ASIDE}"

    @property
    def dumped(self) -> str:
        """The target name of the server that is dumped: production, or its standby."""
        return f"{self.target}{STANDBY}" if self.dump.standby else self.target

    @property
    def unpacked(self) -> str:
        """The ID of the dump that is made of the pgBackRest backup; both IDs sort alike."""
        if self.backup == placeholder("BACKUP"):
            return placeholder("UNPACKED")
        return self.backup.removesuffix(PHYSICAL) + UNPACKED

"""The frozen inputs of a run: all that its commands are made of.

Probes look first (versions, names, pending migrations, identities); what they find joins the operator's choice here;
from then on nothing branches. Inputs hold no secret and go into the journal's header as they are, so a resume makes the
very same plan again.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

from ops.engine.command import Host, placeholder
from ops.engine.database_names import DatabaseNames

# Behind a test target's name: the database beside it on which a release is rehearsed. No target has an @ in its name.
REHEARSAL = "@rehearsal"
# Behind a production target's name: the server on which one of pgBackRest's backups is restored aside.
ASIDE = "@aside"
# The ends of ids: of a backup that pgBackRest has, and of the dump that was made of it.
PHYSICAL, UNPACKED = "_pgbackrest", "_unpacked"
# In a run's folder: what production was when the run had frozen it.
FREEZE_NOTE = "frozen.json"


def _check_id(value: str) -> str:
    """Ids become names of files: a journal that was edited must not lead out of the store."""
    if not re.fullmatch(r"[\w\ue000\ue001.-]*", value, re.ASCII) or ".." in value:
        raise ValueError("not an id")
    return value


Id = Annotated[str, AfterValidator(_check_id)]
Words = tuple[str, ...]


class Part(BaseModel):
    """Base of the inputs: frozen, and no field that this version does not know, so that an older run is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AppInputs(Part):
    """How the application's ``manage.py`` is called. ``folder`` is relative to the inventory's folder;
    ``rehearsal_env`` is what differs in its environment where it does not work on production."""

    folder: str
    manage: Words
    database_env: str
    env: tuple[tuple[str, str], ...] = ()
    rehearsal_env: tuple[tuple[str, str], ...] = ()


class HealthInputs(Part):
    """How the application's health is asked for: a web address, or words of a command. ``timeout`` and ``every`` are in
    seconds; a command with timeout 0 is tried once."""

    url: str = ""
    command: Words = ()
    status: int = 200
    timeout: float = 60
    every: float = 2


class DefangInputs(Part):
    """What becomes of the clone before anybody reaches it: a digest of the inventory's key and of its SQL files.

    ``digest`` is empty on a page, where the inventory as it is then is meant; ``files`` are those with their sha256.
    """

    digest: str = ""
    files: tuple[tuple[str, str], ...] = ()


class PgBackRestInputs(Part):
    """A stanza of pgBackRest: what is made (``full``, ``diff``, ``incr``), where it is restored aside, with which
    server's programs, and the words that make a command run as the database's user of the operating system."""

    stanza: str
    config: str = ""
    kind: str = "incr"
    folder: str
    user: str
    as_user: Words = ()
    bin: str = ""


class SalvageInputs(Part):
    """What a salvage brings back: pairs of the backup's table and the live one.

    ``tables`` were named, rows of ``related`` may come along, links of ``linked`` may come back; ``values`` are
    ``column=value`` for columns that the backup does not have; ``notes`` say what was found, for the operator;
    ``whole`` restores the rows of all tables, where those that are needed are not known (on a page).
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
        """Every table of the backup that is looked at; none where all are."""
        if self.whole:
            return ()
        return tuple(source for source, _ in (*self.tables, *self.related, *self.linked))


class EncryptionInputs(Part):
    """New dumps are encrypted to ``recipients``. ``sealed``: the backup that is restored is encrypted, and ``identity``
    (``env:NAME``, ``file:PATH``) opens it."""

    recipients: Words = ()
    sealed: bool = False
    identity: str = ""


class DumpInputs(Part):
    """How a new dump is made: it leaves out the rows of the tables of ``exclude`` (patterns), and is written at no more
    than ``rate`` bytes a second; 0 where nothing holds it back. ``over`` are the words that reach a shell beside the
    database, where pg_dump runs; empty where it runs here. ``port`` is the server's port as that shell's machine knows
    it; empty in its container."""

    compress: str = "1"
    exclude: Words = ()
    rate: int = 0
    over: Words = ()
    port: str = ""


class LockInputs(Part):
    """How long a statement waits for a lock, in seconds, and how often a step is tried again after that."""

    timeout: float = 5
    retries: int = 5


class TestServerInputs(Part):
    """The test database: its name, its server's identifier, whether it ``exists``, the database there whose encoding
    and locale a new one gets (``like``), and what is left of earlier clones (``tidy``)."""

    __test__ = False  # No test case, whatever pytest makes of the name.

    database: str = ""
    system: str = ""
    exists: bool = True
    like: str = "postgres"
    tidy: Words = ()


class DeployInputs(Part):
    """How the application is deployed: the words of a command, or what Railway is told (``up``, ``redeploy``); and the
    ``commit`` that is deployed."""

    command: Words = ()
    railway: str = ""
    commit: str = ""


class ReleaseInputs(Part):
    """What is rehearsed and promoted: the migrations that are ``pending``, the application's own ``checks``, the
    ``certificate``. ``draft`` asks for a draft of declarations, ``concurrent``: indexes are built concurrently;
    ``opaque``: of some, what they do to rows can't be told; ``draws``: their code may draw values; ``auto_rollback``: a
    promotion that fails is taken back by itself; ``clones``: the run itself restored the clone."""

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
    """``failed_run`` is the release that is taken back by itself; ``export`` keeps what differs as a backup of its own;
    ``large``: statistics are gathered in two stages."""

    failed_run: Id = ""
    export: bool = False
    large: bool = False


class KeptInputs(Part):
    """The kept database that a run is about, and its number on the server."""

    name: str = ""
    oid: str = ""


class BesideInputs(Part):
    """What is made beside production: the ``template`` of a new database, where it is not the empty one; ``trial``: the
    restore of a backup's schema is tried there."""

    template: str = ""
    trial: bool = False


class RailwayInputs(Part):
    """Where the application (``app``) and the ``database`` are on Railway: ``project/environment/service`` by IDs.

    ``backups`` asks for Railway's own backups, too. ``volume_backup`` is the ID of the one that is restored in place;
    ``no_safety``: no last dump is made before.
    """

    app: str = ""
    database: str = ""
    backups: bool = False
    volume_backup: str = ""
    no_safety: bool = False


class RunInputs(Part):
    """What one run is about: what every run has, and one part per concern, empty where the run has none of it.

    ``target`` and ``test`` are names of the inventory, ``database`` a name on the target's server, ``system`` that
    server's identifier and ``server`` its version, ``store`` a folder, ``remote`` the remote store of which ``store``
    is the working copy; empty where the store is a folder. ``backup`` is the id of the backup that is taken or
    restored, and ``chosen`` says of it what a person has to know. ``tools`` is the version of psql, pg_dump and
    pg_restore here, ``jobs`` how many tables at once are dumped and restored. ``ssh`` are the words that reach the
    target's host; empty where it is this one. ``apart``: production is not asked for anything. ``frozen``: production
    was frozen already when the run was planned; ``freezes``: this run freezes it.
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
        """Copy the inputs with other values; a dict changes single fields of a part."""
        made = {
            name: getattr(self, name).model_copy(update=value) if isinstance(value, dict) else value
            for name, value in fields.items()
        }
        return self.model_copy(update=made)

    def whole(self, backup: str) -> Self:
        """The inputs of a backup that is taken to lose nothing: no table stays out, and nobody waits for it longer than
        need be. It goes into a remote store last, when nobody waits for it any more.

        Args:
            backup: its id.
        """
        return self.replace(backup=backup, remote="", dump={"exclude": (), "rate": 0})

    @property
    def names(self) -> DatabaseNames:
        """What this run calls the databases that it makes."""
        return DatabaseNames(self.target, self.run, self.database, self.test_server.database)

    @property
    def read_only(self) -> bool:
        """Whether production refuses writes until the end of the run: since before, or since the run froze it."""
        return self.frozen or self.freezes

    @property
    def rehearses(self) -> bool:
        """Whether the release is rehearsed beside the test database, since that is only for defanged clones."""
        return self.test.endswith(REHEARSAL)

    @property
    def deploys(self) -> bool:
        """Whether the application is deployed by us."""
        return bool(self.deploy.command or self.deploy.railway)

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
    def freeze_note(self) -> str:
        """What production was when this run had frozen it."""
        return f"{self.run_folder}/{FREEZE_NOTE}"

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

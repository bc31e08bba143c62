"""The inventory: Ansible's YAML format as typed, frozen targets.

A host of the inventory is a target. The groups ``production`` and ``test`` give the target its kind. As in Ansible, a
variable of a nearer group replaces the variable of a farther group. Every error names file and line and what to write
instead, and never quotes a value that could be a secret. The commented ``inventory.yaml`` beside ``tasks.py`` shows
every key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError, ValidationInfo, field_validator, model_validator

from ops.core.errors import InventoryError
from ops.core.yaml_lines import nearest, shown, wording
from ops.inventory.defang import Defang, DefangKey
from ops.inventory.dump import AT_STANDBY, Dump, DumpKey
from ops.inventory.fields import (
    ENCRYPT,
    ENV_NAME,
    Account,
    Amount,
    Count,
    Encrypt,
    EnvName,
    Fresh,
    Frozen,
    Health,
    HealthCheck,
    Keep,
    Port,
    Text,
    Word,
    Words,
    bad,
)
from ops.inventory.pgbackrest import PGBACKREST, PgBackRest
from ops.inventory.schedule import Schedule
from ops.inventory.store_kinds import store_folder, store_name
from ops.inventory.tree import Kind
from ops.inventory.window import Window


class Reference(Frozen):
    """The location of a connection string; never the string itself. ``str`` returns ``kind:value``."""

    kind: Literal["env", "file", "railway", "embedded"]
    value: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse ``env:NAME``, ``file:PATH``, ``railway:SERVICE/VARIABLE`` or ``embedded:NAME``.

        Raises:
            InventoryError: the text is not a reference; the message does not quote the text.
        """
        try:
            return cls.model_validate(text)
        except ValidationError as error:
            raise InventoryError(*wording(error.errors(include_input=False)[0])) from None

    @model_validator(mode="before")
    @classmethod
    def _split(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.keys() == {"kind", "value"}:
            given = f"{given['kind']}:{given['value']}"
        return _reference(str(given) if isinstance(given, Reference) else given)

    def __str__(self) -> str:
        """Return the text that ``parse`` accepts."""
        return f"{self.kind}:{self.value}"


REFERENCES: Mapping[str, tuple[str, str]] = {
    "env": (ENV_NAME, "env:DATABASE_URL"),
    "file": (r"(?!.*://)\S(?:.*\S)?", "file:secrets/database-url"),
    "railway": (rf"[A-Za-z0-9][A-Za-z0-9 ._-]*/{ENV_NAME}", "railway:Postgres/DATABASE_PUBLIC_URL"),
    "embedded": (r"[a-z][a-z0-9_]{0,39}", "embedded:lessons"),
}


def _reference(given: object) -> dict[str, str]:
    kind, _, value = given.partition(":") if isinstance(given, str) else ("", "", "")
    if kind in REFERENCES:
        pattern, example = REFERENCES[kind]
        if re.fullmatch(pattern, value) and value.isprintable():
            return {"kind": kind, "value": value}
        raise bad(f"is not a well-formed {kind}: reference", f"database: {example}")
    if isinstance(given, str) and re.search(r"://|=|@", given):
        raise bad("a password does not belong in the inventory", "database: env:DATABASE_URL")
    raise bad("should be env:NAME, file:PATH, railway:SERVICE/VARIABLE or embedded:NAME", "database: env:DATABASE_URL")


class App(Frozen):
    """The Django application: its folder, its `manage.py`, and its environment variables."""

    dir: Word
    """The folder of the application, relative to the inventory; with `ansible_host`, the folder on that host."""
    manage: Words = ("python", "manage.py")
    """The command that starts `manage.py`, in that folder."""
    database_env: EnvName = "DATABASE_URL"
    """The environment variable from which the settings take the database's address."""
    env: Mapping[EnvName, Text] = {}
    """Further environment variables for `manage`. No passwords."""
    rehearsal_env: Mapping[EnvName, Text] = {}
    """Environment variables that have other values in a rehearsal. No passwords."""


class Connection(Frozen):
    """The connection to the target's host, in Ansible's variables."""

    host: Annotated[Account | None, Field(validation_alias="ansible_host", examples=["shop.example.com"])] = None
    """The host that is reached by SSH: an address, or a name of `~/.ssh/config`."""
    user: Annotated[Account | None, Field(validation_alias="ansible_user", examples=["deploy"])] = None
    """The user that logs in on the host."""
    port: Annotated[Port | None, Field(validation_alias="ansible_port", examples=["22"])] = None
    """The port of the host's SSH server."""
    private_key_file: Annotated[
        Word | None, Field(validation_alias="ansible_ssh_private_key_file", examples=["~/.ssh/id_ed25519"])
    ] = None
    """The private key for the login."""
    kind: Literal["local", "ssh"] = Field(
        default_factory=lambda data: "ssh" if data.get("host") else "local",
        validation_alias="ansible_connection",
        examples=["ssh"],
    )
    """Where commands run: on this machine (`local`) or on the host (`ssh`). `ssh` if `ansible_host` is given."""


class Railway(Frozen):
    """The location of a target on Railway."""

    project: Word
    """The project, by name or ID."""
    environment: Word
    """The environment, by name or ID."""
    service: Word | None = None
    """The application's service, by name or ID."""
    deploy: Literal["up", "redeploy"] | None = None
    """How a release is deployed: upload `app.dir` (`up`), or redeploy the service's newest source (`redeploy`)."""
    backups: Annotated[bool, Field(strict=True)] = False
    """Let Railway back up the volume after each backup of Generalprobe."""
    schedule: tuple[Literal["daily", "weekly", "monthly"], ...] | None = None
    """Railway's automatic backups. If omitted: unchanged."""

    @model_validator(mode="after")
    def _deploys_a_service(self) -> Railway:
        if self.deploy and not self.service:
            raise bad("has `deploy` without the service that is deployed", "service: web")
        return self


class Target(Frozen):
    """A deployment: an application, its database, and the host that reaches it. ``line`` is its line in the file."""

    name: str
    kind: Kind
    line: int = 0
    connection: Connection = Connection()
    store: Annotated[Word, AfterValidator(store_name), Field(examples=["s3://bucket/prefix"])] = "backups"
    """Where backups and runs are stored: a folder beside the inventory, or a remote store."""
    database: Annotated[Reference, Field(examples=["env:DATABASE_URL"])]
    """The location of the database's address: `env:NAME`, `file:PATH`, `railway:SERVICE/VARIABLE` or `embedded:NAME`.
    Never the address itself."""
    railway: Annotated[
        Railway | None, Field(examples=["{project: ID, environment: production}"], validate_default=True)
    ] = None
    """The location of the target on Railway."""
    pg_dump: Annotated[Literal["here", "container", "host"], Field(examples=["here"])] = "here"
    """Where `pg_dump` runs: on this machine (`here`), in the database's container on Railway (`container`), or on the
    host that is reached by SSH (`host`)."""
    app: Annotated[App | None, Field(examples=["{dir: ../shop, manage: [python, manage.py]}"])] = None
    """The Django application."""
    checks: Annotated[tuple[Words, ...], Field(examples=["[[check_lessons_data]]"])] = ()
    """Management commands that must exit with 0 after a migration. Each is a list of words."""
    test: Annotated[str | None, Field(examples=["lessons-test"])] = None
    """The test target on which releases are rehearsed."""
    freeze: Annotated[Literal["always", "never", "auto"], Field(examples=["auto"])] = "auto"
    """Whether a promotion freezes production. `auto`: only if the rehearsal shows that a freeze is necessary."""
    window: Annotated[Window | None, Field(examples=['{days: [tue, wed], hours: "02:00-05:00", zone: UTC}'])] = None
    """When production may be changed. If omitted: always."""
    encrypt: Annotated[Encrypt | None, Field(examples=[ENCRYPT])] = None
    """Encrypt new backups."""
    engine: Annotated[Literal["dump", "pgbackrest"], Field(examples=["dump"])] = "dump"
    """The program that makes a backup: pg_dump (`dump`) or pgBackRest."""
    pgbackrest: Annotated[PgBackRest | None, Field(examples=[PGBACKREST], validate_default=True)] = None
    """The stanza of pgBackRest, for `engine: pgbackrest`."""
    standby: Annotated[Reference | None, AT_STANDBY, Field(examples=["env:STANDBY_URL"])] = None
    """The location of the address of production's streaming replica, for `dump: {from: standby}`: `env:NAME` or
    `file:PATH`. With `ansible_host`, as that host reaches the replica."""
    dump: DumpKey = Dump()
    """How a dump is made."""
    schedule: Annotated[Schedule | None, Field(examples=['{backup: "30 2 * * *"}'])] = None
    """Which tasks run automatically, after `inv schedule --install`."""
    fresh: Annotated[Fresh, Field(examples=["{backup: 26h, proved: 8d, ping: env:PING_URL}"])] = Fresh()
    """What `inv check-backups` requires."""
    keep: Annotated[Keep, Field(examples=["{daily: 7, weekly: 4, monthly: 6}"])] = Keep()
    """Which backups `inv prune-backups` retains."""
    deploy: Annotated[Words | None, Field(examples=["[./deploy.sh, --now]"])] = None
    """The command that deploys, in `app.dir`. The variable `RELEASE` holds the commit."""
    health: Annotated[Health | None, Field(examples=["[curl, -fsS, https://shop.example.com/health]"])] = None
    """How to check after a deploy that the application is healthy."""
    keep_replaced: Annotated[float, Field(strict=True, ge=0, le=10_000, examples=["7"])] = 7.0
    """Minimum age in days at which `inv discard-replaced` may remove a kept database."""
    seed: Annotated[Words | None, Field(examples=["[python, demo/seed.py]"])] = None
    """The command that fills an embedded database, once."""
    lock_timeout: Annotated[Amount, Field(examples=["5"])] = 5.0
    """Seconds for which a statement of a migration waits for a lock before the migration is retried."""
    lock_wait: Annotated[Amount, Field(examples=["300"])] = 300.0
    """Seconds for which any other command of a run waits for a lock before the run fails."""
    lock_yield: Annotated[Amount, Field(examples=["15"])] = 15.0
    """Seconds for which others may wait for the locks of a backup before the backup releases its locks."""
    end_blockers: Annotated[tuple[Word, ...], Field(examples=["[reporting]"])] = ()
    """Roles whose sessions are terminated if they hold a lock for which a run waits."""
    retries: Annotated[Count, Field(examples=["5"])] = 5
    """How often a migration that did not get its lock is retried."""
    certificate_hours: Annotated[Amount, Field(examples=["24"])] = 24.0
    """Hours for which a rehearsal's certificate is valid."""
    defang: DefangKey = None
    """How personal data is removed from a clone before anybody can use the clone. `{}`: all rules."""

    @property
    def folder(self) -> str:
        """The folder of the store, or of a remote store's working copy."""
        return store_folder(self.store)

    @property
    def remote(self) -> str:
        """The remote store's address; empty if the store is a folder."""
        return self.store if "://" in self.store else ""

    @field_validator("railway")
    @classmethod
    def _is_told(cls, value: object, info: ValidationInfo) -> object:
        database = info.data.get("database")
        if value is None and database is not None and database.kind == "railway":
            raise bad("is missing, and `database` names a service", "railway: {project: ID, environment: production}")
        return value

    @field_validator("pgbackrest")
    @classmethod
    def _goes_together(cls, value: object, info: ValidationInfo) -> object:
        if value is None and info.data.get("engine") == "pgbackrest":
            raise bad("is missing; `engine: pgbackrest` needs a stanza", f"pgbackrest: {PGBACKREST}")
        return value

    @field_validator("pg_dump")
    @classmethod
    def _is_somewhere(cls, value: str, info: ValidationInfo) -> str:
        connection = info.data.get("connection")
        behind = connection is not None and connection.kind == "ssh"
        if value == "host" and not behind:
            raise bad("should not be `host` without a host that is reached by SSH", "ansible_host: shop.example.com")
        if value == "container" and info.data.get("railway") is None:
            raise bad("should be `container` on Railway only", "railway: {project: ID, environment: production}")
        if value == "container" and behind:
            raise bad("should not be `container` for a target that is reached by SSH", "ansible_connection: local")
        return value

    @field_validator("dump")
    @classmethod
    def _has_standby(cls, value: Dump, info: ValidationInfo) -> Dump:
        if value.from_ == "standby" and info.data.get("standby") is None:
            raise bad("has `from: standby`, and the target has no `standby`", "standby: env:STANDBY_URL")
        if value.from_ == "standby" and info.data.get("pg_dump") == "container":
            raise bad("has `from: standby`, and `pg_dump` runs in production's container", "pg_dump: here")
        return value

    @field_validator("seed")
    @classmethod
    def _fills_embedded(cls, value: object, info: ValidationInfo) -> object:
        database = info.data.get("database")
        if value is not None and database is not None and database.kind != "embedded":
            raise bad("applies to an embedded database only", "remove `seed:`, or write database: embedded:NAME")
        return value


DERIVED = ("name", "kind", "line", "connection")
KEYS = tuple(key for key in Target.model_fields if key not in DERIVED)
ANSIBLE = {str(field.validation_alias): name for name, field in Connection.model_fields.items()}
EXAMPLES = {key: (Target.model_fields[key].examples or [""])[0] for key in KEYS}
EXAMPLES |= {key: (Connection.model_fields[name].examples or [""])[0] for key, name in ANSIBLE.items()}
NESTED: Mapping[str, type[BaseModel]] = {
    "app": App,
    "railway": Railway,
    "window": Window,
    "schedule": Schedule,
    "keep": Keep,
    "fresh": Fresh,
    "health": HealthCheck,
    "encrypt": Encrypt,
    "pgbackrest": PgBackRest,
    "dump": Dump,
    "defang": Defang,
}
OLD_ALIASES = {f"ansible_ssh_{name}": f"ansible_{name}" for name in ("host", "user", "port")}
PRODUCTION_ONLY = (
    "pg_dump",
    "checks",
    "test",
    "freeze",
    "window",
    "schedule",
    "fresh",
    "keep",
    "keep_replaced",
    "deploy",
    "dump",
    "standby",
    "defang",
    "engine",
    "pgbackrest",
)


class Inventory(Frozen):
    """All targets of a file. ``folder`` is the file's absolute folder; paths in the file are relative to the folder."""

    file: Path
    folder: Path
    default: str | None
    targets: Mapping[str, Target]

    @property
    def production(self) -> tuple[str, ...]:
        """The names of the production targets, in the file's order."""
        return tuple(name for name, target in self.targets.items() if target.kind == "production")

    def target(self, name: str | None) -> Target:
        """Return the target of a name; for None the default target, or the only production target.

        Raises:
            InventoryError: there is no such target, or ``name`` is None and there are several production targets.
        """
        if name is not None:
            return self._named(name)
        meant = (self.default,) if self.default else self.production
        if len(meant) == 1:
            return self.targets[meant[0]]
        if not meant:
            raise InventoryError("no target in group `production`", f"add one to {self.file}", file=str(self.file))
        raise InventoryError(f"several production targets: {', '.join(meant)}", "--target=NAME", file=str(self.file))

    def live(self, name: str | None) -> Target:
        """Return the production target of a name; for None like ``target``.

        Raises:
            InventoryError: there is no such target, or it is a test target.
        """
        found = self.target(name)
        if found.kind == "production":
            return found
        owners = [one for one in self.production if self.targets[one].test == found.name] or self.production
        hint = f"--target={next(iter(owners), 'NAME')}"
        raise InventoryError(f"{found.name} is a test target", hint, file=str(self.file), line=found.line)

    def test_of(self, target: Target) -> Target:
        """Return the test target on which releases of ``target`` are rehearsed.

        Raises:
            InventoryError: ``target`` names no test target.
        """
        if target.test is None:
            is_test = target.kind == "test"
            message = f"{target.name}: is itself a test target" if is_test else f"{target.name}: names no test target"
            hint = "--target=NAME of a production target" if is_test else "test: NAME of a target in group `test`"
            raise InventoryError(message, hint, file=str(self.file), line=target.line)
        return self._named(target.test)

    def path(self, text: str) -> Path:
        """Return a folder or file of the inventory as an absolute path; ``~`` is the user's home."""
        return Path(os.path.abspath(self.folder / os.path.expanduser(text)))

    def _named(self, name: str) -> Target:
        if name in self.targets:
            return self.targets[name]
        guess = nearest(name, self.targets)
        known = f"there are {', '.join(self.targets)}" if self.targets else "there are none"
        raise InventoryError(f"{shown(name)}: no such target; {known}", f"--target={guess or 'NAME'}")

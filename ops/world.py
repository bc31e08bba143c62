"""Where commands really run: connections, environment, secrets and transports of one inventory.

Passwords live here and nowhere else: in a 0600 service file in a private folder that ends with the process, and in the
environment of the programs that need them. Every text that leaves passes ``redact``.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ops
from ops.command import Query, Secret, Shell, fill, reveal
from ops.embedded import ensure, path_env
from ops.errors import Unreachable, UsageError
from ops.files import write_whole
from ops.inventory import Inventory, Target
from ops.postgres import PROGRAMS, Tools, parts_of, service_file
from ops.private import secret_file
from ops.transport import Completed, Local, OnLine

if TYPE_CHECKING:
    import psycopg

SQL_FOLDER = Path(ops.__file__).parent / "sql"
_PREFIX = "generalprobe-"
# What these write is our own, and private; what the application and its deploy command write is not ours to close.
PRIVATE = (*PROGRAMS, "install")


class World:
    """One inventory with its connections.

    Args:
        inventory: the targets.
        environ: the environment in which ``env:NAME`` is looked up.
    """

    def __init__(self, inventory: Inventory, environ: Mapping[str, str] | None = None) -> None:
        self.inventory = inventory
        self.environ = dict(environ) if environ is not None else path_env()
        self.tools: Tools | None = None
        self.local = Local()
        # What the application said of itself, as long as nothing can have changed: among the gates of one step.
        self.memo: dict[tuple[str, str], dict[str, Any]] = {}
        self._urls: dict[str, str] = {}
        self._private: Path | None = None

    def url(self, target: str) -> str:
        """The connection URL of a target; a secret.

        Raises:
            UsageError: the inventory's reference leads nowhere; the message names it, never a value.
        """
        if target not in self._urls:
            self._urls[target] = self._resolve(self.inventory.target(target))
            self._write_services()
        return self._urls[target]

    def _resolve(self, target: Target) -> str:
        reference, where = target.database, f"{self.inventory.file.name}:{target.line}: {target.name}"
        if reference.kind == "embedded":
            return ensure(self.inventory.folder, reference.value, target.seed)
        if reference.kind == "env":
            found = self.environ.get(reference.value, "")
            hint = f"export {reference.value}=postgresql://USER:PASSWORD@HOST:5432/DATABASE"
        elif reference.kind == "file":
            found, hint = self._first_line(target, reference.value), f"a connection URL in {reference.value}, chmod 600"
        else:
            raise UsageError(f"{where}: {reference.kind}: references are not built yet", "database: env:DATABASE_URL")
        if not found:
            raise UsageError(f"{where}: database: {reference} is empty or not there", hint)
        return self._checked(found, f"{where}: database: {reference}", hint)

    def _first_line(self, target: Target, name: str) -> str:
        path = self.inventory.path(name)
        secret_file(path, target.name)
        try:
            return (path.read_text(encoding="utf-8").splitlines() or [""])[0].strip()
        except (OSError, UnicodeError):
            return ""

    def _checked(self, url: str, where: str, hint: str) -> str:
        try:
            parts = parts_of(url)
        except ValueError:
            raise UsageError(f"{where} is not a PostgreSQL connection URL", hint) from None
        if {"service", "servicefile"} & parts.keys():
            raise UsageError(f"{where} names a service; its address has to stand here itself", hint)
        if not parts.get("dbname"):
            raise UsageError(f"{where} names no database", hint)
        if len(parts["dbname"].encode()) > 63:
            raise UsageError(f"{where} names a database with more than 63 bytes, which PostgreSQL would cut", hint)
        if reveal(parts["dbname"]) != parts["dbname"]:
            raise UsageError(f"{where} names a database with characters that stand for variables here", hint)
        if not parts.get("password"):
            secret_file(self._passfile(parts), where)
        if any("\n" in value or value != value.strip() for value in parts.values()):
            raise UsageError(
                f"{where} holds a line break or begins or ends with a blank, which libpq's files can't", hint
            )
        return url

    def _passfile(self, parts: Mapping[str, str]) -> Path:
        """Where libpq looks for a password that the address does not hold. It would only warn, and go without."""
        given = parts.get("passfile") or self.environ.get("PGPASSFILE") or "~/.pgpass"
        return Path(os.path.expanduser(given))

    @property
    def private(self) -> Path:
        """A 0700 folder that ends with this process; what a killed process left is swept."""
        if self._private is None:
            for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
                _sweep(left)
            self._private = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
            atexit.register(shutil.rmtree, self._private, ignore_errors=True)
        return self._private

    def _write_services(self) -> None:
        write_whole(self.private / "services", service_file(self._urls))

    def keep_private(self) -> Path:
        """Leave the private folder to the shell that asked for it (``inv environment``)."""
        folder = self.private.rename(Path(tempfile.mkdtemp(prefix="generalprobe.")) / "private")
        self._private = folder
        return folder

    def database(self, target: str) -> str:
        """The name of a target's database; not a secret."""
        return parts_of(self.url(target))["dbname"]

    def redact(self, text: str) -> str:
        """Take every known connection URL and password out of a text."""
        for secret in self._secrets():
            text = text.replace(secret, "•••")
        return re.sub(r"(postgres(?:ql)?://[^:@/\s]*:)[^@\s]+@", r"\1•••@", text)

    def _secrets(self) -> list[str]:
        found = set(self._urls.values())
        for url in self._urls.values():
            found |= {value for key, value in parts_of(url).items() if key in ("password", "sslpassword")}
            found |= {match[1] for match in re.finditer(r"://[^:@/]*:([^@]+)@", url)}
        return sorted((secret for secret in found if len(secret) > 3), key=len, reverse=True)

    def environment(self, shell: Shell, run: str = "") -> dict[str, str]:
        """The environment of a command: the caller's without its ``PG*``, our services and tools, and its secrets."""
        env = {name: value for name, value in self.environ.items() if not _steers(name)}
        if self.tools:
            env["PATH"] = os.pathsep.join([str(self.tools.folder), env.get("PATH", os.defpath)])
        if self._urls:
            env["PGSERVICEFILE"] = str(self.private / "services")
        env |= {"PGAPPNAME": application(run), "PGCONNECT_TIMEOUT": "10", "OPS_SQL": str(SQL_FOLDER)}
        # What a program prints is known at once: a migration that has ended, a person waiting.
        env["PYTHONUNBUFFERED"] = "1"
        for name, value in shell.env.items():
            env[name] = self.url(value.target) if isinstance(value, Secret) else str(value)
        return env

    def run(
        self,
        command: Shell | Query,
        *,
        run: str = "",
        known: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> Completed:
        """Run a command on its target's host. What it printed comes back redacted."""
        shell = command.shell() if isinstance(command, Query) else command
        if shell.target:
            self.url(shell.target)
        shell = fill(shell, {"OPS_SQL": str(SQL_FOLDER), **(known or {})})
        done = self.local.run(
            [str(word) for word in shell.words],
            folder=self.inventory.path(shell.folder or "."),
            env=self.environment(shell, run),
            output=self.inventory.path(shell.output) if shell.output else None,
            on_line=(lambda line: on_line(self.redact(line))) if on_line else None,
            umask=0o077 if shell.words[0] in PRIVATE else -1,
        )
        return Completed(done.exit, self.redact(done.out), self.redact(done.err))

    def connect(self, target: str, database: str = "", **options: Any) -> psycopg.Connection[Any]:
        """A connection of our own, in autocommit.

        Raises:
            Unreachable: the server can't be reached; the message holds no password.
        """
        import psycopg

        given: dict[str, Any] = {"application_name": "generalprobe", "connect_timeout": 10, **options}
        if database:
            given["dbname"] = database
        try:
            return psycopg.connect(self.url(target), autocommit=True, **given)
        except psycopg.Error as error:
            # What stands on a line of its own below is libpq's advice.
            lines = [line for line in self.redact(str(error)).splitlines() if not line.startswith("\t")]
            said = [line.strip() for line in lines if line.strip()][-1:]
            raise Unreachable(f"{target}: no connection: {''.join(said)}", "look at the database's host") from None


def application(run: str) -> str:
    """The name under which a run's sessions are known on the server."""
    return f"generalprobe {run}".strip()


def _steers(name: str) -> bool:
    """Whether a variable would lead libpq elsewhere, or let it work in another way, than the inventory says."""
    return name.startswith("PG") and name != "PGPASSFILE"


def forget_libpq() -> None:
    """Our own connections ask libpq, too, and it reads this process's environment."""
    for name in filter(_steers, list(os.environ)):
        del os.environ[name]


def _sweep(folder: Path) -> None:
    pid = folder.name.removeprefix(_PREFIX).split("-")[0]
    # Another process may sweep at the same time, and another user's link may lead nowhere.
    with contextlib.suppress(OSError, ValueError, OverflowError):
        if pid.isdigit() and folder.lstat().st_uid == os.geteuid() and not _alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True

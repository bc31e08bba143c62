"""Where commands really run: connections, environment, secrets and transports of one inventory.

Passwords live here and nowhere else: in a 0600 service file in a private folder that ends with the process, and in the
environment of the programs that need them. Every text that leaves passes ``redact``.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ops
from ops import age, on_railway
from ops.address import as_url, checked
from ops.command import Host, Query, Secret, Shell, fill, given_there, line_there
from ops.embedded import ensure, path_env
from ops.engine.place import led_aside, socket_of
from ops.errors import OpsError, Unreachable, UsageError
from ops.files import write_whole
from ops.forward import HERE
from ops.inputs import ASIDE
from ops.inventory import Inventory, Target
from ops.on_railway import OnRailway
from ops.postgres import PROGRAMS, Tools, parts_of, service_file
from ops.private import private_folder, secret_file
from ops.railway import ENV, both_tokens
from ops.rehearsal import entry_of, led
from ops.ssh import Ssh, host_of
from ops.store import AnyStore, store_at
from ops.stored import StoredBackup
from ops.transport import Completed, Local, OnLine
from ops.working_copy import WorkingCopy

if TYPE_CHECKING:
    import psycopg

SQL_FOLDER = Path(ops.__file__).parent / "sql"
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
        # What was looked up, as long as nothing can have changed: among the gates of one step.
        self.memo: dict[tuple[str, str], dict[str, Any]] = {}
        # What the application said of itself, with the state of code and database of which it did (ops.probes.probe).
        self.reports: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
        self._urls: dict[str, str] = {}
        self._railway: dict[str, OnRailway] = {}
        self._wires: dict[tuple[str, ...], Ssh] = {}
        self._copies: dict[str, WorkingCopy] = {}
        self._stores: dict[str, AnyStore] = {}
        self._private: Path | None = None

    def url(self, target: str) -> str:
        """The connection URL of a target; a secret.

        Raises:
            UsageError: the inventory's reference leads nowhere; the message names it, never a value.
        """
        if target not in self._urls:
            entry = self.entry(target)
            try:
                self._urls[target] = led(led_aside(self._resolve(entry), target, entry), target)
            except ValueError as error:
                where = f"{self.inventory.file.name}:{entry.line}: {entry.name}: database: {entry.database}"
                raise UsageError(f"{where} {error}", "postgresql://USER:PASSWORD@HOST:5432/DATABASE") from None
            try:
                self._write_services()
            except OpsError:
                # Else what is wrong with this one would be said of every other target.
                del self._urls[target]
                raise
        return self._urls[target]

    def entry(self, target: str) -> Target:
        """The inventory's entry of a target; for a rehearsal that of the test target."""
        return self.inventory.target(entry_of(target))

    def host(self, target: str) -> Host | None:
        """The machine behind SSH on which a target's commands run; None where that is this one."""
        return host_of(entry_of(target), self.entry(target).connection)

    def wire(self, host: Host) -> Ssh:
        """The connection to a host; targets on the same one share it.

        Raises:
            UsageError: the inventory names another host by now than the run was planned with.
        """
        entry = self.entry(host.target)
        if (now := self.host(host.target)) is None or now.words != host.words:
            said = f"planned over   {' '.join(host.words)}   and the inventory leads elsewhere by now"
            raise UsageError(f"{host.target}: {said}", "inv undo, or the inventory as it was")
        if host.words not in self._wires:
            self._wires[host.words] = Ssh(host, entry.connection, self.inventory.folder)
        return self._wires[host.words]

    def address(self, target: str, ports: Mapping[str, int] | None = None) -> str:
        """The connection URL of a target as this machine uses it: behind SSH through a tunnel; a secret.

        Args:
            ports: local ports that lead to the databases behind SSH; our own tunnels where None.
        """
        url, host = self.url(target), self.host(target)
        if host is None:
            return url
        name, port = self.endpoint(target)
        here = ports[target] if ports else self.wire(host).forward(name, port).port
        # The certificate is still held against the server's own name.
        from psycopg.conninfo import make_conninfo

        return make_conninfo(**{**parts_of(url), "host": name, "hostaddr": HERE, "port": str(here)})

    def endpoint(self, target: str) -> tuple[str, int]:
        """Where a target's server is, as its host knows it: name and port, or of one restored aside its socket, and 0.

        Raises:
            UsageError: a tunnel can't lead there.
        """
        parts = parts_of(self.url(target))
        if target.endswith(ASIDE):
            return socket_of(parts), 0
        name = parts.get("hostaddr") or parts.get("host", "")
        if not name or name.startswith(("/", "@")) or "," in name + parts.get("port", ""):
            raise UsageError(
                f"{target}: through SSH a database is reached by one host name and port; its address names "
                f"{'several' if ',' in name else 'a socket, or none'}",
                "postgresql://USER:PASSWORD@localhost:5432/DATABASE, as the host behind SSH reaches it",
            )
        return name, int(parts.get("port") or 5432)

    def _address_from(self, target: str, host: Host | None) -> str:
        """The connection URL of a target as an application on ``host`` uses it; a secret."""
        there = self.host(target)
        if (there and there.words) == (host and host.words):
            return self.url(target)
        if host is None:
            return as_url(parts_of(self.address(target)))
        raise UsageError(
            f"{host.target}: its application runs on {host.words[-1]}, which does not reach {target}'s database",
            f"{target}: the same ansible_host as {host.target}, and a database address as that host knows it",
        )

    def _resolve(self, target: Target) -> str:
        reference, where = target.database, f"{self.inventory.file.name}:{target.line}: {target.name}"
        if reference.kind == "embedded":
            if target.connection.kind == "ssh":
                raise UsageError(f"{where}: an embedded database is on this machine, not on {target.connection.host}")
            return ensure(self.inventory.folder, reference.value, target.seed)
        if reference.kind == "env":
            found = self.environ.get(reference.value, "")
            hint = f"export {reference.value}=postgresql://USER:PASSWORD@HOST:5432/DATABASE"
        elif reference.kind == "file":
            found, hint = self._first_line(target, reference.value), f"a connection URL in {reference.value}, chmod 600"
        else:
            found = self.railway(target.name).url(here=target.connection.kind == "local")
            hint = f"a connection URL in {reference}"
        if not found:
            raise UsageError(f"{where}: database: {reference} is empty or not there", hint)
        return checked(found, self.environ, f"{where}: database: {reference}", hint)

    def working_copy(self, target: str) -> WorkingCopy | None:
        """The folder that follows a target's part of a remote store; None where the store is a folder itself."""
        entry = self.inventory.target(target)
        if entry.remote and target not in self._copies:
            folder = self.inventory.path(entry.folder) / target
            self._copies[target] = WorkingCopy(self._store(entry.remote), target, folder)
        return self._copies.get(target)

    def _store(self, url: str) -> AnyStore:
        """One store; targets with the same one share its connection."""
        if url not in self._stores:
            self._stores[url] = store_at(url, self.environ)
        return self._stores[url]

    def sender(self, target: str, run: str) -> Callable[[], None]:
        """What sends a run's files into a target's remote store; does nothing where the store is a folder."""
        copy = self.working_copy(target)
        return (lambda: copy.push(run)) if copy else (lambda: None)

    def stored(self, target: str, backup: str) -> StoredBackup | None:
        """One backup in a target's remote store; None where the store is a folder."""
        copy = self.working_copy(target)
        return StoredBackup(copy.store, target, copy.folder, backup) if copy else None

    def secret_at(self, target: str, reference: str) -> str:
        """What ``env:NAME`` or ``file:PATH`` of the inventory leads to; a secret.

        Raises:
            UsageError: nothing is there.
        """
        kind, _, value = reference.partition(":")
        entry = self.inventory.target(target)
        found = self.environ.get(value, "") if kind == "env" else self._first_line(entry, value)
        if not found:
            where = f"{self.inventory.file.name}:{entry.line}: {target}"
            hint = f"export {value}=…" if kind == "env" else f"the address in {value}, chmod 600"
            raise UsageError(f"{where}: {reference} is empty or not there", hint)
        return found

    def age_identity(self, reference: str) -> list[Any]:
        """The secret keys that a reference of the inventory leads to.

        Raises:
            UsageError: nothing is there that is one.
        """
        kind, _, value = reference.partition(":")
        return age.identity(f"file:{self.inventory.path(value)}" if kind == "file" else reference)

    def opener(self, target: str) -> list[Any]:
        """The secret keys that open a target's backups, where they are at hand; a backup is made without."""
        encrypt = self.inventory.target(target).encrypt
        with contextlib.suppress(UsageError):
            return self.age_identity(encrypt.identity) if encrypt and encrypt.identity else []
        return []

    def railway(self, target: str) -> OnRailway:
        """A target's place on Railway, asked on its host.

        Raises:
            UsageError: the inventory does not say where that is.
        """
        if target not in self._railway:
            entry, host = self.entry(target), self.host(target)
            where = f"{self.inventory.file.name}:{entry.line}: {target}"

            def run(words: tuple[str, ...], folder: str) -> Completed:
                if host:
                    shell = Shell(words, "", folder=folder, env=ENV, host=host)
                    return self.wire(host).run(line_there(shell), self._given(shell, host, ""))
                place = self.inventory.path(folder or ".")
                return self.local.run(words, folder=place, env=on_railway.environ(self.environ))

            both = host is None and both_tokens(self.environ)
            self._railway[target] = on_railway.OnRailway(entry, where, run, both)
        return self._railway[target]

    def _first_line(self, target: Target, name: str) -> str:
        path = self.inventory.path(name)
        secret_file(path, target.name)
        try:
            return (path.read_text(encoding="utf-8").splitlines() or [""])[0].strip()
        except (OSError, UnicodeError):
            return ""

    @property
    def private(self) -> Path:
        """A 0700 folder that ends with this process; what a killed process left is swept."""
        if self._private is None:
            self._private = private_folder()
        return self._private

    def _write_services(self) -> None:
        write_whole(self.private / "services", service_file({name: self.address(name) for name in self._urls}))

    def keep_private(self, ports: Mapping[str, int]) -> Path:
        """Leave the private folder to the shell that asked for it (``inv environment``).

        Args:
            ports: for each target behind SSH the local port at which that shell has a tunnel to its database.
        """
        found = {name: self.address(name, ports) for name in self._urls}
        write_whole(self.private / "services", service_file(found))
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
        env["OPS_PYTHON"] = sys.executable
        # What a program prints is known at once: a migration that has ended, a person waiting.
        env["PYTHONUNBUFFERED"] = "1"
        for name, value in shell.env.items():
            env[name] = self._address_from(value.target, None) if isinstance(value, Secret) else str(value)
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
        output = self.inventory.path(shell.output) if shell.output else None
        heard: OnLine | None = (lambda line: on_line(self.redact(line))) if on_line else None
        if shell.host:
            given = self._given(shell, shell.host, run)
            done = self.wire(shell.host).run(line_there(shell), given, output=output, on_line=heard)
        else:
            done = self.local.run(
                [str(word) for word in shell.words],
                folder=self.inventory.path(shell.folder or "."),
                env=self.environment(shell, run),
                output=output,
                on_line=heard,
                umask=0o077 if shell.words[0] in PRIVATE else -1,
            )
        lost = self._refused(shell.target) if done.exit and shell.target and not shell.host else ""
        err = f"error: {lost}\n{done.err}" if lost else done.err
        return Completed(done.exit, self.redact(done.out), self.redact(err))

    def _given(self, shell: Shell, host: Host, run: str) -> str:
        """What a command behind SSH reads first: the values of its variables, a line each."""
        values = {"PGAPPNAME": application(run)}
        for value in shell.env.values():
            if isinstance(value, Secret):
                values[value.variable] = self._address_from(value.target, host)
        return "".join(f"{values[name]}\n" for name in given_there(shell))

    def _refused(self, target: str) -> str:
        """Why a database behind SSH was not reached: the client itself only sees a connection that was closed."""
        if (host := self.host(target)) is None:
            return ""
        name, port = self.endpoint(target)
        said = self.wire(host).forward(name, port).refused
        return f"{host.words[-1]} does not reach {name}:{port}: {said}" if said else ""

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
            return psycopg.connect(self.address(target), autocommit=True, **given)
        except psycopg.Error as error:
            # What stands on a line of its own below is libpq's advice.
            lines = [line for line in self.redact(str(error)).splitlines() if not line.startswith("\t")]
            said = [line.strip() for line in lines if line.strip()][-1:]
            why = self._refused(target) or "".join(said)
            gone = "mend its name in the address; if it was dropped, create it, empty, and then: inv recover"
            hint = gone if f'"{self.database(target)}" does not exist' in why else "look at the database's host"
            raise Unreachable(f"{target}: no connection: {why}", hint) from None


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

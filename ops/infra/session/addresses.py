"""Look up the addresses of the targets' databases and hosts, and write the addresses as libpq services.

Passwords are only in a 0600 service file, in a private folder that is removed at the end of the process, and in the
environment of the programs that need them.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ops.core.errors import OpsError, UsageError
from ops.engine.command import Host
from ops.engine.inputs import ASIDE
from ops.infra.postgres.client import parts_of, write_services
from ops.infra.postgres.embedded_server import ensure
from ops.infra.postgres.session_settings import Pins
from ops.infra.postgres.url import as_url, checked
from ops.infra.railway.service import OnRailway
from ops.infra.session.derived_targets import entry_of, key_of, led, led_aside, socket_of
from ops.infra.session.secrets import Secrets
from ops.infra.transport.ssh import Ssh, host_of
from ops.infra.transport.tunnel import HERE
from ops.inventory.locate import where
from ops.inventory.targets import Inventory, Target


class Addresses:
    """The addresses of one inventory's targets. Each address is looked up once per process.

    Args:
        inventory: the inventory.
        secrets: resolves ``env:NAME`` and ``file:PATH``.
        railway: returns a target's services on Railway.
    """

    def __init__(self, inventory: Inventory, secrets: Secrets, railway: Callable[[str], OnRailway]) -> None:
        self.inventory, self.secrets, self.railway = inventory, secrets, railway
        self._urls: dict[str, str] = {}
        self._pins: defaultdict[str, Pins] = defaultdict(Pins)
        self._wires: dict[tuple[str, ...], Ssh] = {}

    def url(self, target: str) -> str:
        """Return the connection URL of a target; the URL is a secret.

        Raises:
            UsageError: the inventory's reference cannot be resolved; the message names the reference, never a value.
        """
        if target not in self._urls:
            entry = self.entry(target)
            try:
                self._urls[target] = led(led_aside(self._resolve(target, entry), target, entry), target)
            except ValueError as error:
                at = f"{where(self.inventory, entry)}: {': '.join(map(str, key_of(target, entry)))}"
                raise UsageError(f"{at} {error}", "postgresql://USER:PASSWORD@HOST:5432/DATABASE") from None
            try:
                self._write_services()
            except OpsError:
                # Otherwise every other target would report this target's error.
                del self._urls[target]
                raise
        return self._urls[target]

    def entry(self, target: str) -> Target:
        """Return the inventory's entry of a target; for a rehearsal the entry of the test target."""
        return self.inventory.target(entry_of(target))

    def host(self, target: str) -> Host | None:
        """Return the machine behind SSH on which a target's commands run; None for this machine."""
        return host_of(entry_of(target), self.entry(target).connection)

    def wire(self, host: Host) -> Ssh:
        """Return the connection to a host; targets on the same host share the connection.

        Raises:
            UsageError: the inventory's host differs from the host with which the run was planned.
        """
        entry = self.entry(host.target)
        if (now := self.host(host.target)) is None or now.words != host.words:
            said = f"the run was planned over   {' '.join(host.words)}   and the inventory now has another host"
            raise UsageError(f"{host.target}: {said}", "inv undo, or revert the inventory")
        if host.words not in self._wires:
            self._wires[host.words] = Ssh(host, entry.connection, self.inventory.folder)
        return self._wires[host.words]

    def address(self, target: str, ports: Mapping[str, int] | None = None) -> str:
        """Return the connection URL of a target for this machine, behind SSH through a tunnel; the URL is a secret.

        Args:
            ports: local ports of tunnels to the databases behind SSH; None to open tunnels.
        """
        url, host = self.url(target), self.host(target)
        if host is None:
            return url
        name, port = self.endpoint(target)
        here = ports[target] if ports else self.wire(host).forward(name, port).port
        # libpq verifies the certificate against `host`, the server's name.
        from psycopg.conninfo import make_conninfo

        return make_conninfo(**{**parts_of(url), "host": name, "hostaddr": HERE, "port": str(here)})

    def endpoint(self, target: str) -> tuple[str, int]:
        """Return name and port of a target's server as its host reaches it; for a scratch server its socket and 0.

        Raises:
            UsageError: a tunnel cannot reach the address.
        """
        parts = parts_of(self.url(target))
        if target.endswith(ASIDE):
            return socket_of(parts), 0
        name = parts.get("hostaddr") or parts.get("host", "")
        if not name or name.startswith(("/", "@")) or "," in name + parts.get("port", ""):
            raise UsageError(
                f"{target}: behind SSH the database's address must have one host name and port; it has "
                f"{'several' if ',' in name else 'a socket, or no host'}",
                "postgresql://USER:PASSWORD@localhost:5432/DATABASE, as the host behind SSH reaches it",
            )
        return name, int(parts.get("port") or 5432)

    def address_from(self, target: str, host: Host | None) -> str:
        """Return the connection URL of a target for an application on ``host``; the URL is a secret."""
        there = self.host(target)
        if (there and there.words) == (host and host.words):
            return self.url(target)
        if host is None:
            return as_url(parts_of(self.address(target)))
        raise UsageError(
            f"{host.target}: its application runs on {host.words[-1]}, which cannot reach {target}'s database",
            f"{target}: use the ansible_host of {host.target}, and a database address that this host can reach",
        )

    def _resolve(self, target: str, entry: Target) -> str:
        key, reference = key_of(target, entry)
        at = where(self.inventory, entry)
        if reference.kind == "embedded":
            if entry.connection.kind == "ssh":
                raise UsageError(f"{at}: an embedded database is on this machine, not on {entry.connection.host}")
            return ensure(self.inventory.folder, reference.value, entry.seed)
        if reference.kind == "env":
            found = self.secrets.environ.get(reference.value, "")
            hint = f"export {reference.value}=postgresql://USER:PASSWORD@HOST:5432/DATABASE"
        elif reference.kind == "file":
            found = self.secrets.first_line(entry, reference.value)
            hint = f"write a connection URL to {reference.value}, chmod 600"
        else:
            found = self.railway(entry.name).url(here=entry.connection.kind == "local")
            hint = f"set a connection URL in {reference}"
        if not found:
            raise UsageError(f"{at}: {key}: {reference} is empty or missing", hint)
        return checked(found, self.secrets.environ, f"{at}: {key}: {reference}", hint)

    @property
    def services(self) -> Path | None:
        """The service file with every address that was looked up; None before the first lookup."""
        return self.secrets.private / "services" if self._urls else None

    @property
    def known(self) -> Iterable[str]:
        """Every address that was looked up; the addresses are secrets."""
        return self._urls.values()

    def _write_services(self, ports: Mapping[str, int] | None = None) -> None:
        write_services(self.secrets.private, {name: self.address(name, ports) for name in self._urls}, self._pins)

    def keep_private(self, ports: Mapping[str, int], number: int) -> Path:
        """Keep the private folder after this process, for the shell of ``inv environment``.

        Args:
            ports: for each target behind SSH the local port of the shell's tunnel to its database.
            number: the version of production's server; the other servers may be unreachable.
        """
        for name in self._urls:
            self._pins[name].fit(number)
        folder = self.secrets.move_private(Path(tempfile.mkdtemp(prefix="generalprobe.")) / "private")
        self._write_services(ports)
        return folder

    def in_english(self, target: str) -> None:
        """Set English messages for all later sessions of a target."""
        self._pins[target].in_english()
        self._write_services()

    def settings(self, target: str, own: Sequence[str]) -> str:
        """Return the options of a psycopg connection; the pins in ``own`` are omitted."""
        return self._pins[target].options(parts_of(self.address(target)).get("options", ""), own)

    def unpinned(self, target: str, said: str) -> bool:
        """Return True if a connection was refused because of a pin, and omit the pin from now on."""
        if refused := target in self._urls and self._pins[target].refused(said):
            self._write_services()
        return refused

    def refused(self, target: str) -> str:
        """Return why a database behind SSH was not reached; the client only sees a closed connection."""
        if (host := self.host(target)) is None:
            return ""
        name, port = self.endpoint(target)
        said = self.wire(host).forward(name, port).refused
        return f"{host.words[-1]} does not reach {name}:{port}: {said}" if said else ""

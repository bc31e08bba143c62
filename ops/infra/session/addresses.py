"""Find where each target's database and host are, and give libpq their addresses as services.

Passwords live in a 0600 service file in the private folder that ends with the process, and in the environment of the
programs that need them.
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
from ops.infra.session.derived_targets import entry_of, led, led_aside, socket_of
from ops.infra.session.secrets import Secrets
from ops.infra.transport.ssh import Ssh, host_of
from ops.infra.transport.tunnel import HERE
from ops.inventory.locate import where
from ops.inventory.targets import Inventory, Target


class Addresses:
    """The addresses of one inventory's targets. Each is looked up once in a process: it can't change within one.

    Args:
        inventory: the targets.
        secrets: what ``env:NAME`` and ``file:PATH`` lead to.
        railway: a target's place on Railway.
    """

    def __init__(self, inventory: Inventory, secrets: Secrets, railway: Callable[[str], OnRailway]) -> None:
        self.inventory, self.secrets, self.railway = inventory, secrets, railway
        self._urls: dict[str, str] = {}
        self._pins: defaultdict[str, Pins] = defaultdict(Pins)
        self._wires: dict[tuple[str, ...], Ssh] = {}

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
                at = f"{where(self.inventory, entry)}: database: {entry.database}"
                raise UsageError(f"{at} {error}", "postgresql://USER:PASSWORD@HOST:5432/DATABASE") from None
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

    def address_from(self, target: str, host: Host | None) -> str:
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
        reference, at = target.database, where(self.inventory, target)
        if reference.kind == "embedded":
            if target.connection.kind == "ssh":
                raise UsageError(f"{at}: an embedded database is on this machine, not on {target.connection.host}")
            return ensure(self.inventory.folder, reference.value, target.seed)
        if reference.kind == "env":
            found = self.secrets.environ.get(reference.value, "")
            hint = f"export {reference.value}=postgresql://USER:PASSWORD@HOST:5432/DATABASE"
        elif reference.kind == "file":
            found = self.secrets.first_line(target, reference.value)
            hint = f"a connection URL in {reference.value}, chmod 600"
        else:
            found = self.railway(target.name).url(here=target.connection.kind == "local")
            hint = f"a connection URL in {reference}"
        if not found:
            raise UsageError(f"{at}: database: {reference} is empty or not there", hint)
        return checked(found, self.secrets.environ, f"{at}: database: {reference}", hint)

    @property
    def services(self) -> Path | None:
        """The service file with every address that was looked up; None before the first one was."""
        return self.secrets.private / "services" if self._urls else None

    @property
    def known(self) -> Iterable[str]:
        """Every address that was looked up; secrets."""
        return self._urls.values()

    def _write_services(self, ports: Mapping[str, int] | None = None) -> None:
        write_services(self.secrets.private, {name: self.address(name, ports) for name in self._urls}, self._pins)

    def keep_private(self, ports: Mapping[str, int], number: int) -> Path:
        """Leave the private folder to the shell that asked for it (``inv environment``).

        Args:
            ports: for each target behind SSH the local port at which that shell has a tunnel to its database.
            number: the version of production's server; the others may not be there to be asked.
        """
        for name in self._urls:
            self._pins[name].fit(number)
        folder = self.secrets.move_private(Path(tempfile.mkdtemp(prefix="generalprobe.")) / "private")
        self._write_services(ports)
        return folder

    def in_english(self, target: str) -> None:
        """Have a server say in English what it says from now on."""
        self._pins[target].in_english()
        self._write_services()

    def settings(self, target: str, own: Sequence[str]) -> str:
        """The options with which a connection of our own begins; ``own`` are left to role and database."""
        return self._pins[target].options(parts_of(self.address(target)).get("options", ""), own)

    def unpinned(self, target: str, said: str) -> bool:
        """Whether a connection was refused for a setting that it began with; that one is left out from now on."""
        if refused := target in self._urls and self._pins[target].refused(said):
            self._write_services()
        return refused

    def refused(self, target: str) -> str:
        """Why a database behind SSH was not reached: the client itself only sees a connection that was closed."""
        if (host := self.host(target)) is None:
            return ""
        name, port = self.endpoint(target)
        said = self.wire(host).forward(name, port).refused
        return f"{host.words[-1]} does not reach {name}:{port}: {said}" if said else ""

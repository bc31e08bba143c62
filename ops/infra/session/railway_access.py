"""Access the Railway services of one inventory, each from its target's host."""

from __future__ import annotations

from ops.engine.command import Completed, Shell, line_there
from ops.infra.postgres.session_settings import application
from ops.infra.railway import service
from ops.infra.railway.railway_cli import ENV, both_tokens
from ops.infra.session.addresses import Addresses
from ops.infra.transport.local import Local
from ops.inventory.locate import where


class RailwayAccess:
    """The Railway services of one inventory's targets.

    Args:
        addresses: the addresses of the targets' hosts.
    """

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self._services: dict[str, service.OnRailway] = {}

    def service(self, target: str) -> service.OnRailway:
        """Return a target's Railway access, which calls the CLI on the target's host.

        Raises:
            UsageError: the target has no ``railway`` in the inventory.
        """
        if target not in self._services:
            inventory, environ = self.addresses.inventory, self.addresses.secrets.environ
            entry, host = self.addresses.entry(target), self.addresses.host(target)

            def run(words: tuple[str, ...], folder: str) -> Completed:
                if host:
                    shell = Shell(words, "", folder=folder, env=ENV, host=host)
                    return self.addresses.wire(host).run(line_there(shell), f"{application('')}\n")
                place = inventory.path(folder or ".")
                return Local().run(words, folder=place, env=service.environ(environ))

            self._services[target] = service.OnRailway(
                entry, where(inventory, entry), run, host is None and both_tokens(environ)
            )
        return self._services[target]

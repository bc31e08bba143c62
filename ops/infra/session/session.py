"""``Session``: one inventory with its connections, for one call of ``inv``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ops.engine.command import Completed, Host, OnLine, Query, Shell
from ops.infra.postgres.client import parts_of
from ops.infra.postgres.embedded_server import path_env
from ops.infra.railway.service import OnRailway
from ops.infra.session.addresses import Addresses
from ops.infra.session.commands import Commands
from ops.infra.session.railway_access import RailwayAccess
from ops.infra.session.secrets import Secrets
from ops.infra.session.store_access import StoreAccess
from ops.inventory.targets import Inventory

if TYPE_CHECKING:
    import psycopg


class Session:
    """One inventory with its connections; features get a session, and the engine uses it as ``CommandRunner``.

    Args:
        inventory: the inventory.
        environ: the environment in which ``env:NAME`` is looked up.
    """

    def __init__(self, inventory: Inventory, environ: Mapping[str, str] | None = None) -> None:
        self.inventory = inventory
        self.environ = dict(environ) if environ is not None else path_env()
        self.secrets = Secrets(inventory, self.environ)
        self.addresses = Addresses(inventory, self.secrets, self.railway)
        self.commands = Commands(self.addresses, self.environ)
        self.stores = StoreAccess(inventory, self.environ)
        self._railway = RailwayAccess(self.addresses)
        self._looked_up: dict[tuple[str, str], dict[str, Any]] = {}
        # The application's reports by the state of code and database (ops.application.probe).
        self.reports: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}

    def url(self, target: str) -> str:
        """Return the connection URL of a target; the URL is a secret.

        Raises:
            UsageError: the inventory's reference cannot be resolved; the message names the reference, never a value.
        """
        return self.addresses.url(target)

    def database(self, target: str) -> str:
        """Return the name of a target's database, which is no secret."""
        return parts_of(self.url(target))["dbname"]

    def role(self, target: str) -> str:
        """Return the role in a target's address; empty if the address has none."""
        return parts_of(self.url(target)).get("user", "")

    def host(self, target: str) -> Host | None:
        """Return the machine behind SSH on which a target's commands run; None for this machine."""
        return self.addresses.host(target)

    def railway(self, target: str) -> OnRailway:
        """Return a target's Railway access.

        Raises:
            UsageError: the target has no ``railway`` in the inventory.
        """
        return self._railway.service(target)

    def run(
        self,
        command: Shell | Query,
        *,
        run: str = "",
        known: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> Completed:
        """Run a command on its target's host; the returned output is redacted."""
        return self.commands.run(command, run=run, known=known, on_line=on_line)

    def connect(
        self, target: str, database: str = "", *, own: Sequence[str] = (), **options: Any
    ) -> psycopg.Connection[Any]:
        """Open a psycopg connection in autocommit; the pins in ``own`` are omitted.

        Raises:
            Unreachable: the server cannot be reached; the message contains no password.
        """
        return self.commands.connect(target, database, own=own, **options)

    def redact(self, text: str) -> str:
        """Remove every known connection URL and password, and row values in server messages, from a text."""
        return self.commands.redact(text)

    def looked_up(self, target: str, what: str) -> dict[str, Any]:
        """Return the cache of a target under a name; ``forget`` clears it."""
        return self._looked_up.setdefault((target, what), {})

    def forget(self) -> None:
        """Clear the cache of lookups: a command may have changed something, or time has passed."""
        self._looked_up.clear()

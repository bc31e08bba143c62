"""``Session``: one inventory with its connections, for the time of one call."""

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
    """One inventory with its connections: what every feature is handed, and the engine's ``CommandRunner``.

    Args:
        inventory: the targets.
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
        # What the application said of itself, by the state of code and database (ops.application.probe).
        self.reports: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}

    def url(self, target: str) -> str:
        """The connection URL of a target; a secret.

        Raises:
            UsageError: the inventory's reference leads nowhere; the message names it, never a value.
        """
        return self.addresses.url(target)

    def database(self, target: str) -> str:
        """The name of a target's database; not a secret."""
        return parts_of(self.url(target))["dbname"]

    def role(self, target: str) -> str:
        """The name of the role that a target's address connects as; empty where it names none."""
        return parts_of(self.url(target)).get("user", "")

    def host(self, target: str) -> Host | None:
        """The machine behind SSH on which a target's commands run; None where that is this one."""
        return self.addresses.host(target)

    def railway(self, target: str) -> OnRailway:
        """A target's place on Railway.

        Raises:
            UsageError: the inventory does not say where that is.
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
        """Run a command on its target's host. What it printed comes back redacted."""
        return self.commands.run(command, run=run, known=known, on_line=on_line)

    def connect(
        self, target: str, database: str = "", *, own: Sequence[str] = (), **options: Any
    ) -> psycopg.Connection[Any]:
        """A connection of our own, in autocommit; of the settings in ``own`` it has what role and database say.

        Raises:
            Unreachable: the server can't be reached; the message holds no password.
        """
        return self.commands.connect(target, database, own=own, **options)

    def redact(self, text: str) -> str:
        """Take every known connection URL and password, and values that a server tells of rows, out of a text."""
        return self.commands.redact(text)

    def looked_up(self, target: str, what: str) -> dict[str, Any]:
        """What was looked up of a target under a name; empty again after ``forget``."""
        return self._looked_up.setdefault((target, what), {})

    def forget(self) -> None:
        """Look everything up anew from now on: a command may have changed it, or time has passed."""
        self._looked_up.clear()

"""A look at the servers for one plan: who looks, and what was learned that is no input itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ops.application.probe import app_inputs, identity
from ops.core.errors import UsageError
from ops.core.run_ids import ids_in, new_run
from ops.engine.needs import Need
from ops.engine.step import Procedure
from ops.infra.postgres.client import Tools
from ops.infra.session.client_tools import some_tools
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.session.template import PLAIN, template
from ops.inventory.locate import where
from ops.inventory.targets import Target
from ops.procedures.planning.dump_options import dump_inputs, wanted_jobs
from ops.procedures.planning.from_inventory import Given, from_inventory, join
from ops.procedures.planning.request import Wanted
from ops.procedures.planning.same_places import must_not_be_named_so


@dataclass
class NothingToDo(Exception):
    """There is nothing for this procedure to do; ``reason`` says why."""

    reason: str


@dataclass
class Look:
    """Who looks, for what; and what was found for those that look later.

    Args:
        session: the connections.
        entry: the production target.
        procedure: whose needs are looked up.
        wanted: what the command line said.
        here: what production's server says of itself.
        dumped: the major version of the server that is dumped, or was.
        restored: that of the server to which a backup is restored.
        connections: how many more connections each server gives.
        mark: the comment of the test database.
    """

    session: Session
    entry: Target
    procedure: Procedure
    wanted: Wanted
    here: dict[str, Any] = field(default_factory=dict)
    dumped: int = 0
    restored: int = 0
    connections: list[int] = field(default_factory=list)
    mark: str = ""
    sets: list[Tools] = field(default_factory=list)

    def needs(self, need: Need) -> bool:
        """Whether the procedure declares it."""
        return need in self.procedure.needs

    def can_open(self) -> None:
        """Make sure that the secret key is at hand before anything is begun that needs it.

        Raises:
            UsageError: it is not.
        """
        can_open(self.session, self.entry)


def anew(session: Session, entry: Target) -> Given:
    """What every new run has, whatever it is about: its id, and what the inventory says."""
    run = new_run(ids_in(target_folder(session, name) for name in session.inventory.production))
    own = {"run": run, "backup": run, "jobs": wanted_jobs(entry), "release": {"certificate": run}}
    return join(from_inventory(entry), own)


def can_open(session: Session, entry: Target) -> None:
    """Make sure that the secret key is at hand.

    Raises:
        UsageError: it is not.
    """
    reference = entry.encrypt.identity if entry.encrypt else None
    if not reference:
        raise UsageError(
            f"{where(session.inventory, entry)}: the backup is encrypted, and no identity that "
            "opens it is named",
            "encrypt: {recipients: [age1…], identity: file:PATH}   or   identity: env:NAME",
        )
    session.secrets.age_identity(reference)


def production(look: Look, _: Given) -> Given:
    """The live database, which must answer."""
    session, target = look.session, look.entry.name
    session.url(target)
    look.sets = some_tools(session)
    here = look.here = identity(session, target)
    if look.procedure.changes_production:
        must_not_be_named_so(target, here["database"])
    look.connections.append(here["connections"])
    look.dumped = look.restored = int(here["number"]) // 10000
    known = {"database": here["database"], "system": here["system"], "server": here["server"]}
    return join(places(look), known, {"frozen": here["read_only"] == "on"})


def places(look: Look) -> Given:
    """How the application and the shell beside the database are reached, and where both are on Railway."""
    session, entry = look.session, look.entry
    host = session.host(entry.name)
    return {
        "app": app_inputs(session, entry.name),
        "ssh": host.words if host else (),
        "railway": railway_inputs(session, entry),
        "dump": dump_inputs(session, entry).model_dump(exclude_unset=True),
    }


def railway_inputs(session: Session, entry: Target) -> Given:
    """Where the target is on Railway, by IDs; nothing where it is not."""
    return {"app": str(session.railway(entry.name).app)} if entry.railway else {}


def beside_production(look: Look, _: Given) -> Given:
    """What a new database beside the live one is made from."""
    made_from = template(look.session, look.entry.name)
    return {"beside": {"template": "" if made_from == PLAIN else made_from}}

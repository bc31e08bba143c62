"""Hold the queries of one plan, and the results that later queries use."""

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
    """Report that the procedure has nothing to do; ``reason`` says why."""

    reason: str


@dataclass
class Look:
    """Hold the request of one plan, and the results of its queries.

    Args:
        session: the connections.
        entry: the production target.
        procedure: the procedure whose needs are queried.
        wanted: the request of the command line.
        here: the identity and state that production's server reported.
        dumped: the major version of the dumped server.
        restored: the major version of the server to which a backup is restored.
        connections: the number of free connections of each server.
        marks: the comment of each database of the test server.
        sets: the installed client tools.
    """

    session: Session
    entry: Target
    procedure: Procedure
    wanted: Wanted
    here: dict[str, Any] = field(default_factory=dict)
    dumped: int = 0
    restored: int = 0
    connections: list[int] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    sets: list[Tools] = field(default_factory=list)

    def needs(self, need: Need) -> bool:
        """Return True if the procedure declares the need."""
        return need in self.procedure.needs

    def can_open(self) -> None:
        """Make sure that the secret key is available before the run begins.

        Raises:
            UsageError: the secret key is not available.
        """
        can_open(self.session, self.entry)


def anew(session: Session, entry: Target) -> Given:
    """Return the inputs of every new run: its id, and the inventory's inputs."""
    run = new_run(ids_in(target_folder(session, name) for name in session.inventory.production))
    own = {"run": run, "backup": run, "jobs": wanted_jobs(entry), "release": {"certificate": run}}
    return join(from_inventory(entry), own)


def can_open(session: Session, entry: Target) -> None:
    """Make sure that the secret key is available.

    Raises:
        UsageError: the secret key is not available.
    """
    reference = entry.encrypt.identity if entry.encrypt else None
    if not reference:
        raise UsageError(
            f"{where(session.inventory, entry)}: the backup is encrypted, and the inventory names "
            "no identity to decrypt it",
            "encrypt: {recipients: [age1…], identity: file:PATH}   or   identity: env:NAME",
        )
    session.secrets.age_identity(reference)


def production(look: Look, _: Given) -> Given:
    """Return the inputs of the live database, which must answer."""
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
    """Return how to reach the application and the shell beside the database, and their places on Railway."""
    session, entry = look.session, look.entry
    host = session.host(entry.name)
    return {
        "app": app_inputs(session, entry.name),
        "ssh": host.words if host else (),
        "railway": railway_inputs(session, entry),
        "dump": dump_inputs(session, entry).model_dump(exclude_unset=True),
    }


def railway_inputs(session: Session, entry: Target) -> Given:
    """Return the target's place on Railway, by IDs; empty for other targets."""
    return {"app": str(session.railway(entry.name).app)} if entry.railway else {}


def beside_production(look: Look, _: Given) -> Given:
    """Return the template for a new database on production's server."""
    made_from = template(look.session, look.entry.name)
    return {"beside": {"template": "" if made_from == PLAIN else made_from}}

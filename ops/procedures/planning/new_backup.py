"""Determine how the run's own backup is made: tools, excluded tables, rate."""

from __future__ import annotations

from ops.application.operations import Application
from ops.application.probe import probe
from ops.backups.exclusions import look as look_at_excluded
from ops.core.errors import UsageError
from ops.engine.needs import Need
from ops.infra.session.replica import examine
from ops.inventory.dump import bytes_a_second
from ops.procedures.planning.dump_options import compression, fitting, fitting_jobs
from ops.procedures.planning.from_inventory import Given
from ops.procedures.planning.look import Look
from ops.release.touched_tables import must_not_touch, works_on


def new_backup(look: Look, given: Given) -> Given:
    """Return the excluded tables of a new backup, and its rate.

    A release without a freeze restores its only backup in a rollback, so this backup excludes no table. The excluded
    tables are checked now, so that a large backup is not made in vain.

    Raises:
        OpsError: the store or the standby does not answer, or the pending migrations touch excluded tables.
    """
    session, entry = look.session, look.entry
    if copy := session.stores.working_copy(entry.name):
        copy.must_answer()
    max_rate, migrates = look.wanted.max_rate, look.needs(Need.MIGRATIONS)
    try:
        rate = bytes_a_second(max_rate) if max_rate else entry.dump.rate
    except ValueError as error:
        raise UsageError(f"{entry.name}: --max-rate={max_rate}: {error}", "--max-rate=20MB") from None
    exclude = () if migrates and not given["freezes"] else entry.dump.exclude
    found = look_at_excluded(session, entry.name, exclude) if exclude else None
    if found and migrates:
        application = Application.read(probe(session, entry.name, entry.name))
        if said := works_on(application, found.tables):
            must_not_touch(session, entry.name, said)
    replica = _standby(look, {*found.tables} if found else set()) if entry.dump.from_ == "standby" else {}
    return {"dump": {"exclude": exclude, "rate": rate, **replica}}


def _standby(look: Look, excluded: set[str]) -> Given:
    """Return the inputs of a dump of the standby, which must be usable now."""
    session, entry = look.session, look.entry
    near = examine(session, entry.name, entry.dump.max_lag, excluded)
    look.connections.append(near.connections)
    port = str(session.addresses.endpoint(near.name)[1]) if entry.pg_dump == "host" else ""
    return {"standby": True, "standby_port": port, "max_lag": entry.dump.max_lag}


def choose_tools(look: Look, given: Given) -> Given:
    """Return the tools that fit the servers, their compression, and the number of jobs.

    An encrypted backup must be decryptable on the machine that restores it."""
    session, entry = look.session, look.entry
    restores = look.procedure.restores
    identity = {}
    if restores and given["encryption"].get("sealed"):
        look.can_open()
    elif entry.encrypt and not session.secrets.opener(entry.name):
        identity = {"identity": ""}
    majors = (look.dumped, look.restored)
    session.commands.tools = fitting(session, entry, look.sets, majors, restores or look.wanted.auto_rollback)
    return {
        "encryption": identity,
        "dump": {"compress": compression(session, entry, session.commands.tools, look.dumped)},
        "tools": str(session.commands.tools.major),
        "jobs": fitting_jobs(entry, *look.connections),
    }

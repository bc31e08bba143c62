"""How a run dumps: with which tools, where they run, how it is compressed, how fast, and what stays out."""

from __future__ import annotations

import os

from ops.core.errors import UsageError
from ops.engine.inputs import DumpInputs
from ops.infra.postgres.client import NO_COMPRESS, Tools, choose
from ops.infra.railway.railway_cli import ssh_words
from ops.infra.session.session import Session
from ops.infra.transport.ssh import plainly
from ops.inventory.locate import where
from ops.inventory.targets import Target

# Connections that a run takes beside those of pg_dump or pg_restore: theirs, psql's, the run lock's, the watchdog's.
BESIDE_JOBS = 6
# Where a page finds the database's project, environment and service.
DATABASE_ON = ("DATABASE_PROJECT", "DATABASE_ENVIRONMENT", "DATABASE_SERVICE")


def fitting(session: Session, entry: Target, sets: list[Tools], majors: tuple[int, int], restoring: bool) -> Tools:
    """The tools for a run. Where pg_dump runs beside the database and nothing is restored, those here only ask.

    Args:
        majors: of the server that is dumped, and of the one that is restored to.

    Raises:
        UsageError: none fit.
    """
    if entry.pg_dump != "here" and not restoring:
        return next((one for one in sets if one.major >= majors[0]), sets[-1])
    instead = "" if restoring else beside_hint(entry)
    return choose(sets, *majors, entry.name, instead, "pg_dump" if entry.pg_dump == "here" else "pg_restore")


def beside_hint(entry: Target) -> str:
    """What to write into the inventory so that pg_dump runs where there is one of the server's version."""
    if entry.connection.kind == "ssh":
        return "pg_dump: host   in the inventory, where the host has one"
    return "pg_dump: container   in the inventory" if entry.railway else ""


def dump_inputs(session: Session, entry: Target) -> DumpInputs:
    """Which words reach the shell beside the database in which pg_dump runs; nothing where it runs here."""
    if entry.pg_dump == "container":
        return DumpInputs(over=ssh_words(session.railway(entry.name).database))
    if entry.pg_dump == "host" and (host := session.host(entry.name)):
        return DumpInputs(over=plainly(host.words), port=str(session.addresses.endpoint(entry.name)[1]))
    return DumpInputs()


def compression(session: Session, entry: Target, tools: Tools, major: int) -> str:
    """The ``--compress`` of new dumps: the inventory's, else a fast one, as the tools here can, which read it later;
    pg_dump beside the database is the server's, or newer.

    Raises:
        UsageError: the pg_dump that is taken does not know the inventory's.
    """
    wanted = entry.dump.compress
    if entry.pg_dump != "here":
        return wanted or ("1" if major < 16 else tools.compression())
    if wanted and (said := tools.refuses(wanted)):
        at = where(session.inventory, entry, "dump", "compress")
        raise UsageError(f"{at}: pg_dump {tools.major} does not take compress: {wanted}: {said}", NO_COMPRESS)
    return wanted or tools.compression()


def wanted_jobs(entry: Target) -> int:
    """How many tables at once are dumped and restored where servers have the connections."""
    return entry.dump.jobs or min(os.cpu_count() or 1, 4)


def fitting_jobs(entry: Target, *connections: int) -> int:
    """As many of them as there are connections for.

    Args:
        connections: how many more each server gives this role.
    """
    return max(1, min([wanted_jobs(entry), *(free - BESIDE_JOBS for free in connections)]))


def fewer_jobs(entry: Target, jobs: int) -> str:
    """What to say where there are fewer than wanted; else empty."""
    if jobs >= (wanted := wanted_jobs(entry)):
        return ""
    return f"{entry.name}: {jobs} instead of {wanted} jobs dump and restore: the server has no more connections to give"

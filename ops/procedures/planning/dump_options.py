"""Determine how a run dumps: tools and their machine, compression, rate, excluded tables."""

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

# Connections of a run besides the jobs: pg_dump's or pg_restore's leader, psql, the run lock, the watchdog.
BESIDE_JOBS = 6
# The variables in which a page finds the database's project, environment and service.
DATABASE_ON = ("DATABASE_PROJECT", "DATABASE_ENVIRONMENT", "DATABASE_SERVICE")


def fitting(session: Session, entry: Target, sets: list[Tools], majors: tuple[int, int], restoring: bool) -> Tools:
    """Return the client tools of a run.

    If pg_dump runs beside the database and nothing is restored, the tools on this machine only query the server.

    Args:
        majors: the major versions of the dumped server and of the server to restore to.

    Raises:
        UsageError: no installed tools fit.
    """
    if entry.pg_dump != "here" and not restoring:
        return next((one for one in sets if one.major >= majors[0]), sets[-1])
    instead = "" if restoring else beside_hint(entry)
    return choose(sets, *majors, entry.name, instead, "pg_dump" if entry.pg_dump == "here" else "pg_restore")


def beside_hint(entry: Target) -> str:
    """Return the inventory line with which pg_dump of the server's version runs beside the database."""
    if entry.connection.kind == "ssh":
        return "pg_dump: host   in the inventory, if the host has pg_dump"
    return "pg_dump: container   in the inventory" if entry.railway else ""


def dump_inputs(session: Session, entry: Target) -> DumpInputs:
    """Return how to reach the shell in which pg_dump runs beside the database; empty if pg_dump runs here."""
    if entry.pg_dump == "container":
        return DumpInputs(over=ssh_words(session.railway(entry.name).database))
    if entry.pg_dump == "host" and (host := session.host(entry.name)):
        return DumpInputs(over=plainly(host.words), port=str(session.addresses.endpoint(entry.name)[1]))
    return DumpInputs()


def compression(session: Session, entry: Target, tools: Tools, major: int) -> str:
    """Return the ``--compress`` of new dumps: the inventory's, or else a fast one that the tools here can read.

    pg_dump beside the database has the server's version or a newer one.

    Raises:
        UsageError: the chosen pg_dump does not support the inventory's compression.
    """
    wanted = entry.dump.compress
    if entry.pg_dump != "here":
        return wanted or ("1" if major < 16 else tools.compression())
    if wanted and (said := tools.refuses(wanted)):
        at = where(session.inventory, entry, "dump", "compress")
        raise UsageError(f"{at}: pg_dump {tools.major} does not take compress: {wanted}: {said}", NO_COMPRESS)
    return wanted or tools.compression()


def wanted_jobs(entry: Target) -> int:
    """Return how many tables are dumped and restored in parallel if the servers have enough connections."""
    return entry.dump.jobs or min(os.cpu_count() or 1, 4)


def fitting_jobs(entry: Target, *connections: int) -> int:
    """Return the number of jobs for which the servers have connections.

    Args:
        connections: how many more connections each server gives this role.
    """
    return max(1, min([wanted_jobs(entry), *(free - BESIDE_JOBS for free in connections)]))


def fewer_jobs(entry: Target, jobs: int) -> str:
    """Return the warning about fewer jobs than requested; empty without one."""
    if jobs >= (wanted := wanted_jobs(entry)):
        return ""
    return f"{entry.name}: {jobs} instead of {wanted} jobs dump and restore: the server has no more free connections"

"""How a run dumps: with which tools, where they run, how it is compressed, how fast, and what stays out."""

from __future__ import annotations

from typing import Any

from ops.errors import UsageError
from ops.excluded import look, must_not_touch, touched, where
from ops.inputs import Inputs
from ops.inventory import Target
from ops.inventory_dump import bytes_a_second
from ops.operations import Application
from ops.postgres import NO_COMPRESS, Tools, choose, installed
from ops.probes import probe
from ops.railway import ssh_words
from ops.ssh import plainly
from ops.world import World

# These restore no backup, so pg_restore need not read one.
ONLY_DUMP = {"backup", "freeze", "unfreeze", "discard-replaced", "promote", "railway-restore"}
# Where a page finds the database's project, environment and service.
DATABASE_ON = ("DATABASE_PROJECT", "DATABASE_ENVIRONMENT", "DATABASE_SERVICE")


def use_tools(world: World, inputs: Inputs) -> None:
    """Take the tools of the version with which a run was planned.

    Raises:
        UsageError: they are not there any more.
    """
    for tools in installed(world.environ.get("PATH", "")):
        if str(tools.major) == inputs.tools:
            world.tools = tools
            return
    raise UsageError(
        f"{inputs.target}: run {inputs.run} was planned with PostgreSQL tools {inputs.tools}, which are not here",
        f"apt-get install postgresql-client-{inputs.tools}",
    )


def some_tools(world: World) -> list[Tools]:
    """All tools; any psql will do for a look, so the newest is taken for now."""
    sets = installed(world.environ.get("PATH", ""))
    if not sets:
        raise UsageError("no psql, pg_dump and pg_restore are installed here", "apt-get install postgresql-client")
    world.tools = sets[-1]
    return sets


def restores(procedure: str, auto_rollback: bool = False) -> bool:
    """Whether a procedure restores a backup, so that pg_restore here has to read it."""
    return procedure not in ONLY_DUMP or (procedure == "promote" and auto_rollback)


def fitting(world: World, entry: Target, sets: list[Tools], majors: tuple[int, int], restoring: bool) -> Tools:
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


def dump_inputs(world: World, entry: Target) -> dict[str, Any]:
    """Which words reach the shell beside the database in which pg_dump runs; nothing where it runs here."""
    if entry.pg_dump == "container":
        return {"dump_over": ssh_words(world.railway(entry.name).database)}
    if entry.pg_dump == "host" and (host := world.host(entry.name)):
        return {"dump_over": plainly(host.words), "dump_port": str(world.endpoint(entry.name)[1])}
    return {}


def compression(world: World, entry: Target, tools: Tools, major: int) -> str:
    """The ``--compress`` of new dumps: the inventory's, else a fast one, as the tools here can, which read it later;
    pg_dump beside the database is the server's, or newer.

    Raises:
        UsageError: the pg_dump that is taken does not know the inventory's.
    """
    wanted = entry.dump.compress
    if entry.pg_dump != "here":
        return wanted or ("1" if major < 16 else tools.compression())
    if wanted and (said := tools.refuses(wanted)):
        at = where(world, entry.name, key="compress")
        raise UsageError(f"{at}: pg_dump {tools.major} does not take compress: {wanted}: {said}", NO_COMPRESS)
    return wanted or tools.compression()


def may_stay_out(world: World, target: str, procedure: str, patterns: tuple[str, ...]) -> None:
    """Look at once at what the gates look at when the time has come: a large backup is not taken for nothing."""
    found = look(world, target, patterns) if patterns else None
    if found and procedure == "release":
        application = Application.read(probe(world, target, target))
        if said := touched(application, found.tables):
            must_not_touch(world, target, said)


def held_back(entry: Target, procedure: str, max_rate: str, frozen: bool) -> dict[str, Any]:
    """Whose rows stay out of a new backup, and how fast it is written. Where a release does not freeze production, its
    only backup is its way back: that holds every table."""
    whole = procedure == "release" and not frozen
    try:
        rate = bytes_a_second(max_rate) if max_rate else entry.dump.rate
    except ValueError as error:
        raise UsageError(f"{entry.name}: --max-rate={max_rate}: {error}", "--max-rate=20MB") from None
    return {"exclude": () if whole else entry.dump.exclude, "rate": rate}

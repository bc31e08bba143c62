"""What a person looks up: backups, runs, where we stand, the pages' variables. All of it only reads."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from dataclasses import asdict
from typing import Any

from ops import backup, console, counted, frozen, journal, kept, proved
from ops.bind import railway_inputs
from ops.command import Query, Secret, quote
from ops.dumping import DATABASE_ON, compression, some_tools
from ops.engine.gone import engine_data, engine_told
from ops.engine.place import aside_of
from ops.errors import DONE, OpsError, Unreachable
from ops.fingerprint import listed
from ops.forward import HERE
from ops.identity import server_of
from ops.journal import State
from ops.main import Options, every_run, status_lines, target_of, world_of
from ops.needed import pins
from ops.on_volume import OnVolume
from ops.postgres import json_lines
from ops.probes import identity, target_folder
from ops.rehearsal import rehearsal_of
from ops.volume import VolumeBackup
from ops.world import SQL_FOLDER, World

CLOSED = "CLOSED to everybody: an exchange of databases was cut off; resuming or undoing that run opens it"


def _names(world: World, options: Options) -> list[str]:
    return [target_of(world, options)] if options.target else list(world.inventory.production)


def backups(options: Options) -> int:
    """List every backup with its age, size and rows, and Railway's own ones beside them."""
    world = world_of(options)
    rows: list[list[str]] = []
    data: list[dict[str, Any]] = []
    notes: list[str] = []
    for name in _names(world, options):
        states = journal.runs(target_folder(world, name))
        done, bad = proved.proved(states), proved.failed(states)
        pinned = pins(target_folder(world, name))
        copy = world.working_copy(name)
        stored = copy.stored if copy else None
        for manifest in backup.backups(target_folder(world, name)):
            count = sum(manifest.rows.values())
            rows.append(
                [
                    name,
                    manifest.backup
                    + (f" (delta of {manifest.delta_of})" if manifest.delta_of else "")
                    + engine_told(world, manifest)
                    + (" (pinned)" if manifest.backup in pinned else "")
                    + (" (HERE ONLY)" if stored is not None and manifest.backup not in stored else "")
                    + (f" (without {listed(sorted(manifest.excluded))})" if manifest.excluded else ""),
                    backup.age(manifest.taken_at),
                    f"{manifest.whole / 1e6:,.1f} MB",
                    f"{count:,}",
                    proved.told(manifest.backup, done, bad),
                    manifest.commit[:12],
                ]
            )
            data.append(
                {
                    "event": "backup",
                    "target": name,
                    "backup": manifest.backup,
                    "rows": count,
                    "taken_at": manifest.taken_at.isoformat(),
                    "bytes": manifest.whole,
                    "commit": manifest.commit,
                    "proved": done[manifest.backup].data() if manifest.backup in done else None,
                    "pinned": pinned.get(manifest.backup),
                    **({"stored": manifest.backup in stored} if stored is not None else {}),
                    **({"failed_drill": bad[manifest.backup]} if manifest.backup in bad else {}),
                    **({"delta_of": manifest.delta_of} if manifest.delta_of else {}),
                    **engine_data(world, manifest),
                    **({"excluded": manifest.excluded} if manifest.excluded else {}),
                }
            )
        if entry := world.inventory.target(name).railway:
            more, said = _volume_backups(world, name) if entry.backups or entry.schedule else ([], "")
            for one in more:
                shown = f"{one.name or 'automatic'} (Railway's, {one.id})"
                old = backup.age(one.taken) if one.taken else ""
                rows.append([name, shown, old, f"{one.megabytes:,.1f} MB", "", "", ""])
            data += [{"event": "railway-backup", "target": name, **asdict(one)} for one in more]
            notes += [said] if said else []
    screen = console.Console(options.json)
    screen.table("backups", ["target", "backup", "age", "size", "rows", "proved", "commit"], rows, data)
    for note in notes:
        screen.text(note)
    return DONE


def _volume_backups(world: World, target: str) -> tuple[list[VolumeBackup], str]:
    """Railway's own backups, or why none are listed."""
    try:
        return OnVolume(world.railway(target)).backups(), ""
    except OpsError as error:
        return [], f"{error.message}; the list holds ours only" + (f"; Try: {error.hint}" if error.hint else "")


def runs(options: Options) -> int:
    """List every run and how it ended."""
    world = world_of(options)
    rows, data = [], []
    for state in every_run(world, options.target and target_of(world, options)):
        outcome = str(state.outcome["outcome"]) if state.outcome else "interrupted"
        rows.append([state.run, state.target, state.procedure, outcome, str(state.header.get("reason") or "")])
        data.append(
            {
                "event": "run-listed",
                "run": state.run,
                "target": state.target,
                "procedure": state.procedure,
                "outcome": outcome,
            }
        )
    console.Console(options.json).table("runs", ["run", "target", "procedure", "outcome", "reason"], rows, data)
    return DONE


def status(options: Options) -> int:
    """Say for each target what its last run did, what stands now, and what to type next."""
    world = world_of(options)
    screen = console.Console(options.json)
    for name in _names(world, options):
        known = every_run(world, name)
        now = _present(world, name)
        if now.get("frozen"):
            now["frozen_since"] = frozen.since(known)
        if options.json:
            state = known[-1] if known else None
            screen.show(
                {
                    "event": "status",
                    "target": name,
                    "run": state.run if state else None,
                    "procedure": state.procedure if state else None,
                    "outcome": (state.outcome or {}).get("outcome", "interrupted") if state else None,
                    **now,
                    **({"kept": [one.data(_days(world, name)) for one in now["kept"]]} if "kept" in now else {}),
                }
            )
            continue
        lines = [line for state in _telling(known) for line in status_lines(world, state)] or [f"{name}: no run yet"]
        screen.text("\n".join([*lines, *_present_lines(world, name, now, any("Try:" in line for line in lines))]))
    return DONE


def _telling(known: list[State]) -> list[State]:
    """The last run; before it, where that only froze, unfroze or backed up, the last one that did more."""
    small = ("freeze", "unfreeze", "backup")
    more = [state for state in known if state.procedure not in small][-1:]
    return more if not known or known[-1] in more else [*more, known[-1]]


def _present(world: World, name: str) -> dict[str, Any]:
    """What the servers say right now; an unreachable one is said, not raised."""
    test = world.inventory.target(name).test
    try:
        world.url(name)
        some_tools(world)
        here = identity(world, name)
        found: dict[str, Any] = {
            "database": here["database"],
            "frozen": here["read_only"] == "on",
            "kept": kept.kept(world, name, here["database"]),
        }
        told = {one.name for one in found["kept"]}
        found["aside"] = [db for db in aside(here["databases"], here["database"]) if db not in told]
        if test:
            world.url(test)
            done = world.run(Query("identity.sql", test, "postgres"))
            there: Any = json_lines(done.out)[0]["databases"] if done.exit == 0 else {}
            found["test"] = there.get(world.database(test), "") or "not a clone"
            found["aside"] += [db for db in aside(there, world.database(test)) if db not in found["aside"]]
        return found
    except OpsError as error:
        closed = "not currently accepting connections" in error.message
        return {"unreachable": error.message + (f"; it is {CLOSED}" if closed else "")}


def aside(databases: dict[str, str], database: str) -> list[str]:
    """The databases on a server that runs have left beside one, by their names."""
    return sorted(
        db
        for db in databases
        if any(
            db.startswith(f"{database}_{what}")
            for what in ("replaced_", "restored_", "undone_", "spare_", "salvage_", "drill_", "before", "rehearsal")
        )
    )


def _days(world: World, name: str) -> float:
    return world.inventory.target(name).keep_replaced


def _present_lines(world: World, name: str, now: dict[str, Any], told: bool) -> list[str]:
    if "unreachable" in now:
        return [f"  now:     {now['unreachable']}"]
    lines = [f"  now:     {now['database']} " + ("takes writes" if not now["frozen"] else _frozen(now))]
    if now["frozen"]:
        lines.append(
            f"  or, to give up what is not finished and let users write again:   inv unfreeze --target={name}"
            if told
            else f"  Try: inv unfreeze --target={name}"
        )
    if "test" in now:
        lines.append(f"  test:    {now['test']}")
    lines += [line for one in now["kept"] for line in one.lines(_days(world, name))]
    if now["aside"]:
        lines.append(f"  aside:   {', '.join(now['aside'])}")
    return lines


def _frozen(now: dict[str, Any]) -> str:
    return f"is FROZEN (read-only) {now['frozen_since'] or '(by no run in this store)'}"


def environment(options: Options) -> int:
    """Print the variables that a page's blocks use, as shell exports; passwords go to a private file, and URLs only
    into what the shell evaluates."""
    world = world_of(options)
    name = target_of(world, options)
    tools = some_tools(world)
    entry = world.inventory.target(name)
    here = _known(world, name)
    fit = [found for found in tools if found.major >= int(here["number"]) // 10000] or tools
    values = {
        "TARGET": name,
        "DATABASE": here["database"],
        "SYSTEM": here["system"],
        "OPS_SQL": str(SQL_FOLDER),
        "OPS_PYTHON": sys.executable,
        "COMPRESS": compression(world, entry, fit[0], int(here["number"]) // 10000),
        Secret(name).variable: world.url(name),
    }
    if entry.test:
        values |= {"TEST_DATABASE": world.database(entry.test), Secret(entry.test).variable: world.url(entry.test)}
        try:
            values["TEST_SYSTEM"] = str(server_of(world, entry.test)["system"])
        except OpsError as error:  # Not every page needs it.
            print(f"{error.message}; so TEST_SYSTEM is not set", file=sys.stderr)
        if entry.defang is not None:
            other = rehearsal_of(entry.test)
            values[Secret(other).variable] = world.url(other)
    if entry.railway:
        values["RAILWAY"] = railway_inputs(world, entry)["railway"]
        place = world.railway(name).database
        values |= dict(zip(DATABASE_ON, (place.project, place.environment, place.service), strict=True))
    if entry.pg_dump == "host":
        values["DATABASE_PORT"] = str(world.endpoint(name)[1])
    known = [name, *([entry.test] if entry.test else []), *([other] if entry.test and entry.defang is not None else [])]
    if entry.pgbackrest:
        world.url(aside_of(name))
        known.append(aside_of(name))
    ports = {one: _free_port() for one in known if world.host(one)}
    values["PGSERVICEFILE"] = str(world.keep_private(ports) / "services")
    values["PATH"] = os.pathsep.join([str(fit[0].folder), world.environ.get("PATH", os.defpath)])
    for key, value in values.items():
        print(f"export {key}={shlex.quote(value)}")
    for line in _tunnels(world, ports):
        print(line)
    return DONE


def _known(world: World, name: str) -> dict[str, Any]:
    """What the database says of itself. Where it does not answer, what its newest backup says of it: what is for a
    night in which it is down needs no more, and every other page looks first whether it is there.

    Raises:
        Unreachable: it does not answer, and there is no backup.
    """
    try:
        return identity(world, name)
    except Unreachable as error:
        newest = counted.newest(counted.real(backup.backups(target_folder(world, name))))
        if newest is None:
            raise
        print(f"{error.message}; so this is what it was in {newest.backup}", file=sys.stderr)
        return {"database": newest.database, "system": newest.system, "number": newest.server}


def _free_port() -> int:
    with socket.create_server((HERE, 0)) as free:
        return int(free.getsockname()[1])


def _tunnels(world: World, ports: dict[str, int]) -> list[str]:
    """The lines that open a tunnel to the database of each target behind SSH, and close them with the shell."""
    # Beside the private folder, which a page's last block removes.
    opened, closed, folder = [], [], world.private.parent
    for target, here in ports.items():
        host = world.host(target)
        assert host is not None
        there, port = world.endpoint(target)
        over = " ".join(map(quote, (*host.words[:-1], "-S", str(folder / f"{target}.ssh"))))
        way, name = quote(f"{HERE}:{here}:{there}{f':{port}' if port else ''}"), quote(host.words[-1])
        opened.append(f"{over} -fNM -o ExitOnForwardFailure=yes -L {way} {name} < /dev/null > /dev/null")
        closed.append(f"{over} -O exit {name} 2> /dev/null")
    ends = "; ".join([*closed, f"rmdir {quote(str(folder))} 2> /dev/null || true"])
    return [*opened, f"trap {quote(ends)} EXIT"] if opened else []

"""Probes and binding: what is looked up before a plan is made, and the inputs that come of it. Read-only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ops import backup, certificate
from ops.command import Query
from ops.django import only_adds
from ops.errors import OpsError, Refused, UsageError
from ops.ids import ids_in, new_run
from ops.inputs import Inputs, named
from ops.inventory import Target
from ops.measures import asks_freeze
from ops.postgres import Tools, choose, installed, json_lines, said_error
from ops.probes import app_inputs, commit_of, declarations, identity, pending_digest, probe, target_folder
from ops.world import World

# What each procedure has to know beside its target.
NEEDS_TEST = {"clone-prod-to-test", "migrate-test", "verify", "release"}
NEEDS_APP = {"migrate-test", "verify", "promote", "release"}


@dataclass
class NothingToDo(Exception):
    """There is nothing for this procedure to do; ``reason`` says why."""

    reason: str


def bind(world: World, procedure: str, target: str, *, backup_id: str = "", draft: bool = False) -> Inputs:
    """Look at everything that a plan depends on and freeze it.

    Args:
        world: the connections.
        procedure: the procedure's name.
        target: a production target's name.
        backup_id: for ``rollback``: an id or ``latest``.
        draft: for ``verify``: draft declarations for what is refused.

    Raises:
        NothingToDo: no migration is pending.
        OpsError: something can't be reached, or must not be.
    """
    entry = world.inventory.target(target)
    if entry.kind != "production":
        raise UsageError(f"{target} is a test target", f"--target={' or '.join(world.inventory.production)}")
    if entry.store.startswith("s3://"):
        raise UsageError(f"{target}: only folders are built as stores yet, not {entry.store}", "store: backups")
    world.url(target)
    sets = some_tools(world)
    here = identity(world, target)
    given: dict[str, Any] = {
        "run": new_run(ids_in(target_folder(world, name) for name in world.inventory.production)),
        "target": target,
        "database": here["database"],
        "system": here["system"],
        "server": here["server"],
        "store": entry.store,
        "app": app_inputs(world, target),
        "checks": entry.checks,
        "deploy": entry.deploy or (),
        "health": entry.health or (),
        "lock_timeout": entry.lock_timeout,
        "retries": entry.retries,
        "certificate_hours": entry.certificate_hours,
        "jobs": min(os.cpu_count() or 1, 4),
        "frozen": here["read_only"] == "on",
        "draft": draft,
    }
    given |= {"backup": given["run"], "certificate": given["run"]}
    major = there = int(here["number"]) // 10000
    if procedure in NEEDS_TEST:
        found = _test(world, entry, here)
        there = found.pop("major")
        given |= found
    if procedure in NEEDS_APP:
        given |= _app(world, entry)
    if procedure in ("migrate-test", "verify"):
        given["backup"] = _clone_run(given)
    if procedure == "promote":
        given |= _certified(world, entry, given["frozen"])
    if procedure == "rollback":
        manifest = backup.find(target_folder(world, target), backup_id)
        given |= {"backup": manifest.backup, "release": manifest.commit.removesuffix("-dirty")}
        major = max(major, manifest.server // 10000)
    world.tools = choose(sets, major, there, target)
    given["compress"], given["tools"] = world.tools.compression(), str(world.tools.major)
    given.pop("marker", None)
    return Inputs(**given)


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


def _test(world: World, entry: Target, here: dict[str, Any]) -> dict[str, Any]:
    test = world.inventory.test_of(entry)
    world.url(test.name)
    name = world.database(test.name)
    done = world.run(Query("identity.sql", test.name, "postgres"))
    if done.exit:
        raise OpsError(f"{test.name}: the server does not answer: {said_error(done.err)}", "check its address")
    there = json_lines(done.out)[0]
    databases: dict[str, str] = there["databases"]  # type: ignore[assignment]
    if (there["system"], name) == (here["system"], here["database"]):
        raise UsageError(
            f"{world.inventory.file.name}:{test.line}: {test.name} is the very database of {entry.name}: "
            f"{name} on the same server",
            f"give {test.name} a database of its own",
        )
    former = tuple(named(name, what) + "_" for what in ("replaced", "roundtrip", "migrated"))
    tidy = [db for db, mark in databases.items() if db.startswith(former) and mark.startswith("generalprobe clone ")]
    return {
        "test": test.name,
        "test_database": name,
        "test_system": there["system"],
        "test_exists": name in databases,
        "test_like": here["database"] if there["system"] == here["system"] else "postgres",
        "tidy": tuple(sorted(tidy)),
        "major": int(str(there["number"])) // 10000,
        "marker": databases.get(name, ""),
    }


def _app(world: World, entry: Target) -> dict[str, Any]:
    if entry.app is None:
        raise UsageError(
            f"{world.inventory.file.name}:{entry.line}: {entry.name} has no app, so nothing can be migrated",
            "app: {dir: ../shop, manage: [python, manage.py]}",
        )
    declarations(world, entry.name)
    found = probe(world, entry.name, entry.name)
    if found["conflicts"]:
        apps = ", ".join(f"{app} ({', '.join(names)})" for app, names in found["conflicts"].items())
        raise Refused(f"{entry.name}: conflicting migrations in {apps}", "python manage.py makemigrations --merge")
    if found["unknown"]:
        raise Refused(
            f"{entry.name}: production has migrations unknown to this release: {', '.join(found['unknown'][:3])}",
            "check out a release that is at least as new as production's",
        )
    if not found["pending"]:
        raise NothingToDo(f"{entry.name}: no migration is pending; production has all of this release")
    freeze = {"always": True, "never": False}.get(entry.freeze, not only_adds(found["pending"]))
    commit = commit_of(world, entry.name)
    return {
        "pending": tuple(m["name"] for m in found["pending"]),
        "migrations": pending_digest(found),
        "commit": commit,
        "release": commit.removesuffix("-dirty"),
        "frozen": freeze,
    }


def _clone_run(given: dict[str, Any]) -> str:
    """The backup of which the test database is a clone, by its mark."""
    mark = given["marker"]
    if not mark.startswith(f"generalprobe clone of {given['target']}, run "):
        raise Refused(
            f"{given['test']}: {given['test_database']} is not a clone of {given['target']}"
            + (f" (its mark says: {mark})" if mark else " (it has no mark)"),
            f"inv clone-prod-to-test --target={given['target']}",
        )
    return str(mark.rsplit(" ", 1)[-1])


def _certified(world: World, entry: Target, frozen: bool) -> dict[str, Any]:
    """The newest certificate. With ``freeze: auto``, what was measured can ask for a freeze, too."""
    folder = target_folder(world, entry.name)
    name = certificate.newest(folder)
    found = certificate.read(folder, name)
    asked = entry.freeze == "auto" and bool(asks_freeze(found.measured))
    return {"certificate": name, "backup": found.bound.backup, "frozen": frozen or asked}

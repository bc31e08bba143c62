"""Probes and binding: what is looked up before a plan is made, and the inputs that come of it. Read-only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ops import backup, certificate, chosen, journal, kept
from ops.defang.script import DEFANGED
from ops.defang.wish import wish_of
from ops.django import only_adds
from ops.dumping import ONLY_DUMP, compression, dump_inputs, fitting, held_back, may_stay_out, restores, some_tools
from ops.errors import Refused, UsageError
from ops.excluded import must_be_whole
from ops.identity import no_production, server_of
from ops.ids import ids_in, new_run
from ops.inputs import DefangInputs, HealthInputs, Inputs, beside, named
from ops.inventory import Target
from ops.measures import asks_freeze
from ops.probes import app_inputs, commit_of, declarations, identity, pending_digest, probe, target_folder
from ops.rehearsal import is_rehearsal, rehearsal_of
from ops.salvage.wanted import bound
from ops.wanted import Wanted
from ops.world import World

# What each procedure has to know beside its target.
NEEDS_TEST = {"clone-prod-to-test", "migrate-test", "verify", "release"}
NEEDS_STORE = {"backup", "clone-prod-to-test", "release"}
NEEDS_APP = {"migrate-test", "verify", "promote", "release"}
# Where the inventory has `defang`: what gives people a copy is defanged; a rehearsal needs the true rows, elsewhere.
DEFANGS = {"clone-prod-to-test"}
REHEARSES = {"release", "migrate-test", "verify"}


@dataclass
class NothingToDo(Exception):
    """There is nothing for this procedure to do; ``reason`` says why."""

    reason: str


def bind(world: World, procedure: str, target: str, wanted: Wanted = Wanted()) -> Inputs:  # noqa: B008
    """Look at everything that a plan depends on and freeze it.

    Args:
        world: the connections.
        procedure: the procedure's name.
        target: a production target's name.
        wanted: what else was asked for.

    Raises:
        NothingToDo: no migration is pending.
        OpsError: something can't be reached, or must not be.
    """
    entry = world.inventory.target(target)
    if entry.kind != "production":
        raise UsageError(f"{target} is a test target", f"--target={' or '.join(world.inventory.production)}")
    if (copy := world.working_copy(target)) and procedure in NEEDS_STORE:
        copy.must_answer()
    world.url(target)
    sets = some_tools(world)
    here, host = identity(world, target), world.host(target)
    given: dict[str, Any] = {
        **anew(world, entry),
        "database": here["database"],
        "system": here["system"],
        "server": here["server"],
        "app": app_inputs(world, target),
        "ssh": host.words if host else (),
        "checks": entry.checks,
        "deploy": entry.deploy or (),
        **railway_inputs(world, entry),
        **dump_inputs(world, entry),
        **health_inputs(entry),
        "lock_timeout": entry.lock_timeout,
        "retries": entry.retries,
        "certificate_hours": entry.certificate_hours,
        "frozen": here["read_only"] == "on",
        "draft": wanted.draft,
        "auto_rollback": wanted.auto_rollback,
        "failed_run": wanted.failed_run,
        "keep_replaced": entry.keep_replaced,
    }
    given |= {"backup": given["run"], "certificate": given["run"]}
    major = there = int(here["number"]) // 10000
    if procedure in NEEDS_TEST:
        found = _test(world, entry, here, procedure)
        there = found.pop("major")
        given |= found
    if procedure in DEFANGS and (wish := wish_of(world, target)):
        given["defang"] = DefangInputs(digest=wish.digest, files=wish.files)
    if procedure in NEEDS_APP:
        given |= _app(world, entry)
    if procedure in ("migrate-test", "verify"):
        given["backup"] = _clone_run(given)
    if procedure == "promote":
        given |= _certified(world, entry, given["frozen"])
    if procedure in ("rollback", "auto-rollback", "salvage"):
        folder = target_folder(world, target)
        choice = chosen.choose(folder, wanted.backup, journal.runs(folder), major, delta=procedure == "salvage")
        given |= {"backup": choice.manifest.backup, "chosen": choice.said, "sealed": choice.manifest.sealed}
        if procedure != "salvage" and not wanted.incomplete:
            must_be_whole(target, choice.manifest, backup.backups(folder))
        major = max(major, choice.manifest.server // 10000)
        if procedure == "salvage":
            given["salvage"] = bound(world, target, choice.manifest, wanted.salvage)
        else:
            given |= {"release": _released(choice.manifest), "export": wanted.export}
            given["freezes"] = not given["frozen"] and (wanted.freeze or entry.freeze == "always")
    if procedure == "rollback-to-replaced" and wanted.backup:
        raise UsageError(f"{target}: either --backup or --to-replaced, not both", "inv rollback --help")
    if procedure in ("rollback-to-replaced", "discard-replaced"):
        given |= _kept(world, entry, procedure, here["database"], wanted.kept)
    if procedure in ("migrate-test", "verify"):
        known = backup.backups(target_folder(world, target))
        given["sealed"] = any(one.sealed for one in known if one.backup == given["backup"])
    if given.get("sealed") and procedure not in ONLY_DUMP:
        can_open(world, entry)
    elif entry.encrypt and not world.opener(target):
        given["identity"] = ""
    world.tools = fitting(world, entry, sets, (major, there), restores(procedure, wanted.auto_rollback))
    given |= {"compress": compression(world, entry, world.tools, major), "tools": str(world.tools.major)}
    if procedure in NEEDS_STORE:
        given |= held_back(entry, procedure, wanted.max_rate, given["frozen"])
        may_stay_out(world, target, procedure, given["exclude"])
    given.pop("marker", None)
    return Inputs(**given)


def anew(world: World, entry: Target) -> dict[str, Any]:
    """What every new run has, whatever it is about: its id, its target, where it is kept, to whom it is encrypted."""
    return {
        "run": new_run(ids_in(target_folder(world, name) for name in world.inventory.production)),
        "target": entry.name,
        "store": entry.folder,
        "remote": entry.remote,
        "jobs": entry.dump.jobs or min(os.cpu_count() or 1, 4),
        **encryption(entry),
    }


def _test(world: World, entry: Target, here: dict[str, Any], procedure: str) -> dict[str, Any]:
    test = world.inventory.test_of(entry)
    rehearses = entry.defang is not None and procedure in REHEARSES
    meant = rehearsal_of(test.name) if rehearses else test.name
    world.url(meant)
    name = world.database(meant)
    there = server_of(world, meant)
    databases: dict[str, str] = there["databases"]
    if (there["system"], name) == (here["system"], here["database"]):
        raise UsageError(
            f"{world.inventory.file.name}:{test.line}: {test.name} is the very database of {entry.name}: "
            f"{name} on the same server",
            f"give {test.name} a database of its own",
        )
    no_production(world, test, name, there["system"])
    ours = (f"generalprobe clone of {entry.name}, run ", "generalprobe clone round trip, run ")
    former = [db for db in databases if beside(db, name, "replaced", "roundtrip", "migrated")]
    tidy = [db for db in former if databases[db].startswith(ours)]
    if entry.defang is not None and not rehearses:
        tidy += _true_copies(name, databases, entry.name)
    return {
        "test": meant,
        "test_database": name,
        "test_system": there["system"],
        # What an earlier rehearsal left is nobody's: nothing of it is to come back.
        "test_exists": name in databases and not rehearses,
        "test_like": here["database"] if there["system"] == here["system"] else "postgres",
        "tidy": tuple(sorted(tidy)),
        "major": int(str(there["number"])) // 10000,
        "marker": databases.get(name, ""),
    }


def _true_copies(name: str, databases: dict[str, str], target: str) -> list[str]:
    """What earlier rehearsals left beside a test database that is only for defanged clones: copies with true rows."""
    ours = (
        f"generalprobe clone of {target}, run ",
        "generalprobe clone before, run ",
        "generalprobe clone round trip, run ",
    )
    other = named(name, "rehearsal")
    left = {named(name, "before"), other, named(other, "before")}
    left |= {db for db in databases if beside(db, other, "replaced", "roundtrip", "migrated", "spare")}
    return [db for db in left if databases.get(db, "").startswith(ours)]


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


def railway_inputs(world: World, entry: Target) -> dict[str, Any]:
    """Where the target is on Railway, by IDs, and how it is deployed there; nothing where it is not."""
    if entry.railway is None:
        return {}
    return {"railway": str(world.railway(entry.name).app), **railway_wishes(entry)}


def encryption(entry: Target) -> dict[str, Any]:
    """To whom new backups are encrypted, and where the secret key is; nothing where they are not."""
    if entry.encrypt is None:
        return {}
    return {
        "recipients": entry.encrypt.recipients,
        "identity": entry.encrypt.identity or "",
        "sealed": True,
    }


def can_open(world: World, entry: Target) -> None:
    """Make sure that the secret key is at hand before anything is begun that needs it.

    Raises:
        UsageError: it is not.
    """
    reference = entry.encrypt.identity if entry.encrypt else None
    if not reference:
        raise UsageError(
            f"{world.inventory.file.name}:{entry.line}: {entry.name}: the backup is encrypted, and no identity that "
            "opens it is named",
            "encrypt: {recipients: [age1…], identity: file:PATH}   or   identity: env:NAME",
        )
    world.age_identity(reference)


def railway_wishes(entry: Target) -> dict[str, Any]:
    """What the inventory wants of Railway, without asking it."""
    if entry.railway is None:
        return {}
    return {"railway_deploy": entry.railway.deploy or "", "railway_backups": entry.railway.backups}


def health_inputs(entry: Target) -> dict[str, Any]:
    """The inventory's health check: a command that is tried once is a command of the page as it stands."""
    health = entry.health
    if health is None:
        return {}
    if health.command and not health.timeout:
        return {"health": health.command}
    return {
        "asked_health": HealthInputs(
            url=health.url or "",
            command=health.command or (),
            status=health.status,
            timeout=health.timeout,
            every=health.every,
        )
    }


def _released(manifest: backup.Manifest) -> str:
    return manifest.commit.removesuffix("-dirty")


def _kept(world: World, entry: Target, procedure: str, database: str, wanted: str) -> dict[str, Any]:
    """The kept database that is meant, and the release that was deployed when it was replaced."""
    known = kept.kept(world, entry.name, database)
    if procedure == "discard-replaced":
        one = kept.to_discard(entry.name, known, wanted, database, entry.keep_replaced)
    else:
        one = kept.to_swap_in(entry.name, known, wanted)
    safety = [m for m in backup.backups(target_folder(world, entry.name)) if m.backup == f"{one.run}_safety"]
    release = _released(safety[0]) if safety and one.what == "replaced" else ""
    return {"kept": one.name, "kept_oid": one.oid, "chosen": f"{one.name}: {one.story}", "release": release}


def _clone_run(given: dict[str, Any]) -> str:
    """The backup of which the test database is a clone, by its mark."""
    mark = given["marker"]
    if is_rehearsal(given["test"]) and not mark:
        raise Refused(
            f"{given['test']}: there is no {given['test_database']}: it is made by a release, to be rehearsed on",
            f"inv release --target={given['target']}",
        )
    if not mark.startswith(f"generalprobe clone of {given['target']}, run "):
        raise Refused(
            f"{given['test']}: {given['test_database']} is not a clone of {given['target']}"
            + (f" (its mark says: {mark})" if mark else " (it has no mark)"),
            f"inv clone-prod-to-test --target={given['target']}",
        )
    first, _, state = mark.partition("\n")
    if state == DEFANGED:
        raise Refused(
            f"{given['test']}: {given['test_database']} is a defanged clone of {given['target']}: comparing with it "
            "would not prove that production's rows survive",
            f"inv release --target={given['target']}   (it rehearses on a true copy)",
        )
    return str(first.rsplit(" ", 1)[-1])


def _certified(world: World, entry: Target, frozen: bool) -> dict[str, Any]:
    """The newest certificate. With ``freeze: auto``, what was measured can ask for a freeze, and so does a
    backup that is not whole: the last one, under the freeze, is."""
    folder = target_folder(world, entry.name)
    name = certificate.newest(folder)
    found = certificate.read(folder, name)
    asked = entry.freeze == "auto" and bool(asks_freeze(found.measured) or found.excluded)
    return {"certificate": name, "backup": found.bound.backup, "frozen": frozen or asked}

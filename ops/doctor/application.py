"""Checks of the application: does it start, what is pending, which code is it, are the programs of a release there."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ops.application.database_aliases import check_isolated, others
from ops.application.probe import commit_of, declarations, probe, unfit
from ops.core.text import listed
from ops.doctor.check import Finding, Subject, check, fail, ok, warn
from ops.engine.command import Shell, quote
from ops.release.measuring.maintenance_window import closes, opens
from ops.release.rehearsal import check_app

# A path is looked at, a bare name is looked for on PATH; the program is never run. 3: it is there, not executable.
PROGRAM = 'case "$1" in */*) test -f "$1" && { test -x "$1" || exit 3; } ;; *) command -v "$1" ;; esac >/dev/null'
NONE = "no app in the inventory: backup and rollback only"


@check("app", "server", "pooler", "tools")
def starts(subject: Subject) -> Finding:
    """Check that `manage.py` starts, and that it talks to this very database.

    The settings that its sessions are given at their start (`lock_timeout`, read-only) must arrive at the server.
    """
    if subject.entry.app is None:
        return ok(NONE)
    return ok(check_app(subject.session, target=subject.target, database_of=subject.target))


@check("rehearsal", "app")
def isolated(subject: Subject) -> Finding:
    """Check that in a rehearsal each database of the application leads to a clone, or is disabled.

    A warning where the application has other databases in production: they are not rehearsed, backed up or frozen.
    """
    if subject.entry.app is None or subject.entry.test is None:
        return ok("nothing is rehearsed")
    check_isolated(subject.target, probe(subject.session, subject.target, subject.target, rehearses=True))
    if rest := others(subject.probe):
        return warn(
            f"its databases {', '.join(rest)} are not rehearsed, backed up or frozen with it",
            "a target of its own in the inventory for each   (docs/explanation/rehearsal.md)",
        )
    return ok("no other database")


@check("migrations", "app")
def migrations(subject: Subject) -> Finding:
    """Check that no migrations conflict, and that production has none that this release does not know."""
    if subject.entry.app is None:
        return ok(NONE)
    found = subject.probe
    manage = " ".join(quote(word) for word in subject.entry.app.manage)
    if wrong := unfit(found, manage):
        return fail(*wrong)
    names = [migration["name"] for migration in found["pending"]]
    return ok(f"{len(names)} pending: {listed(names)}" if names else "none pending")


@check("commit", "address")
def commit(subject: Subject) -> Finding:
    """Check that everything is committed: what is released stands in git as it is."""
    if subject.entry.app is None:
        return ok(NONE)
    found, folder = commit_of(subject.session, subject.target), quote(subject.entry.app.dir)
    if not found:
        if subject.entry.deploy:
            return warn(f"{folder} is not in git, so deploy is given no RELEASE", f"git -C {folder} init")
        return ok(f"{folder} is not in git")
    if found.endswith("-dirty"):
        return warn(f"{found[:12]}, with changes that are not committed", f"git -C {folder} status")
    return ok(f"{found[:12]}, nothing uncommitted")


@check("declarations", "host")
def declared(subject: Subject) -> Finding:
    """Check that `migrations.expect.yaml` can be read, where there is one."""
    count = len(declarations(subject.session, subject.target).entries)
    return ok(f"{count} in migrations.expect.yaml" if count else "none")


@check("window")
def window(subject: Subject) -> Finding:
    """Report when the maintenance window opens next."""
    given = subject.entry.window
    if given is None:
        return ok("none: any time")
    now, zone = datetime.now(UTC), ZoneInfo(given.zone)
    words = f"{', '.join(given.days)} {given.hours} {given.zone}"
    if given.contains(now):
        return ok(f"{words}: open now, until {closes(given, now).astimezone(zone):%H:%M}")
    return ok(f"{words}: opens {opens(given, now).astimezone(zone):%a %Y-%m-%d %H:%M}")


@check("programs", "address")
def programs(subject: Subject) -> Finding:
    """Check that the programs of `manage`, `deploy` and `health` are there. They are not run.

    A warning where there is a `health` and no `deploy`: health is asked after a deploy only.
    """
    entry = subject.entry
    if entry.app is None:
        return ok(NONE)
    health, host = entry.health.command if entry.health else None, subject.session.host(subject.target)
    wanted = {"manage": entry.app.manage, "deploy": entry.deploy, "health": health}
    found = {what: words[0] for what, words in wanted.items() if words}
    for what, program in found.items():
        shell = Shell(("sh", "-c", PROGRAM, "sh", program), "", folder=entry.app.dir, host=host)
        code = subject.session.run(shell).exit
        there = os.path.normpath(os.path.join(entry.app.dir, program)) if "/" in program else program
        if code == 3:
            return fail(f"{what}: {there} is not executable", f"chmod +x {quote(there)}")
        if code:
            place = "is not there" if "/" in program else "is not on PATH"
            return fail(f"{what}: {there} {place}", f"correct `{what}:` in {subject.session.inventory.file.name}")
    if entry.health and not (entry.deploy or (entry.railway and entry.railway.deploy)):
        return warn("health is never asked, since nothing is deployed", "deploy: [./deploy.sh]")
    return ok(", ".join(f"{what}: {program}" for what, program in found.items()))

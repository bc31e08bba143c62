"""Checks of the application: its start, its migrations, its commit, its window, and the programs of a release."""

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

# Test a path, or find a name on PATH, without running the program. Exit code 3: the file is not executable.
PROGRAM = 'case "$1" in */*) test -f "$1" && { test -x "$1" || exit 3; } ;; *) command -v "$1" ;; esac >/dev/null'
NONE = "no app in the inventory: backup and rollback only"


@check("app", "server", "pooler", "tools")
def starts(subject: Subject) -> Finding:
    """Check that `manage.py` starts, and that it connects to the target's database.

    The settings at the start of its sessions (`lock_timeout`, read-only) must reach the server.
    """
    if subject.entry.app is None:
        return ok(NONE)
    return ok(check_app(subject.session, target=subject.target, database_of=subject.target))


@check("rehearsal", "app")
def isolated(subject: Subject) -> Finding:
    """Check that in a rehearsal each database alias of the application uses a clone or is disabled.

    Warns if the application has other databases in production: they are not rehearsed, backed up or frozen.
    """
    if subject.entry.app is None or subject.entry.test is None:
        return ok("no application or no test target, so no rehearsal")
    check_isolated(subject.target, probe(subject.session, subject.target, subject.target, rehearses=True))
    if rest := others(subject.probe):
        return warn(
            f"its databases {', '.join(rest)} are not rehearsed, backed up or frozen with it",
            "add a target for each of them to the inventory   (docs/explanation/rehearsal.md)",
        )
    return ok("no other database")


@check("migrations", "app")
def migrations(subject: Subject) -> Finding:
    """Check that no migrations conflict, and that production has no migration that this release does not contain."""
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
    """Check that all changes are committed, so that git contains the released code."""
    if subject.entry.app is None:
        return ok(NONE)
    found, folder = commit_of(subject.session, subject.target), quote(subject.entry.app.dir)
    if not found:
        if subject.entry.deploy:
            return warn(f"{folder} is not in git, so that `deploy` gets no RELEASE", f"git -C {folder} init")
        return ok(f"{folder} is not in git")
    if found.endswith("-dirty"):
        return warn(f"{found[:12]}, with uncommitted changes", f"git -C {folder} status")
    return ok(f"{found[:12]}, no uncommitted changes")


@check("declarations", "host")
def declared(subject: Subject) -> Finding:
    """Check that `migrations.expect.yaml`, if it exists, can be read."""
    count = len(declarations(subject.session, subject.target).entries)
    return ok(f"{count} in migrations.expect.yaml" if count else "no declarations")


@check("window")
def window(subject: Subject) -> Finding:
    """Report when the maintenance window opens."""
    given = subject.entry.window
    if given is None:
        return ok("no window: production may be changed at any time")
    now, zone = datetime.now(UTC), ZoneInfo(given.zone)
    words = f"{', '.join(given.days)} {given.hours} {given.zone}"
    if given.contains(now):
        return ok(f"{words}: open now, until {closes(given, now).astimezone(zone):%H:%M}")
    return ok(f"{words}: opens {opens(given, now).astimezone(zone):%a %Y-%m-%d %H:%M}")


@check("programs", "address")
def programs(subject: Subject) -> Finding:
    """Check that the programs of `manage`, `deploy` and `health` exist. They are not run.

    Warns if there is `health` without `deploy`: the health check runs only after a deploy.
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
            place = "does not exist" if "/" in program else "is not on PATH"
            return fail(f"{what}: {there} {place}", f"correct `{what}:` in {subject.session.inventory.file.name}")
    if entry.health and not (entry.deploy or (entry.railway and entry.railway.deploy)):
        return warn("`health` is never checked, since there is no `deploy`", "deploy: [./deploy.sh]")
    return ok(", ".join(f"{what}: {program}" for what, program in found.items()))

"""Checks of the application: does it start, what is pending, which code is it, are the programs of a release there."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ops.command import Shell, quote
from ops.doctor.check import Finding, Subject, fail, ok, warn
from ops.doctor.may import some
from ops.probes import commit_of, declarations
from ops.tools.rehearsal import check_app
from ops.window import closes, opens

# A path is looked at, a bare name is looked for on PATH; the program is never run. 3: it is there, not executable.
PROGRAM = 'case "$1" in */*) test -f "$1" && { test -x "$1" || exit 3; } ;; *) command -v "$1" ;; esac >/dev/null'
NONE = "no app in the inventory: backup and rollback only"


def starts(subject: Subject) -> Finding:
    """Whether ``manage.py`` starts and talks to this very database."""
    if subject.entry.app is None:
        return ok(NONE)
    return ok(check_app(subject.world, target=subject.target, database_of=subject.target))


def migrations(subject: Subject) -> Finding:
    """Whether the release can be migrated to at all, and what is pending."""
    if subject.entry.app is None:
        return ok(NONE)
    found = subject.probe
    manage = " ".join(quote(word) for word in subject.entry.app.manage)
    if found["conflicts"]:
        apps = ", ".join(f"{app} ({', '.join(names)})" for app, names in found["conflicts"].items())
        return fail(f"conflicting migrations in {apps}", f"{manage} makemigrations --merge")
    if found["unknown"]:
        words = f"production has migrations unknown to this release: {some(found['unknown'])}"
        return fail(words, "check out a release that is at least as new as production's")
    names = [migration["name"] for migration in found["pending"]]
    return ok(f"{len(names)} pending: {some(names)}" if names else "none pending")


def commit(subject: Subject) -> Finding:
    """Whether what is released stands in git as it is."""
    if subject.entry.app is None:
        return ok(NONE)
    found, folder = commit_of(subject.world, subject.target), quote(subject.entry.app.dir)
    if not found:
        if subject.entry.deploy:
            return warn(f"{folder} is not in git, so deploy is given no RELEASE", f"git -C {folder} init")
        return ok(f"{folder} is not in git")
    if found.endswith("-dirty"):
        return warn(f"{found[:12]}, with changes that are not committed", f"git -C {folder} status")
    return ok(f"{found[:12]}, nothing uncommitted")


def declared(subject: Subject) -> Finding:
    """Whether ``migrations.expect.yaml`` can be read, where there is one."""
    count = len(declarations(subject.world, subject.target).entries)
    return ok(f"{count} in migrations.expect.yaml" if count else "none")


def window(subject: Subject) -> Finding:
    """When the maintenance window is open next."""
    given = subject.entry.window
    if given is None:
        return ok("none: any time")
    now, zone = datetime.now(UTC), ZoneInfo(given.zone)
    words = f"{', '.join(given.days)} {given.hours} {given.zone}"
    if given.contains(now):
        return ok(f"{words}: open now, until {closes(given, now).astimezone(zone):%H:%M}")
    return ok(f"{words}: opens {opens(given, now).astimezone(zone):%a %Y-%m-%d %H:%M}")


def programs(subject: Subject) -> Finding:
    """Whether the programs of deploy, health and manage are there. They are not run."""
    entry = subject.entry
    if entry.app is None:
        return ok(NONE)
    health, host = entry.health.command if entry.health else None, subject.world.host(subject.target)
    wanted = {"manage": entry.app.manage, "deploy": entry.deploy, "health": health}
    found = {what: words[0] for what, words in wanted.items() if words}
    for what, program in found.items():
        shell = Shell(("sh", "-c", PROGRAM, "sh", program), "", folder=entry.app.dir, host=host)
        code = subject.world.run(shell).exit
        there = os.path.normpath(os.path.join(entry.app.dir, program)) if "/" in program else program
        if code == 3:
            return fail(f"{what}: {there} is not executable", f"chmod +x {quote(there)}")
        if code:
            place = "is not there" if "/" in program else "is not on PATH"
            return fail(f"{what}: {there} {place}", f"correct `{what}:` in {subject.world.inventory.file.name}")
    return ok(", ".join(f"{what}: {program}" for what, program in found.items()))

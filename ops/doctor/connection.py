"""Checks of the connection to a database: the inventory, the address, the server, poolers, the clock, the tools."""

from __future__ import annotations

import grp
import io
import os
import pwd
import re
import stat
import time
from dataclasses import replace
from pathlib import Path

from ops.backups.remote_dump import Wanted, receive, told
from ops.core.errors import Code, Unreachable, UsageError
from ops.doctor.check import BOTH, Finding, Subject, check, fail, ok, warn
from ops.doctor.server_session import ServerSession
from ops.engine.command import Shell, quote
from ops.infra.postgres.client import choose, install_words, parts_of, said_error
from ops.infra.postgres.embedded_server import Server
from ops.infra.postgres.tls_failures import tls_trouble
from ops.infra.railway.volume_backups import NotInPlan, OnVolume
from ops.inventory.targets import Inventory
from ops.procedures.planning.dump_options import beside_hint, dump_inputs

# The difference of two clocks, in seconds, above which the check warns and above which it fails.
CLOCKS = (2.0, 60.0)
_WHERE = {"container": "in the container", "host": "on the host"}
# The first release of Railway's CLI with the `api` that a rollback needs.
OLDEST = (5, 28, 0)


def inventory(found: Inventory) -> Finding:
    """Check that no other user can write or replace the inventory: it names the programs that run on this machine.

    Args:
        found: the inventory.
    """
    for path in (found.file.absolute(), found.folder):
        if words := _open_to(path):
            return words
    production = len(found.production)
    return ok(f"{found.file.name}: production targets: {production}, test targets: {len(found.targets) - production}")


def _open_to(path: Path) -> Finding | None:
    about = path.stat()
    sticky = path.is_dir() and about.st_mode & stat.S_ISVTX
    if about.st_mode & stat.S_IWOTH and not sticky:
        return fail(
            f"{path} can be written by everybody, and names programs that run here", f"chmod o-w {quote(str(path))}"
        )
    if about.st_uid not in (0, os.geteuid()):
        return warn(f"{path} belongs to another user", f"ls -ld {quote(str(path))}")
    if about.st_mode & stat.S_IWGRP and not sticky and not _only_mine(about):
        return warn(f"{path} can be written by its group", f"chmod g-w {quote(str(path))}")
    return None


def _only_mine(about: os.stat_result) -> bool:
    """Return True if the group is the owner's private group."""
    try:
        group, owner = grp.getgrgid(about.st_gid), pwd.getpwuid(about.st_uid)
    except KeyError:
        return False
    return group.gr_name == owner.pw_name and not set(group.gr_mem) - {owner.pw_name}


@check("host", of=BOTH)
def host(subject: Subject) -> Finding:
    """Check that the target's SSH host, if any, has a known host key, accepts the login, and answers."""
    found = subject.session.host(subject.target)
    if found is None:
        return ok("this machine")
    started = time.monotonic()
    done = subject.session.run(Shell(("uname", "-sn"), "", host=found))
    if done.exit:
        return fail(f"{found.words[-1]}: {said_error(done.err) or done.exit}", f"{' '.join(found.words)} uname -sn")
    return ok(f"{' '.join(found.words)}: {done.out.strip()}, in {(time.monotonic() - started) * 1000:,.0f} ms")


@check("railway", "host", of=BOTH)
def railway(subject: Subject) -> Finding:
    """Check that Railway's CLI is version 5.28 or newer, and that its token reaches project, environment and service.

    Warns if `backups: true` is set but the account's plan has no backups.
    """
    entry = subject.entry
    if entry.railway is None:
        return ok("not on Railway")
    on = subject.session.railway(subject.target)
    version = on.version
    said = [f"CLI {'.'.join(map(str, version))}", str(on.app)]
    if version < OLDEST:
        return fail(f"{said[0]}: too old to roll back to an earlier deployment", "railway upgrade")
    if entry.railway.deploy:
        newest = on.deployments()[:1]
        said.append(f"newest deployment {newest[0].status}" if newest else "no deployment")
    if entry.railway.backups:
        try:
            said.append(f"{len(OnVolume(on).backups())} volume backups")
        except NotInPlan as error:
            return warn(f"{', '.join(said)}; {error.said}", "remove `backups: true` from `railway:`")
    return ok(", ".join(said))


@check("address", "host", "railway", of=BOTH)
def address(subject: Subject) -> Finding:
    """Check that the address can be read. A file that contains the address must be private (mode 0600).

    An embedded server must be running.
    """
    if subject.entry.database.kind == "embedded":
        _made(subject)
    parts = parts_of(subject.session.url(subject.target))
    host, port = parts.get("host") or parts.get("hostaddr") or "the local socket", parts.get("port") or "5432"
    user = f" as {parts['user']}" if parts.get("user") else ""
    return ok(f"{subject.reference} names {parts['dbname']} at {host}:{port}{user}")


def _made(subject: Subject) -> None:
    """Require a running embedded server with its database. Reading the address would start and fill them.

    Raises:
        UsageError: the server is not running, or the database does not exist.
    """
    server, status = Server(subject.session.inventory.folder), f"inv status --target={subject.production}"
    if not server.running():
        raise UsageError(f"{subject.reference}: the embedded server is not running", f"{status}   to start the server")
    if subject.entry.seed and not server.has(subject.entry.database.value):
        raise UsageError(f"{subject.reference}: the database does not exist yet", f"{status}   to create the database")


@check("server", "address", of=BOTH)
def server(subject: Subject) -> Finding:
    """Check that the server accepts this role, is not a standby, and uses TLS if it is on another machine."""
    try:
        found = subject.server_session
    except Unreachable as error:
        return fail(*_unreachable(subject, error))
    if host := subject.session.host(subject.target):
        found = replace(found, local=False, tls=found.tls or f"through SSH by {host.words[-1]}")
    return answered(found, subject.reference)


def answered(found: ServerSession, reference: str) -> Finding:
    """Return the finding for a connection.

    Args:
        found: the properties of the connection.
        reference: the reference to the address in the inventory.
    """
    said = f"PostgreSQL {found.version.split(' ')[0]}, connected in {found.seconds * 1000:,.0f} ms"
    if found.standby:
        return fail(f"{said}: a standby, which takes no writes", f"set {reference} to the address of the primary")
    if found.local:
        return ok(f"{said}, on this machine")
    if not found.tls:
        words = f"{said}, without TLS: passwords and rows cross the network in clear text"
        return warn(words, f"add sslmode=require to the address in {reference}")
    return ok(f"{said}, {found.tls}")


def _unreachable(subject: Subject, error: Unreachable) -> tuple[str, str]:
    """Return the server's message, and what to do."""
    said, code, reference = error.message.removeprefix(f"{subject.target}: "), error.code, subject.reference
    parts = parts_of(subject.session.url(subject.target))
    where = f"{parts.get('host') or 'the local socket'}:{parts.get('port') or '5432'}"
    said = f"no connection to {where}: {re.split(r'(?:failed|FATAL|error|no connection): +', said)[-1]}"
    ways = {
        Code.PASSWORD: f"correct user and password in {reference}",
        Code.CLOSED: f"inv status --target={subject.production}",
        Code.NO_DATABASE: f"correct the address in {reference}",
        Code.NO_ROLE: f"correct the address in {reference}",
        Code.NO_HBA_ENTRY: f"add sslmode=require to the address in {reference}, or allow this machine in pg_hba.conf",
        Code.FULL: "terminate sessions that nobody needs, or increase max_connections",
    }
    if trouble := tls_trouble(error.message):
        return f"no connection to {where}: {trouble[0]}", f"{trouble[1]}   (address: {reference})"
    said += ": a swap was interrupted" if code == Code.CLOSED else ""
    return said, ways.get(code, f"check host and port in {reference}, and that the server is running")


@check("pooler", "server", of=BOTH)
def pooler(subject: Subject) -> Finding:
    """Check that the connection leads to the server itself, and not to a pooler.

    With a pooler in transaction mode, the run lock has no effect, a session's settings are lost or affect another
    client, and migrations run without their `lock_timeout`.
    """
    found = subject.server_session
    if not found.between:
        return ok("no pooler: the server itself answers")
    if found.shares:
        words = "a pooler answers, and gives several clients one session: locks and settings have no effect"
        return fail(words, way_around(subject))
    if not found.told:
        words = (
            "a pooler answers, and drops the settings at the start of a session (lock_timeout, read-only)"
        )
        return fail(words, way_around(subject))
    return warn("a pooler answers; each client seems to have its own session", way_around(subject))


def way_around(subject: Subject) -> str:
    """Return a hint with the probable direct address, derived from the usual form of a pooler's address."""
    parts = parts_of(subject.session.url(subject.target))
    host, port = parts.get("host", ""), parts.get("port", "5432")
    if "-pooler." in host:
        return f"set {subject.reference} to the address of the server itself: the same host without -pooler"
    there = "" if port == "5432" else " (usually port 5432)"
    return f"set {subject.reference} to the address of the server itself{there}; the application may use the pooler"


@check("clock", "server", of=BOTH)
def clock(subject: Subject) -> Finding:
    """Check that the clocks of this machine and the server agree.

    Warns from a difference of 2 s, fails from 60 s. Ages, windows and expiries are computed with both clocks.
    """
    return compared(subject.server_session.ahead, subject.server_session.doubt)


def compared(ahead: float, doubt: float) -> Finding:
    """Return the finding for a difference of clocks.

    Args:
        ahead: the seconds by which the server's clock is ahead of this machine's.
        doubt: the uncertainty of ``ahead`` in seconds: half of the duration of the query.
    """
    apart = max(abs(ahead) - doubt, 0)
    if apart <= CLOCKS[0]:
        return ok(f"differs by less than {max(abs(ahead) + doubt, 0.001):.3f} s")
    words = f"the server's clock is {apart:,.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    return (warn if apart <= CLOCKS[1] else fail)(words, "timedatectl   on both machines, and synchronize the clocks")


@check("tools")
def tools(subject: Subject) -> Finding:
    """Check that psql, pg_dump and pg_restore are installed, in any version."""
    return ok(f"psql, pg_dump and pg_restore of {', '.join(str(found.major) for found in subject.tools)}")


@check("tools-fit", "server", "tools")
def fitting(subject: Subject) -> Finding:
    """Check that the versions of the client tools fit production's server and the test server.

    With `pg_dump: container` or `host`, the connection is tested, and `pg_dump` there must be new enough. Warns if
    pg_restore on this machine is too old for the dump.
    """
    name, source = subject.entry.test, subject.server_session.major
    there = _major(subject.of(name)) if name else source
    missing = "" if there else f"; whether they fit {name} is unknown, since {name} does not answer"
    if subject.entry.pg_dump != "here":
        return _beside(subject, source, there or source, missing)
    taken = choose(subject.tools, source, there or source, subject.target, beside_hint(subject.entry))
    return ok(f"{taken.major}, in {taken.folder}{missing}")


def _beside(subject: Subject, source: int, there: int, missing: str) -> Finding:
    """Check the pg_dump in the container or on the host, and the tools on this machine that restore its dump."""
    given = dump_inputs(subject.session, subject.entry)
    database = str(subject.identity["database"])
    environment = subject.session.commands.environment(Shell((), subject.target))
    lines = told(environment, subject.target, given.port, database) if given.port else ""
    found = receive(given.over, Wanted(database, str(subject.identity["system"])), io.BytesIO(), lines)
    said = f"pg_dump {found.version} runs {_WHERE[subject.entry.pg_dump]}"
    if subject.tools[-1].major < source:
        return warn(
            f"{said}, so backups are possible; but pg_restore {subject.tools[-1].major} on this machine can't read "
            "them: "
            "no clone, no release and no rollback from this machine",
            install_words(source),
        )
    taken = choose(subject.tools, source, there, subject.target, program="pg_restore")
    return ok(f"{said}; the other tools on this machine: {taken.major}, in {taken.folder}{missing}")


def _major(subject: Subject) -> int:
    """Return the server's major version; 0 if it does not answer, which the check `server` reports."""
    try:
        if subject.entry.database.kind == "embedded":
            _made(subject)
        return subject.server_session.major
    except (Unreachable, UsageError):
        return 0

"""Checks of the way to a database: the inventory, the address, the server, what stands between, the clock."""

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

# From how many seconds on two clocks differ too much, and far too much.
CLOCKS = (2.0, 60.0)
_WHERE = {"container": "in the container", "host": "on the host"}
# Railway's CLI: the first release whose `api` calls what the way back needs.
OLDEST = (5, 28, 0)


def inventory(found: Inventory) -> Finding:
    """Whether others may write to the file, or replace it: it says which programs are run here, and on what.

    Args:
        found: the inventory that was read.
    """
    for path in (found.file.absolute(), found.folder):
        if words := _open_to(path):
            return words
    production = len(found.production)
    return ok(f"{found.file.name}: {production} in production, {len(found.targets) - production} for tests")


def _open_to(path: Path) -> Finding | None:
    about = path.stat()
    sticky = path.is_dir() and about.st_mode & stat.S_ISVTX
    if about.st_mode & stat.S_IWOTH and not sticky:
        return fail(
            f"{path} can be written by everybody, and it says what is run here", f"chmod o-w {quote(str(path))}"
        )
    if about.st_uid not in (0, os.geteuid()):
        return warn(f"{path} belongs to somebody else", f"ls -ld {quote(str(path))}")
    if about.st_mode & stat.S_IWGRP and not sticky and not _only_mine(about):
        return warn(f"{path} can be written by its group", f"chmod g-w {quote(str(path))}")
    return None


def _only_mine(about: os.stat_result) -> bool:
    """Whether the group is the owner's own, as many systems give everybody one."""
    try:
        group, owner = grp.getgrgid(about.st_gid), pwd.getpwuid(about.st_uid)
    except KeyError:
        return False
    return group.gr_name == owner.pw_name and not set(group.gr_mem) - {owner.pw_name}


@check("host", of=BOTH)
def host(subject: Subject) -> Finding:
    """Check that commands run here, or that the host behind SSH is the known one, accepts the login, and answers."""
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
    """Check that Railway's CLI is new enough (5.28), and that its token reaches project, environment and service.

    A warning where `backups: true` is set and the plan of the account has no backups.
    """
    entry = subject.entry
    if entry.railway is None:
        return ok("not there")
    on = subject.session.railway(subject.target)
    version = on.version
    said = [f"CLI {'.'.join(map(str, version))}", str(on.app)]
    if version < OLDEST:
        return fail(f"{said[0]}: too old to go back to an earlier deployment", "railway upgrade")
    if entry.railway.deploy:
        newest = on.deployments()[:1]
        said.append(f"newest deployment {newest[0].status}" if newest else "no deployment")
    if entry.railway.backups:
        try:
            said.append(f"{len(OnVolume(on).backups())} backups of its own")
        except NotInPlan as error:
            return warn(f"{', '.join(said)}; {error.said}", "remove `backups: true` from `railway:`")
    return ok(", ".join(said))


@check("address", "host", "railway", of=BOTH)
def address(subject: Subject) -> Finding:
    """Check that the reference leads to an address, and that a file with it is 0600 and ours.

    An embedded server is started.
    """
    if subject.entry.database.kind == "embedded":
        _made(subject)
    parts = parts_of(subject.session.url(subject.target))
    host, port = parts.get("host") or parts.get("hostaddr") or "the local socket", parts.get("port") or "5432"
    user = f" as {parts['user']}" if parts.get("user") else ""
    return ok(f"{subject.reference} leads to {parts['dbname']} at {host}:{port}{user}")


def _made(subject: Subject) -> None:
    """An embedded server is started, and its database made and filled, by whoever asks for the address: not here."""
    server, hint = Server(subject.session.inventory.folder), f"inv status --target={subject.production}   starts it"
    if not server.running():
        raise UsageError(f"{subject.reference}: the embedded server does not run", hint)
    if subject.entry.seed and not server.has(subject.entry.database.value):
        raise UsageError(f"{subject.reference}: that database was not made yet", hint.replace("starts", "makes"))


@check("server", "address", of=BOTH)
def server(subject: Subject) -> Finding:
    """Check that the server answers this role, is no standby, and is reached by TLS where it is on another machine."""
    try:
        found = subject.server_session
    except Unreachable as error:
        return fail(*_unreachable(subject, error))
    if host := subject.session.host(subject.target):
        found = replace(found, local=False, tls=found.tls or f"through SSH by {host.words[-1]}")
    return answered(found, subject.reference)


def answered(found: ServerSession, reference: str) -> Finding:
    """What a connection that stands means.

    Args:
        found: the connection.
        reference: how the inventory names the address.
    """
    said = f"PostgreSQL {found.version.split(' ')[0]}, connected in {found.seconds * 1000:,.0f} ms"
    if found.standby:
        return fail(f"{said}: a standby, which takes no writes", f"let {reference} lead to the primary")
    if found.local:
        return ok(f"{said}, on this machine")
    if not found.tls:
        words = f"{said}, without TLS: passwords and rows cross the network in clear text"
        return warn(words, f"put sslmode=require into the address in {reference}")
    return ok(f"{said}, {found.tls}")


def _unreachable(subject: Subject, error: Unreachable) -> tuple[str, str]:
    """What the server said, and what to do about it."""
    said, code, reference = error.message.removeprefix(f"{subject.target}: "), error.code, subject.reference
    parts = parts_of(subject.session.url(subject.target))
    where = f"{parts.get('host') or 'the local socket'}:{parts.get('port') or '5432'}"
    said = f"no connection to {where}: {re.split(r'(?:failed|FATAL|error|no connection): +', said)[-1]}"
    ways = {
        Code.PASSWORD: f"correct user and password in {reference}",
        Code.CLOSED: f"inv status --target={subject.production}",
        Code.NO_DATABASE: f"correct the address in {reference}",
        Code.NO_ROLE: f"correct the address in {reference}",
        Code.NO_HBA_ENTRY: f"let {reference} say sslmode=require, or let pg_hba.conf allow this machine",
        Code.FULL: "end sessions that nobody needs, or raise max_connections",
    }
    if trouble := tls_trouble(error.message):
        return f"no connection to {where}: {trouble[0]}", f"{trouble[1]}   (address: {reference})"
    said += ": an exchange of databases was cut off" if code == Code.CLOSED else ""
    return said, ways.get(code, f"check host and port in {reference}, and that the server runs")


@check("pooler", "server", of=BOTH)
def pooler(subject: Subject) -> Finding:
    """Check that the server itself answers, and no pooler.

    Behind a pooler that lends a session for one transaction, the run lock guards nothing, a setting is forgotten or
    meets another client, and migrations run without their `lock_timeout`.
    """
    found = subject.server_session
    if not found.between:
        return ok("none in between: the server itself answers")
    if found.shares:
        words = "a pooler answers, and gives several clients one session: locks and settings do not hold"
        return fail(words, way_around(subject))
    if not found.told:
        words = (
            "a pooler answers, and drops what a session is told at its start: lock_timeout and read-only do not hold"
        )
        return fail(words, way_around(subject))
    return warn("a pooler answers; each client seems to have a session of its own", way_around(subject))


def way_around(subject: Subject) -> str:
    """What the direct address probably is, by the words that are usual in one that leads to a pooler."""
    parts = parts_of(subject.session.url(subject.target))
    host, port = parts.get("host", ""), parts.get("port", "5432")
    if "-pooler." in host:
        return f"let {subject.reference} lead to the server itself: the same host without -pooler"
    there = "" if port == "5432" else " (as a rule port 5432)"
    return f"let {subject.reference} lead to the server itself{there}; the application may keep the pooler"


@check("clock", "server", of=BOTH)
def clock(subject: Subject) -> Finding:
    """Check that this machine and the server differ by 2 s at most (a warning), or 60 s (a failure).

    Ages, windows and expiries are computed with both clocks.
    """
    return compared(subject.server_session.ahead, subject.server_session.doubt)


def compared(ahead: float, doubt: float) -> Finding:
    """What a difference of clocks means.

    Args:
        ahead: how many seconds the server's is before this machine's.
        doubt: how far that may be off: half of the time that asking took.
    """
    apart = max(abs(ahead) - doubt, 0)
    if apart <= CLOCKS[0]:
        return ok(f"as here, to {max(abs(ahead) + doubt, 0.001):.3f} s")
    words = f"the server's is {apart:,.0f} s {'before' if ahead > 0 else 'behind'} this machine's"
    return (warn if apart <= CLOCKS[1] else fail)(words, "timedatectl   here and there: the clock must be synchronized")


@check("tools")
def tools(subject: Subject) -> Finding:
    """Check that psql, pg_dump and pg_restore are there, of any version."""
    return ok(f"psql, pg_dump and pg_restore of {', '.join(str(found.major) for found in subject.tools)}")


@check("tools-fit", "server", "tools")
def fitting(subject: Subject) -> Finding:
    """Check that the tools' versions read production's server and write to the test server.

    With `pg_dump: container` or `host`, the connection to it is tried, and `pg_dump` there must be new enough. A
    warning where pg_restore here is too old to read what it dumps.
    """
    name, source = subject.entry.test, subject.server_session.major
    there = _major(subject.of(name)) if name else source
    missing = "" if there else f"; whether they fit {name} is not known, since it could not be asked"
    if subject.entry.pg_dump != "here":
        return _beside(subject, source, there or source, missing)
    taken = choose(subject.tools, source, there or source, subject.target, beside_hint(subject.entry))
    return ok(f"{taken.major}, in {taken.folder}{missing}")


def _beside(subject: Subject, source: int, there: int, missing: str) -> Finding:
    """Whether pg_dump beside the database can be had, and what of the tools here restores what it dumps."""
    given = dump_inputs(subject.session, subject.entry)
    database = str(subject.identity["database"])
    environment = subject.session.commands.environment(Shell((), subject.target))
    lines = told(environment, subject.target, given.port, database) if given.port else ""
    found = receive(given.over, Wanted(database, str(subject.identity["system"])), io.BytesIO(), lines)
    said = f"pg_dump {found.version} runs {_WHERE[subject.entry.pg_dump]}"
    if subject.tools[-1].major < source:
        return warn(
            f"{said}, so backups are made; pg_restore here is {subject.tools[-1].major} and reads none of them: no "
            "clone, no release and no way back from here",
            install_words(source),
        )
    taken = choose(subject.tools, source, there, subject.target, program="pg_restore")
    return ok(f"{said}; the others here: {taken.major}, in {taken.folder}{missing}")


def _major(subject: Subject) -> int:
    """The server's major version; 0 where it does not answer, which is told where it belongs."""
    try:
        if subject.entry.database.kind == "embedded":
            _made(subject)
        return subject.server_session.major
    except (Unreachable, UsageError):
        return 0

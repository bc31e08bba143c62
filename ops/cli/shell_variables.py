"""``inv environment``: print the shell variables that the commands of the runbook pages use."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from typing import Any

from ops.application.probe import identity
from ops.cli.options import Options, open_session, target_of
from ops.core.errors import DONE, OpsError, Unreachable, UsageError
from ops.core.sql_files import SQL_FOLDER
from ops.engine.command import Secret, quote
from ops.infra.session.client_tools import some_tools
from ops.infra.session.derived_targets import aside_of, rehearsal_of, standby_of
from ops.infra.session.server import server_of
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import backup_kinds
from ops.infra.stores import manifest as backup
from ops.infra.transport.tunnel import HERE
from ops.inventory.targets import Target
from ops.procedures.planning.dump_options import DATABASE_ON, compression


def environment(options: Options) -> int:
    """Print the variables of the pages' commands as shell exports. Refuse to print to a terminal."""
    session = open_session(options)
    name = target_of(session, options)
    _refuse_terminal(name)
    tools = some_tools(session)
    entry = session.inventory.target(name)
    here = _known(session, name)
    fit = [found for found in tools if found.major >= int(here["number"]) // 10000] or tools
    values = {
        "TARGET": name,
        "DATABASE": here["database"],
        "SYSTEM": here["system"],
        "OPS_SQL": str(SQL_FOLDER),
        "OPS_PYTHON": sys.executable,
        "COMPRESS": compression(session, entry, fit[0], int(here["number"]) // 10000),
        Secret(name).variable: session.url(name),
    }
    known = [name]
    if entry.test:
        known += _test_variables(session, entry, values)
    if entry.railway:
        on = session.railway(name)
        values["RAILWAY"], place = str(on.app), on.database
        values |= dict(zip(DATABASE_ON, (place.project, place.environment, place.service), strict=True))
    if entry.pg_dump == "host":
        values["DATABASE_PORT"] = str(session.addresses.endpoint(name)[1])
    if entry.dump.from_ == "standby":
        known.append(_standby_variables(session, entry, values))
    if entry.pgbackrest:
        session.url(aside_of(name))
        known.append(aside_of(name))
    ports = {one: _free_port() for one in known if session.host(one)}
    values["PGSERVICEFILE"] = str(session.addresses.keep_private(ports, int(here["number"])) / "services")
    values["PATH"] = os.pathsep.join([str(fit[0].folder), session.environ.get("PATH", os.defpath)])
    for key, value in values.items():
        print(f"export {key}={shlex.quote(value)}")
    for line in _tunnels(session, ports):
        print(line)
    return DONE


def _refuse_terminal(name: str) -> None:
    if sys.stdout.isatty():
        said = f"{name}: the variables contain passwords, so they are not printed to a terminal"
        raise UsageError(said, f'eval "$(inv environment --target={name})"')


def _test_variables(session: Session, entry: Target, values: dict[str, str]) -> list[str]:
    """Add the variables of the test server; return its targets."""
    test = entry.test or ""
    values |= {"TEST_DATABASE": session.database(test), Secret(test).variable: session.url(test)}
    try:
        values["TEST_SYSTEM"] = str(server_of(session, test)["system"])
    except OpsError as error:  # Not every page needs the test server.
        print(f"{error.message}; TEST_SYSTEM is not set", file=sys.stderr)
    if entry.defang is None:
        return [test]
    other = rehearsal_of(test)
    values[Secret(other).variable] = session.url(other)
    return [test, other]


def _standby_variables(session: Session, entry: Target, values: dict[str, str]) -> str:
    """Add the variables of the standby; return its target."""
    replica = standby_of(entry.name)
    values[Secret(replica).variable] = session.url(replica)
    if entry.pg_dump == "host":
        values["STANDBY_PORT"] = str(session.addresses.endpoint(replica)[1])
    return replica


def _known(session: Session, name: str) -> dict[str, Any]:
    """Return the database's identity. If the database does not answer, use the identity in its newest backup.

    Pages for a server that is down need no more, and every other page first checks that the server answers.

    Raises:
        Unreachable: the database does not answer, and there is no backup.
    """
    try:
        return identity(session, name)
    except Unreachable as error:
        newest = backup_kinds.newest(backup_kinds.real(backup.backups(target_folder(session, name))))
        if newest is None:
            raise
        print(f"{error.message}; the variables are those of backup {newest.backup}", file=sys.stderr)
        return {"database": newest.database, "system": newest.system, "number": newest.server}


def _free_port() -> int:
    with socket.create_server((HERE, 0)) as free:
        return int(free.getsockname()[1])


def _tunnels(session: Session, ports: dict[str, int]) -> list[str]:
    """Return the lines that open a tunnel to the database of each SSH target, and close it when the shell exits."""
    # The control sockets are beside the private folder, which the last command of a page removes.
    opened, closed, folder = [], [], session.secrets.private.parent
    for target, here in ports.items():
        host = session.host(target)
        assert host is not None
        there, port = session.addresses.endpoint(target)
        over = " ".join(map(quote, (*host.words[:-1], "-S", str(folder / f"{target}.ssh"))))
        way, name = quote(f"{HERE}:{here}:{there}{f':{port}' if port else ''}"), quote(host.words[-1])
        opened.append(f"{over} -fNM -o ExitOnForwardFailure=yes -L {way} {name} < /dev/null > /dev/null")
        closed.append(f"{over} -O exit {name} 2> /dev/null")
    ends = "; ".join([*closed, f"rmdir {quote(str(folder))} 2> /dev/null || true"])
    return [*opened, f"trap {quote(ends)} EXIT"] if opened else []

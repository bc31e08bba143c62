"""Run commands on their targets' hosts, and open psycopg connections. All output passes ``redact``."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ops.core.errors import Unreachable
from ops.core.sql_files import SQL_FOLDER
from ops.engine.command import Completed, Host, OnLine, Query, Secret, Shell, fill, given_there, line_there
from ops.infra.postgres.client import PROGRAMS, Tools, parts_of, secrets_of, without_values
from ops.infra.postgres.failure_text import refusal
from ops.infra.postgres.session_settings import application, steers, way_to
from ops.infra.postgres.tls_failures import tls_trouble
from ops.infra.session.addresses import Addresses
from ops.infra.transport.local import Local

if TYPE_CHECKING:
    import psycopg

# Programs whose files are private to the tool. Files of the application and its deploy command keep the caller's umask.
PRIVATE = (*PROGRAMS, "install")


class Commands:
    """Runs the commands of one inventory.

    ``tools`` are the PostgreSQL programs that come first on PATH; ``backends`` are the server processes of this
    process's psycopg connections.

    Args:
        addresses: the addresses of the targets' databases and hosts.
        environ: the environment of the caller.
    """

    def __init__(self, addresses: Addresses, environ: Mapping[str, str]) -> None:
        self.addresses, self.environ, self.local = addresses, environ, Local()
        self.tools: Tools | None = None
        self.backends: set[int] = set()

    def redact(self, text: str) -> str:
        """Remove every known connection URL and password, and row values in server messages, from a text."""
        for secret in secrets_of(self.addresses.known):
            text = text.replace(secret, "•••")
        return re.sub(r"(postgres(?:ql)?://[^:@/\s]*:)[^@\s]+@", r"\1•••@", without_values(text))

    def environment(self, shell: Shell, run: str = "") -> dict[str, str]:
        """Return the environment of a command: the caller's without ``PG*``, plus services, tools and secrets."""
        env = {name: value for name, value in self.environ.items() if not steers(name) and name != "GENERALPROBE"}
        if self.tools:
            env["PATH"] = os.pathsep.join([str(self.tools.folder), env.get("PATH", os.defpath)])
        if not {*map(str, shell.words)}.isdisjoint(PROGRAMS):
            # The failure catalogue has the programs' messages in English.
            env |= {"LC_CTYPE": env.pop("LC_ALL", "") or env.get("LC_CTYPE", ""), "LC_MESSAGES": "C", "LANGUAGE": ""}
        if services := self.addresses.services:
            env["PGSERVICEFILE"] = str(services)
        env |= {"PGAPPNAME": application(run), "PGCONNECT_TIMEOUT": "10", "OPS_SQL": str(SQL_FOLDER)}
        env["OPS_PYTHON"] = sys.executable
        env["PYTHONUNBUFFERED"] = "1"
        for name, value in shell.env.items():
            env[name] = self.addresses.address_from(value.target, None) if isinstance(value, Secret) else str(value)
        return env

    def run(
        self,
        command: Shell | Query,
        *,
        run: str = "",
        known: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> Completed:
        """Run a command on its target's host; the returned output is redacted."""
        shell = command.shell() if isinstance(command, Query) else command
        if shell.target:
            self.addresses.url(shell.target)
        shell = fill(shell, {"OPS_SQL": str(SQL_FOLDER), **(known or {})})
        output = self.addresses.inventory.path(shell.output) if shell.output else None
        heard: OnLine | None = (lambda line: on_line(self.redact(line))) if on_line else None
        if shell.host:
            given = self._given(shell, shell.host, run)
            done = self.addresses.wire(shell.host).run(line_there(shell), given, output=output, on_line=heard)
        else:
            done = self.local.run(
                [str(word) for word in shell.words],
                folder=self.addresses.inventory.path(shell.folder or "."),
                env=self.environment(shell, run),
                output=output,
                on_line=heard,
                umask=0o077 if shell.words[0] in PRIVATE else -1,
            )
        if done.exit and self.addresses.unpinned(shell.target, done.err):
            return self.run(command, run=run, known=known, on_line=on_line)
        lost = self.addresses.refused(shell.target) if done.exit and shell.target and not shell.host else ""
        err = f"error: {lost}\n{done.err}" if lost else done.err
        return Completed(done.exit, self.redact(done.out), self.redact(err))

    def _given(self, shell: Shell, host: Host, run: str) -> str:
        """Return the standard input of a command behind SSH: the values of its variables, one per line."""
        values = {"PGAPPNAME": application(run)}
        for value in shell.env.values():
            if isinstance(value, Secret):
                values[value.variable] = self.addresses.address_from(value.target, host)
        return "".join(f"{values[name]}\n" for name in given_there(shell))

    def connect(
        self, target: str, database: str = "", *, own: Sequence[str] = (), **options: Any
    ) -> psycopg.Connection[Any]:
        """Open a psycopg connection in autocommit; the pins in ``own`` are omitted.

        Raises:
            Unreachable: the server cannot be reached; the message contains no password.
        """
        import psycopg

        from ops.infra.postgres.raw_text import read_raw_text

        address = self.addresses.address(target)
        given: dict[str, Any] = {"application_name": "generalprobe", "connect_timeout": 10}
        pins = self.addresses.settings(target, own)
        given |= {**options, "options": f"{pins} {options.get('options', '')}".strip()}
        if database:
            given["dbname"] = database
        try:
            self.backends.add((made := psycopg.connect(address, autocommit=True, **given)).info.backend_pid)
            read_raw_text(made)
            return made
        except psycopg.Error as error:
            if self.addresses.unpinned(target, str(error)):
                return self.connect(target, database, own=own, **options)
            # libpq's advice is on a separate, indented line.
            lines = [line for line in self.redact(str(error)).splitlines() if line.strip() and line[0] != "\t"]
            why = self.addresses.refused(target) or "".join(lines[-1:]).strip()
            code, hint = refusal(why), way_to(refusal(why), own=database in ("", parts_of(address)["dbname"]))
            if trouble := tls_trouble(why):
                why, hint = f"{trouble[0]} ({why})", trouble[1]
            raise Unreachable(f"{target}: no connection: {why}", hint, code=code) from None

"""The settings of every database session of the tool, which override those of role, database and environment."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ops.core.errors import Code

# A role's timeouts would end long commands, its quoting would hide tables, its isolation would make queries wait, and
# its output settings would change compared texts. Other settings of the role apply: default_transaction_read_only is
# the freeze, so a command that writes during a freeze sets it.
PINS = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "default_transaction_isolation": r"read\ committed",
    "default_transaction_deferrable": "off",
    "search_path": "pg_catalog",
    "row_security": "off",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
    "client_min_messages": "notice",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
}
_SINCE = {"transaction_timeout": 170000}
# Pins to omit for queries that need the application's names (PATH) or its settings (ALL).
PATH = ("search_path",)
ALL = tuple(PINS)
# Timeouts of a role that would end a migration; the application migrates without them. Only settings that every
# version knows, since the application's other databases get the same.
UNLIMITED = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0"
# The suffix and the settings of a target's service for restores. A restore needs no synchronous commit, since it is
# proved before use.
RESTORES = ".restore"
RESTORING = "-c synchronous_commit=off -c maintenance_work_mem=256MB"
# A server that does not know a setting, or allows it to administrators only, refuses the connection and names the
# setting, in any language. A pooler accepts the settings that it tracks, or none.
_REFUSED, _NAMED = re.compile(r".*(?:connection to server|FATAL).*"), re.compile(r"[\"»„«“'「]\s?(\w+)")
_NONE, _SOME = "unsupported startup parameter", "unsupported startup parameter in options"
_FOLLOWED = ("client_encoding", "DateStyle", "IntervalStyle", "TimeZone", "standard_conforming_strings")


class Pins:
    """The pins of the sessions of one target, without those that its server or pooler refuses."""

    def __init__(self) -> None:
        self.kept = dict(PINS)

    def options(self, given: str = "", without: Sequence[str] = ()) -> str:
        """Return libpq's ``options``: those of the address, followed by the pins, which take precedence.

        Args:
            given: the options of the address.
            without: the pins to omit.
        """
        pins = [f"-c {name}={value}" for name, value in self.kept.items() if name not in without]
        return " ".join(filter(None, [given, *pins]))

    def fit(self, number: int) -> None:
        """Omit the settings that a server of this version does not know: a shell with the service cannot retry."""
        for name in (name for name, since in _SINCE.items() if number < since):
            self.kept.pop(name, None)

    def in_english(self) -> None:
        """Set the language of the failure catalogue; call this only if the role may set ``lc_messages``."""
        self.kept["lc_messages"] = "C"

    def refused(self, said: str) -> bool:
        """Return True if a connection was refused because of pins, and omit them from now on.

        Args:
            said: the message of the server or pooler.
        """
        for name in _NAMED.findall("".join(_REFUSED.findall(said))):
            if name in self.kept:
                del self.kept[name]
                return True
        if _NONE in said and self.kept:
            fewer = {name: self.kept[name] for name in _FOLLOWED if name in self.kept and _SOME in said}
            self.kept = fewer if len(fewer) < len(self.kept) else {}
            return True
        return False


def application(run: str) -> str:
    """Return the application name of a run's sessions."""
    return f"generalprobe {run}".strip()


def way_to(code: Code, *, own: bool) -> str:
    """Return what to type if a connection was refused.

    Args:
        code: the reason.
        own: True for a connection to the target's database, False for the database ``postgres``.
    """
    if code == Code.NO_DATABASE and own:
        return "correct the database's name in the address; if it was dropped, create it empty, and then: inv recover"
    if code == Code.NO_DATABASE:
        return "CREATE DATABASE postgres   on that server: the run lock and every swap need it"
    if code == Code.NO_HBA_ENTRY:
        return "allow this role and machine to connect to that database in pg_hba.conf, and SELECT pg_reload_conf()"
    return "check the database's host"


def steers(name: str) -> bool:
    """Return True if an environment variable would make libpq deviate from the inventory."""
    return name.startswith("PG") and name != "PGPASSFILE"


def forget_libpq() -> None:
    """Remove libpq's variables from this process's environment, which psycopg's connections would read."""
    for name in filter(steers, list(os.environ)):
        del os.environ[name]

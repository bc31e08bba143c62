"""What every database session of the tool begins with, whatever role, database and environment have set."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ops.core.errors import Code

# A role's limit would cut off what takes its time, its way of quoting hide tables, its isolation make a look wait, and
# its way of writing change every text that is compared. What is not here is what a role may well have set: a freeze is
# one (``default_transaction_read_only``), so what writes says for itself that it does.
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
# Where the application's own names, or its own settings, are what is asked for.
PATH = ("search_path",)
ALL = tuple(PINS)
# Limits of a role that would end a migration: where the application migrates it goes without them, and keeps all else.
# Only what every version knows: the application's other databases are told the same.
UNLIMITED = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0"
# Of the service of a target's name with this behind it: what is restored is proved before anybody relies on it.
RESTORES = ".restore"
RESTORING = "-c synchronous_commit=off -c maintenance_work_mem=256MB"
# A server that does not know a setting yet, or lets nobody but an administrator write it, names it where it refuses the
# connection, in whatever language; a pooler in between takes those that it follows, or none.
_REFUSED, _NAMED = re.compile(r".*(?:connection to server|FATAL).*"), re.compile(r"[\"»„«“'「]\s?(\w+)")
_NONE, _SOME = "unsupported startup parameter", "unsupported startup parameter in options"
_FOLLOWED = ("client_encoding", "DateStyle", "IntervalStyle", "TimeZone", "standard_conforming_strings")


class Pins:
    """The pins of the sessions of one target, but for those that its server, or a pooler before it, does not take."""

    def __init__(self) -> None:
        self.kept = dict(PINS)

    def options(self, given: str = "", without: Sequence[str] = ()) -> str:
        """libpq's ``options``: those that the address has, and the pins behind them, so that these hold.

        Args:
            given: the address's.
            without: pins that this session is not to begin with.
        """
        pins = [f"-c {name}={value}" for name, value in self.kept.items() if name not in without]
        return " ".join(filter(None, [given, *pins]))

    def fit(self, number: int) -> None:
        """Leave out what a server of this version does not know yet: a shell that has the service can't ask again."""
        for name in (name for name, since in _SINCE.items() if number < since):
            self.kept.pop(name, None)

    def in_english(self) -> None:
        """Have messages in the language of the catalogue of failures, where this role may choose it."""
        self.kept["lc_messages"] = "C"

    def refused(self, said: str) -> bool:
        """Whether a connection was refused for pins, which are left out from now on.

        Args:
            said: the words of whoever refused it.
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
    """The name under which a run's sessions are known on the server."""
    return f"generalprobe {run}".strip()


def way_to(code: Code, *, own: bool) -> str:
    """What to type where a connection was refused.

    Args:
        code: why.
        own: it was to the target's own database, and not to ``postgres``.
    """
    if code == Code.NO_DATABASE and own:
        return "mend its name in the address; if it was dropped, create it, empty, and then: inv recover"
    if code == Code.NO_DATABASE:
        return "CREATE DATABASE postgres   on that server: the run lock is there, and every exchange of names"
    if code == Code.NO_HBA_ENTRY:
        return "let pg_hba.conf allow this role and machine to the database named there, and SELECT pg_reload_conf()"
    return "look at the database's host"


def steers(name: str) -> bool:
    """Whether a variable would lead libpq elsewhere, or let it work in another way, than the inventory says."""
    return name.startswith("PG") and name != "PGPASSFILE"


def forget_libpq() -> None:
    """Our own connections ask libpq, too, and it reads this process's environment."""
    for name in filter(steers, list(os.environ)):
        del os.environ[name]

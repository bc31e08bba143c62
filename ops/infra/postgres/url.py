"""The address of a database, as the inventory leads to it: a connection URL, which is a secret."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from ops.core.errors import UsageError
from ops.core.permissions import secret_file
from ops.engine.command import reveal
from ops.infra.postgres.client import parts_of

# A frozen database has no writable session, so such an address would lock out whoever ends the freeze.
_WRITABLE = re.compile(r"(target_session_attrs\s*=\s*'?)read-write")


def checked(url: str, environ: Mapping[str, str], where: str, hint: str) -> str:
    """Return an address that libpq's files and programs of ours can hold, and that also reaches a frozen database.

    Args:
        environ: where libpq finds the name of its password file.
        where: file, line and key, for messages; the address itself is never quoted.
        hint: what to write instead.

    Raises:
        UsageError: it is none, or not such a one.
    """
    try:
        parts = parts_of(url)
    except ValueError:
        raise UsageError(f"{where} is not a PostgreSQL connection URL", hint) from None
    if {"service", "servicefile"} & parts.keys():
        raise UsageError(f"{where} names a service; its address has to stand here itself", hint)
    if not parts.get("dbname"):
        raise UsageError(f"{where} names no database", hint)
    if len(parts["dbname"].encode()) > 63:
        raise UsageError(f"{where} names a database with more than 63 bytes, which PostgreSQL would cut", hint)
    if reveal(parts["dbname"]) != parts["dbname"]:
        raise UsageError(f"{where} names a database with characters that stand for variables here", hint)
    if not parts.get("password"):
        secret_file(_passfile(parts, environ), where)
    if any("\n" in value or value != value.strip() for value in parts.values()):
        raise UsageError(f"{where} holds a line break or begins or ends with a blank, which libpq's files can't", hint)
    return _WRITABLE.sub(r"\1primary", url)


def _passfile(parts: Mapping[str, str], environ: Mapping[str, str]) -> Path:
    """Where libpq looks for a password that the address does not hold. It would only warn, and go without."""
    given = parts.get("passfile") or environ.get("PGPASSFILE") or "~/.pgpass"
    return Path(os.path.expanduser(given))


def as_url(parts: Mapping[str, str]) -> str:
    """libpq's keywords as a URL that applications read; a secret."""
    user, password, name = (quote(parts.get(key, ""), safe="") for key in ("user", "password", "dbname"))
    first = ("user", "password", "dbname", "host", "hostaddr", "port")
    more = urlencode({key: value for key, value in parts.items() if key not in first}, quote_via=quote)
    host = parts.get("hostaddr") or parts.get("host", "")
    host = f"[{host}]" if ":" in host else quote(host, safe="")
    port = f":{parts['port']}" if parts.get("port") else ""
    account = f"{user}:{password}@" if password else f"{user}@" if user else ""
    where = f"postgresql://{account}{host}{port}/{name}"
    return f"{where}?{more}" if more else where

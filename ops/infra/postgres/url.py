"""Check and build the connection URLs of databases; a connection URL is a secret."""

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

# A frozen database has no writable session, so with read-write in its address nobody could end the freeze.
_WRITABLE = re.compile(r"(target_session_attrs\s*=\s*'?)read-write")


def checked(url: str, environ: Mapping[str, str], where: str, hint: str) -> str:
    """Return a connection URL that libpq's files can represent, and that also reaches a frozen database.

    Args:
        url: the connection URL.
        environ: the environment, for the name of libpq's password file.
        where: file, line and key, for messages; messages never contain the URL.
        hint: what to write instead.

    Raises:
        UsageError: the text is no connection URL, or libpq's files cannot represent it.
    """
    try:
        parts = parts_of(url)
    except ValueError:
        raise UsageError(f"{where} is not a PostgreSQL connection URL", hint) from None
    if {"service", "servicefile"} & parts.keys():
        raise UsageError(f"{where} names a service; write the server's address instead", hint)
    if not parts.get("dbname"):
        raise UsageError(f"{where} names no database", hint)
    if len(parts["dbname"].encode()) > 63:
        raise UsageError(f"{where} names a database with more than 63 bytes, which PostgreSQL would truncate", hint)
    if reveal(parts["dbname"]) != parts["dbname"]:
        raise UsageError(f"{where} names a database with characters that are reserved for variables", hint)
    if not parts.get("password"):
        secret_file(_passfile(parts, environ), where)
    if any("\n" in value or value != value.strip() for value in parts.values()):
        raise UsageError(f"{where} has a value with a line break or a leading or trailing blank", hint)
    return _WRITABLE.sub(r"\1primary", url)


def _passfile(parts: Mapping[str, str], environ: Mapping[str, str]) -> Path:
    """Return the password file that libpq reads. libpq only warns of wrong permissions, and ignores the file."""
    given = parts.get("passfile") or environ.get("PGPASSFILE") or "~/.pgpass"
    return Path(os.path.expanduser(given))


def as_url(parts: Mapping[str, str]) -> str:
    """Convert libpq's keywords to a connection URL for applications; the URL is a secret."""
    user, password, name = (quote(parts.get(key, ""), safe="") for key in ("user", "password", "dbname"))
    first = ("user", "password", "dbname", "host", "hostaddr", "port")
    more = urlencode({key: value for key, value in parts.items() if key not in first}, quote_via=quote)
    host = parts.get("hostaddr") or parts.get("host", "")
    host = f"[{host}]" if ":" in host else quote(host, safe="")
    port = f":{parts['port']}" if parts.get("port") else ""
    account = f"{user}:{password}@" if password else f"{user}@" if user else ""
    where = f"postgresql://{account}{host}{port}/{name}"
    return f"{where}?{more}" if more else where

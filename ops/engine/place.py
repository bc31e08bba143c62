"""Where one of pgBackRest's backups is restored aside, and how its server is reached and started. Pure.

``shop@aside`` stands for that server wherever a target's name does. It listens on a socket in a folder that only the
database's user of the operating system, and root, may enter; so it needs neither a port nor a password.
"""

from __future__ import annotations

from collections.abc import Mapping

from ops.inputs import ASIDE
from ops.inventory import Target
from ops.postgres import parts_of

# Only a part of the socket's name.
PORT = "5432"
# What of a production server must not come to life in a copy of it: archiving, workers that reach other servers or run
# jobs, its memory, its files elsewhere. On the command line, since `ALTER SYSTEM` goes before every file.
SETTINGS = {
    "listen_addresses": "''",
    "port": PORT,
    "external_pid_file": "''",
    "archive_mode": "off",
    "hot_standby": "off",
    "primary_conninfo": "''",
    "shared_preload_libraries": "''",
    "session_preload_libraries": "''",
    "local_preload_libraries": "''",
    "max_logical_replication_workers": "0",
    "max_wal_senders": "0",
    "wal_level": "replica",
    "ssl": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "shared_buffers": "128MB",
    "huge_pages": "off",
    "max_connections": "20",
    "max_prepared_transactions": "200",
    "max_locks_per_transaction": "256",
}


def aside_of(target: str) -> str:
    """The name that stands for the server beside a target."""
    return target + ASIDE


def folder_of(entry: Target) -> str:
    """The folder of a target in which its backups are restored; empty where there is none."""
    return f"{entry.pgbackrest.aside}/{entry.name}" if entry.pgbackrest else ""


def led_aside(url: str, target: str, entry: Target) -> str:
    """The address of a server aside, made of that of its target: the same role and database, and no password."""
    if not target.endswith(ASIDE):
        return url
    from psycopg.conninfo import make_conninfo

    parts = parts_of(url)
    known = {key: parts[key] for key in ("user", "dbname") if key in parts}
    return make_conninfo(host=f"{folder_of(entry)}/s", port=PORT, sslmode="disable", gssencmode="disable", **known)


def socket_of(parts: Mapping[str, str]) -> str:
    """The file at which the server of an address listens; empty where that is no folder's."""
    name = parts.get("host", "")
    return f"{name}/.s.PGSQL.{parts.get('port') or PORT}" if name.startswith("/") else ""


def start_words(folder: str, programs: str) -> tuple[str, ...]:
    """What starts the server, and comes back when it has begun to recover."""
    given = SETTINGS | {
        "config_file": f"{folder}/postgresql.conf",
        "hba_file": f"{folder}/hba.conf",
        "ident_file": f"{folder}/ident.conf",
        "unix_socket_directories": f"{folder}/s",
    }
    options = " ".join(f"-c {name}={value}" for name, value in given.items())
    log = f"{folder}/server.log"
    return (f"{programs}/pg_ctl", "-D", f"{folder}/data", "-w", "-t", "600", "-l", log, "-o", options, "start")

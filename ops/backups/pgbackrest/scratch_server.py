"""Build the command that starts the server of a backup restored aside, without I/O.

The server listens on a socket in a folder that only the database's operating system user and root may enter, so it
needs neither a port nor a password. ``ops.infra.session.derived_targets`` knows its address."""

from __future__ import annotations

from ops.infra.session.derived_targets import PORT

# Disable what a copy must not run: archiving, workers that reach other servers or run jobs, production's memory and
# files elsewhere. The settings are on the command line, which overrides `ALTER SYSTEM`.
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


def start_words(folder: str, programs: str) -> tuple[str, ...]:
    """Return the command that starts the server and returns when recovery has begun."""
    given = SETTINGS | {
        "config_file": f"{folder}/postgresql.conf",
        "hba_file": f"{folder}/hba.conf",
        "ident_file": f"{folder}/ident.conf",
        "unix_socket_directories": f"{folder}/s",
    }
    options = " ".join(f"-c {name}={value}" for name, value in given.items())
    log = f"{folder}/server.log"
    return (f"{programs}/pg_ctl", "-D", f"{folder}/data", "-w", "-t", "600", "-l", log, "-o", options, "start")

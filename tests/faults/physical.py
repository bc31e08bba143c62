"""A stage whose production is on a server that pgBackRest knows, with a stanza and a folder aside of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ops.backups.pgbackrest.pgbackrest_cli import ANNOTATION, read_info
from ops.infra.postgres.embedded_server import Server
from tests.faults.stage import Stage, clear
from tests.system.pgbackrest.conftest import CONF, PROGRAMS

# What is restored aside has to have room, and `check-aside` counts generously.
ROOM = 700


class Debians(Server):
    """A server of Debian's, which also listens on a socket, for pgBackRest."""

    def __init__(self, folder: Path, socket: Path) -> None:
        super().__init__(folder)
        self.bin, self.socket = PROGRAMS[-1].parent, socket

    def _call(self, program: str, *arguments: str, check: bool = True) -> int:
        given = [
            word.replace("unix_socket_directories=''", f"unix_socket_directories={self.socket}") for word in arguments
        ]
        return super()._call(program, *given, check=check)


class PhysicalStage(Stage):
    """See ``Stage``; what pgBackRest has is kept and put back with the rest."""

    @property
    def home(self) -> Path:
        """Where the server's user gets, by a path that is short enough for a socket's."""
        return Path("/var/tmp") / f"gp-{self.folder.name}"

    @property
    def aside(self) -> Path:
        """Where backups are restored: a disk of its own."""
        return self.home / "disk" / "aside"

    def open(self) -> None:
        clear(self.home)
        self.home.mkdir(mode=0o755)
        super().open()

    def close(self) -> None:
        super().close()
        clear(self.home)

    def _server(self, home: Path) -> Server:
        found = Debians(home, self.home)
        if found.owner:
            os.chown(self.home, found.owner.pw_uid, found.owner.pw_gid)
        return found

    def _prepare(self) -> None:
        """Archiving, and a stanza."""
        self.filled = self.home / "disk"
        for name in ("disk", "repo", "log", "lock", "spool"):
            (self.home / name).mkdir(mode=0o755)
        if os.geteuid() == 0:
            self._mount(self.filled, ROOM)
        for name in ("disk", "repo", "log", "lock", "spool"):
            if self.server.owner:
                os.chown(self.home / name, self.server.owner.pw_uid, self.server.owner.pw_gid)
        config = self.home / "pgbackrest.conf"
        conf = CONF.format(self.home, self.server._port()).replace(f"{self.home}/data", str(self.server.data))
        # The package's own spool is its user's.
        config.write_text(conf.replace("[main]", f"spool-path={self.home}/spool\n[main]") + "pg1-user=postgres\n")
        hba = self.server.data / "pg_hba.conf"
        hba.write_text("local all all trust\n" + hba.read_text())
        push = f"pgbackrest --config={config} --stanza=main archive-push %p"
        with self.connect("postgres") as c:
            for setting in (
                "archive_mode = on",
                f"archive_command = '{push}'",
                f"unix_socket_directories = '{self.home}'",
            ):
                c.execute(f"ALTER SYSTEM SET {setting}".encode())
        self._control("restart")
        self._backrest("stanza-create")

    @property
    def user(self) -> str:
        return self.server.owner.pw_name if self.server.owner else getpass.getuser()

    def _backrest(self, *words: str) -> str:
        prefix = ["runuser", "-u", self.user, "--"] if self.server.owner else []
        given = [*prefix, "pgbackrest", f"--config={self.home}/pgbackrest.conf", "--stanza=main", *words]
        return subprocess.run(given, cwd="/", capture_output=True, text=True, check=True).stdout

    def _target(self) -> dict[str, object]:
        key = {"stanza": "main", "config": f"{self.home}/pgbackrest.conf", "aside": str(self.aside), "user": self.user}
        return super()._target() | {"engine": "pgbackrest", "pgbackrest": key}

    def _parts(self) -> dict[str, Path]:
        return super()._parts() | {"repo": self.home / "repo"}

    def _also(self) -> list[str]:
        """Which of ours pgBackRest lists, and what is left aside."""
        info = read_info(self._backrest("--output=json", "info"), "main")
        left = [f"aside {path.name}" for path in self.aside.glob("[!.]*")]
        return [*(f"{ANNOTATION} {one.backup} {one.broken}" for one in info.backups), *left]

    def at(self, done: tuple[str, ...]) -> Any:
        """See ``Stage``; what an earlier test left aside goes, its server too."""
        for path in self.aside.glob("*"):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if (process / "cwd").resolve() == path / "data":
                        os.kill(int(process.name), 9)
                except OSError:
                    continue
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        return super().at(done)

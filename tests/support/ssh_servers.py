"""Real SSH servers: OpenSSH's where it is installed, and asyncssh's within the tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import yaml

from ops.infra.postgres.embedded_server import Server
from ops.infra.transport.ssh import Ssh, host_of
from ops.inventory.targets import Connection
from tests.conftest import Project, project_env
from tests.projects import inventory, write_project
from tests.support.fork_server import launcher

SSHD = shutil.which("sshd", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))
KINDS = ("openssh", "asyncssh")


@dataclass
class Login:
    """A server that lets one key in, and the user's files with which OpenSSH and we reach it.

    Args:
        home: ``~`` of the operator; ``.ssh/known_hosts`` knows the server.
        port: on 127.0.0.1.
    """

    home: Path
    port: int
    env: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Path:
        """The operator's private key."""
        return self.home / ".ssh/id_ed25519"

    @property
    def known(self) -> Path:
        """The host keys that the operator knows."""
        return self.home / ".ssh/known_hosts"

    def variables(self) -> dict[str, object]:
        """Ansible's variables that lead here."""
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": os.environ.get("USER") or _user(),
            "ansible_ssh_private_key_file": str(self.key),
        }

    def ssh(self) -> Ssh:
        """The transport."""
        connection = Connection.model_validate(self.variables())
        host = host_of("shop", connection)
        assert host is not None
        return Ssh(host, connection, self.home)


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def keygen(path: Path) -> str:
    """Make a key; gives the public one."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_bytes(key.export_private_key())
    path.chmod(0o600)
    path.with_suffix(".pub").write_bytes(key.export_public_key())
    return key.export_public_key().decode().strip()


def make_login(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Login:
    """The operator's side; nothing listens yet."""
    home, port = folder / "home", free_port()
    login = Login(home, port)
    public = keygen(login.key)
    (folder / "authorized").write_text(public + "\n")
    host_key = keygen(folder / "host_key")
    login.known.write_text(f"[127.0.0.1]:{port} {host_key}\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return login


def start_sshd(folder: Path, port: int, *more: str) -> subprocess.Popen[bytes]:
    """OpenSSH's server, in the foreground; its log is ``sshd.log``."""
    if SSHD is None:
        pytest.skip("sshd is not installed: apt-get install openssh-server")
    config = sshd_config(folder, port, *more)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with open(folder / "sshd.log", "wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            assert process.poll() is None, (folder / "sshd.log").read_text()
            time.sleep(0.05)
    raise AssertionError("sshd does not answer")


def sshd_config(folder: Path, port: int, *more: str) -> Path:
    """Write its configuration."""
    lines = [
        *more,  # The first word on a thing is the one that counts.
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/authorized",
        f"PidFile {folder}/sshd.pid",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin yes",
        "AcceptEnv NOTHING",
        "MaxSessions 20",
        *([] if any(line.startswith("Subsystem ") for line in more) else ["Subsystem sftp internal-sftp"]),
    ]
    path = folder / "sshd_config"
    path.write_text("\n".join(lines) + "\n")
    return path


class Within:
    """asyncssh's server, in a thread of the tests."""

    def __init__(self, folder: Path, port: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.made: list[asyncssh.SSHServerConnection] = []
        self.ready = threading.Event()
        self.folder, self.port = folder, port
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._listen())
        self.ready.set()
        self.loop.run_forever()
        self.loop.close()

    async def _listen(self) -> None:
        made = self.made

        class Allow(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                made.append(conn)

            def connection_requested(self, *_: Any) -> bool:
                return True

        self.listener = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_factory=Allow,
            server_host_keys=[str(self.folder / "host_key")],
            authorized_client_keys=str(self.folder / "authorized"),
            process_factory=_process,
            sftp_factory=True,
            encoding=None,
        )

    def stop(self) -> None:
        """End it, and what is still served."""
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    async def _end(self) -> None:
        self.listener.close()
        for one in self.made:
            one.abort()
        served = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)
        await asyncio.sleep(0)  # What was closed is let go of in the loop's next turn.


async def _pump(reader: Any, writer: Any) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while block := await reader.read(1 << 16):
            writer.write(block)
            await writer.drain()
    if isinstance(writer, asyncio.StreamWriter):
        writer.close()


async def _process(process: Any) -> None:
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", process.command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    )
    feed = asyncio.ensure_future(_pump(process.stdin, started.stdin))
    try:
        await asyncio.gather(_pump(started.stdout, process.stdout), _pump(started.stderr, process.stderr))
        code = await started.wait()
    finally:
        # Where the server ends before the program, that and its pipes are left to nobody.
        with contextlib.suppress(ProcessLookupError):
            started.kill()
        await started.wait()
        started._transport.close()  # type: ignore[attr-defined]
    feed.cancel()
    if code < 0:
        process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
    else:
        process.exit(code)


@pytest.fixture(params=KINDS)
def login(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Login]:
    """Each kind of server in turn."""
    made = make_login(tmp_path, monkeypatch)
    if request.param == "asyncssh":
        within = Within(tmp_path, made.port)
        yield made
        within.stop()
        return
    process = start_sshd(tmp_path, made.port)
    yield made
    process.terminate()
    process.wait(10)


@pytest.fixture
def openssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Login]:
    """OpenSSH's server; skipped where it is not installed."""
    made = make_login(tmp_path, monkeypatch)
    process = start_sshd(tmp_path, made.port)
    yield made
    process.terminate()
    process.wait(10)


@pytest.fixture
def there(
    tmp_path: Path, server: Server, old_release: str, make_database: Callable[..., str], openssh: Login
) -> Callable[..., Project]:
    """Makes a project whose application and databases are behind SSH; the inventory and the store are here."""

    def make(variant: str, **target: object) -> Project:
        folder, far = tmp_path / "project", tmp_path / "there"
        folder.mkdir()
        far.mkdir()
        production = make_database("shop", old_release)
        test = production.replace("_shop", "_test")
        write_project(far, variant, {})
        app = {"dir": str(far / "shop"), "manage": [launcher().python, "manage.py"]}
        hosts = inventory({"app": app, **target})
        for group in hosts["all"]["children"].values():  # type: ignore[index]
            for found in group["hosts"].values():
                found |= openssh.variables()
        (folder / "inventory.yaml").write_text(yaml.safe_dump(hosts))
        (folder / "tasks.py").write_text("from ops.tasks import namespace\n__all__ = ['namespace']\n")
        env = project_env(server, production, test) | {"HOME": str(openssh.home)}
        return Project(folder, production, test, env)

    return make

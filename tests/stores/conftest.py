"""A real S3 server in the tests' own process, Azure's emulator, real SSH servers, and projects that keep all there."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyrage
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from ops.ssh_store import SshStore
from ops.store import AnyStore, Store
from tests.conftest import Project
from tests.ssh.conftest import KINDS, Login, Within, make_login, start_sshd
from tests.stores import azure

KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "storesecret", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of the server."""
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@dataclass
class Line:
    """A line to the server that can be cut: it passes bytes on, until there were ``limit`` of them, or it is cut."""

    port: int
    there: int
    limit: int = -1
    cut: bool = False
    passed: int = 0
    sockets: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def sever(self) -> None:
        """Cut it, and what is under way."""
        self.cut = True
        # Not those of whoever comes again as soon as the first one is closed.
        gone, self.sockets = self.sockets, []
        for one in gone:
            with contextlib.suppress(OSError):  # One that waits to receive is woken by that only.
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def carry(self, source: socket.socket, to: socket.socket, counts: bool) -> None:
        try:
            while not self.cut and (content := source.recv(65536)):
                self.passed += len(content) if counts else 0
                if 0 <= self.limit < self.passed:
                    self.sever()
                    return
                to.sendall(content)
        except OSError:
            pass
        finally:
            for one in (source, to):
                one.close()


@pytest.fixture
def line(s3: str) -> Iterator[Line]:
    """A line to the server; what is sent over it is counted."""
    with line_to(int(s3.rsplit(":", 1)[1])) as found:
        yield found


@contextlib.contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to a port."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = Line(listener.getsockname()[1], port)

    def accept() -> None:
        while True:
            try:
                here, _ = listener.accept()
            except OSError:
                return
            if found.cut:
                here.close()
                continue
            there = socket.create_connection(("127.0.0.1", found.there))
            found.sockets.extend((here, there))
            for one in (here, there):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for pair in ((here, there, True), (there, here, False)):
                threading.Thread(target=found.carry, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield found
    finally:
        listener.close()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, line: Line) -> Line:
    """This process reaches the server over the line."""
    for name, value in (KEYS | {"AWS_ENDPOINT_URL": line.url}).items():
        monkeypatch.setenv(name, value)
    return line


@pytest.fixture
def bucket(s3: str) -> str:
    """A new bucket's name."""
    import boto3

    name = f"b{uuid.uuid4().hex[:12]}"
    given = {"aws_access_key_id": "tests", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=s3, **given).create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Azure's emulator; skipped where it is not installed."""
    with azure.started(tmp_path_factory.mktemp("azurite")) as found:
        yield found


@pytest.fixture
def at_azure(monkeypatch: pytest.MonkeyPatch, azurite: str) -> Iterator[Line]:
    """This process reaches Azure's emulator over a line, and is nobody else there than the account."""
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    with line_to(int(azurite.rsplit(":", 1)[1])) as found:
        for name, value in azure.keys(found.url).items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture
def container(azurite: str) -> str:
    """A new container's name."""
    return azure.make_container(azurite)


@dataclass
class Far:
    """A host behind SSH, and a line to it that can be cut."""

    login: Login
    line: Line
    folder: Path

    @property
    def url(self) -> str:
        """The folder there as the inventory names it."""
        return f"ssh://{self.login.variables()['ansible_user']}@127.0.0.1:{self.line.port}{self.folder}"


@contextlib.contextmanager
def far_host(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> Iterator[Far]:
    """A host with OpenSSH's server, or asyncssh's within the tests, that is reached over a line."""
    folder.mkdir()
    login = make_login(folder, monkeypatch)
    with contextlib.ExitStack() as stack:
        if kind == "asyncssh":
            stack.callback(Within(folder, login.port).stop)
        else:
            process = start_sshd(folder, login.port, *more)
            stack.callback(process.wait, 10)
            stack.callback(process.terminate)
        found = stack.enter_context(line_to(login.port))
        key = login.known.read_text().split(" ", 1)[1]
        login.known.write_text(f"[127.0.0.1]:{found.port} {key}")
        yield Far(login, found, folder / "kept")


@pytest.fixture(params=KINDS)
def far(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    """Each kind of server behind SSH in turn."""
    with far_host(request.param, tmp_path / "far", monkeypatch) as found:
        yield found


@pytest.fixture
def openssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    """OpenSSH's server; skipped where it is not installed."""
    with far_host("openssh", tmp_path / "far", monkeypatch) as found:
        yield found


@pytest.fixture(params=["s3", "azure", "file", *KINDS])
def store(
    request: pytest.FixtureRequest, at: Line, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AnyStore]:
    """Each kind of store that can be had here."""
    if request.param in KINDS:
        with far_host(request.param, tmp_path / "far", monkeypatch) as found:
            yield SshStore(found.url)
    elif request.param == "azure":
        request.getfixturevalue("at_azure")
        yield Store(f"az://{request.getfixturevalue('container')}/kept")
    else:
        yield Store(f"s3://{bucket}/kept" if request.param == "s3" else f"file://{tmp_path}/kept")


@pytest.fixture
def shop(project: Callable[..., Project], at: Line, bucket: str) -> Project:
    """A project whose store is a bucket."""
    made = project("b", store=f"s3://{bucket}/kept")
    made.env |= KEYS | {"AWS_ENDPOINT_URL": at.url}
    return made


@pytest.fixture
def azure_shop(project: Callable[..., Project], at_azure: Line, container: str) -> Project:
    """A project whose store is a container of Azure's."""
    made = project("b", store=f"az://{container}/kept")
    made.env |= azure.keys(at_azure.url)
    return made


@dataclass
class Sealed:
    """A project whose backups are encrypted, and the secret key."""

    shop: Project
    key: Path


@pytest.fixture
def sealed(project: Callable[..., Project], at: Line, bucket: str, tmp_path: Path) -> Sealed:
    """A project whose store is a bucket, and whose backups are encrypted."""
    identity, key = pyrage.x25519.Identity.generate(), tmp_path / "age.key"
    key.write_text(f"# created by a test\n{identity}\n")
    key.chmod(0o600)
    encrypt = {"recipients": [str(identity.to_public())], "identity": f"file:{key}"}
    shop = project("b", store=f"s3://{bucket}/kept", encrypt=encrypt)
    shop.env |= KEYS | {"AWS_ENDPOINT_URL": at.url}
    return Sealed(shop, key)


def elsewhere(shop: Project, folder: Path) -> Project:
    """The same project on another machine: its inventory and application, and nothing of what was kept."""
    shutil.copytree(shop.folder, folder, ignore=shutil.ignore_patterns(".store", "__pycache__"), symlinks=True)
    return Project(folder, shop.production, shop.test, dict(shop.env) | {"PWD": os.fspath(folder)})

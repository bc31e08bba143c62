"""Every kind of store that can be had here, and projects that keep all there."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from ops.infra.postgres.embedded_server import Server
from ops.infra.stores.base import AnyStore
from tests.conftest import Project, drop_databases
from tests.support.ssh_servers import KINDS
from tests.support.stores import azure, google, s3
from tests.support.stores.google import Google
from tests.support.stores.hosts import Far, Hosts, reached
from tests.support.stores.lines import Line, line_to
from tests.support.stores.places import HOSTS, LINED, PLACES, REMOTE, Place, behind_ssh, in_azure, in_bucket, in_folder
from tests.support.stores.scenes import Buckets


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What stands in for Google's storage is S3's server, too: what a store has to do is tried over it each time, what
    is made of that where there is time."""
    for item in items:
        if "[google" in item.name and item.path.name == "test_remote_backup.py":
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def swept() -> Iterator[None]:
    """What was imported is never garbage, so it is not looked through again and again."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def no_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host behind SSH is not asked for sums, which takes its shell long (``test_ssh_store`` asks)."""
    monkeypatch.setattr("ops.infra.stores.ssh_store.SUMS", ())


@pytest.fixture(scope="session")
def amazon() -> Iterator[int]:
    """The port of an S3 server."""
    with s3.serving(s3.front(s3.moto())) as found:
        yield _port(found)


@pytest.fixture
def line(amazon: int) -> Iterator[Line]:
    """A line to the S3 server; what is sent over it is counted."""
    with line_to(amazon) as found:
        yield found


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, line: Line) -> Line:
    """This process reaches the S3 server over the line."""
    _become(monkeypatch, s3.keys(line.url))
    return line


@pytest.fixture
def bucket(amazon: int) -> str:
    """A new bucket's name."""
    return s3.make_bucket()


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
    with line_to(_port(azurite)) as found:
        _become(monkeypatch, azure.keys(found.url))
        yield found


@pytest.fixture
def container(azurite: str) -> str:
    """A new container's name."""
    return azure.make_container(azurite)


@pytest.fixture(scope="session")
def stand_in() -> Google:
    """What stands in for Google's storage."""
    return Google(s3.moto())


@pytest.fixture(scope="session")
def googles(stand_in: Google) -> Iterator[int]:
    """The port of what stands in for Google's storage."""
    with s3.serving(stand_in) as found:
        yield _port(found)


@pytest.fixture
def at_google(monkeypatch: pytest.MonkeyPatch, googles: int) -> Iterator[Line]:
    """This process reaches what stands in for Google's storage over a line."""
    with line_to(googles) as found:
        _become(monkeypatch, google.keys(found.url))
        yield found


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """The servers behind SSH."""
    found = Hosts(tmp_path_factory.mktemp("hosts"))
    with found.stack:
        yield found


@pytest.fixture(params=HOSTS)
def far(request: pytest.FixtureRequest, hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    """Each kind of server behind SSH in turn."""
    with reached(hosts.login(request.param), tmp_path / "far", monkeypatch) as found:
        yield found


@pytest.fixture
def openssh(hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    """OpenSSH's server; skipped where it is not installed."""
    with reached(hosts.login("openssh"), tmp_path / "far", monkeypatch) as found:
        yield found


@pytest.fixture
def place_of(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Place]]:
    """Gives a place of a kind (``Place.kind``)."""
    given = request.getfixturevalue
    with contextlib.ExitStack() as stack:

        def find(kind: str) -> Place:
            if kind == "s3":
                return in_bucket(kind, given("bucket"), (line := given("at")), s3.keys(line.url))
            if kind == "google":
                return in_bucket(kind, s3.make_bucket(), (line := given("at_google")), google.keys(line.url))
            if kind == "azure":
                return in_azure(given("azurite"), given("container"), given("at_azure"))
            if kind in KINDS:
                login = given("hosts").login(kind)
                return behind_ssh(kind, stack.enter_context(reached(login, tmp_path / "far", monkeypatch)))
            return in_folder(kind, tmp_path / "kept")

        yield find


@pytest.fixture(params=REMOTE)
def place(request: pytest.FixtureRequest, place_of: Callable[[str], Place]) -> Place:
    """Each kind of store in turn."""
    return place_of(request.param)


@pytest.fixture(params=LINED)
def lined(request: pytest.FixtureRequest, place_of: Callable[[str], Place]) -> Place:
    """Each kind of store that can be cut off."""
    return place_of(request.param)


@pytest.fixture(params=PLACES)
def anywhere(request: pytest.FixtureRequest, place_of: Callable[[str], Place]) -> Place:
    """Each kind of store, and a plain folder."""
    return place_of(request.param)


@pytest.fixture
def store(place: Place) -> AnyStore:
    """Each kind of store in turn."""
    return place.store


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Files are sent and fetched in small pieces, and what was cut off is tried again for a second only. Gives the
    bytes of a piece."""
    piece = 1 << 20
    monkeypatch.setattr("ops.infra.stores.object_store.PIECE", piece)
    monkeypatch.setattr("ops.infra.stores.object_store.PATIENT", (10, 1))
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", piece)
    return piece


@pytest.fixture
def shop_in(project: Callable[..., Project]) -> Callable[..., Project]:
    """Makes a project that keeps its backups in a place."""

    def make(place: Place, **target: object) -> Project:
        made = project("b", store=place.url, **target)
        made.env |= place.env
        return made

    return make


@pytest.fixture
def shop(shop_in: Callable[..., Project], place_of: Callable[[str], Place]) -> Project:
    """A project whose store is an empty bucket."""
    return shop_in(place_of("s3"))


@pytest.fixture(scope="session")
def buckets(
    server: Server, old_release: str, tmp_path_factory: pytest.TempPathFactory, amazon: int
) -> Iterator[Buckets]:
    """This worker's projects whose store is a bucket."""
    found = Buckets(server, tmp_path_factory.mktemp("buckets"), old_release, f"http://127.0.0.1:{amazon}")
    yield found
    found.close()


@pytest.fixture
def state(buckets: Buckets, at: Line, tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    """Gives a project whose store is a bucket, in one of its states (``tests.support.stores.scenes.STATES``)."""
    stems = []

    def give(name: str) -> Project:
        shop = buckets.give(name, tmp_path / "project")
        stems.append(shop.production.rsplit("/", 1)[1].removesuffix("_shop"))
        shop.env |= s3.keys(at.url)
        return shop

    yield give
    for stem in stems:
        drop_databases(buckets.server, stem)


@pytest.fixture
def key(buckets: Buckets, tmp_path: Path) -> Path:
    """The test's own copy of the secret key that opens encrypted backups."""
    return Path(shutil.copy2(buckets.key, tmp_path / "age.key"))


@pytest.fixture
def sealed(state: Callable[[str], Project], buckets: Buckets, key: Path) -> Callable[[str], Project]:
    """Gives a project whose backups are encrypted, in one of its states; its inventory names ``key``."""

    def give(name: str) -> Project:
        shop = state(name)
        inventory = shop.folder / "inventory.yaml"
        inventory.write_text(inventory.read_text().replace(str(buckets.key), str(key)))
        return shop

    return give


def elsewhere(shop: Project, folder: Path) -> Project:
    """The same project on another machine: its inventory and application, and nothing of what was kept."""
    shutil.copytree(shop.folder, folder, ignore=shutil.ignore_patterns(".store", "__pycache__"), symlinks=True)
    return Project(folder, shop.production, shop.test, dict(shop.env) | {"PWD": os.fspath(folder)})


def _become(monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str]) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])

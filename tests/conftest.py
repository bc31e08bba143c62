"""Real parts for the tests: an embedded PostgreSQL, Django projects with the incident's four variants, and ``inv``."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from psycopg import sql

from ops.infra.postgres.embedded_server import Server
from tests.faults.draw import drawn, share_of
from tests.projects import inventory, write_project
from tests.support import examples as _examples  # noqa: F401  (loads the profile)
from tests.support.client_fixtures import client, named, other_role, own, role, shared
from tests.support.done import Done
from tests.support.invoked import SIGNALS
from tests.support.project import ROOT, Project, admin, drop_databases, project_env, psql_env
from tests.support.scenes import Scenes
from tests.support.servers import SERVER, remove, servers
from tests.support.standby import replicas

__all__ = [
    "ROOT",
    "Done",
    "Project",
    "admin",
    "client",
    "drop_databases",
    "named",
    "other_role",
    "own",
    "project_env",
    "psql_env",
    "replicas",
    "role",
    "shared",
]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """An embedded server of the tests' own; reused while it runs, stopped by the last process that uses it."""
    # A checkout has its own.
    folder = servers() / f"tests-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    found = Server(folder, SERVER)
    with open(folder / "users", "w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        found.start()
        _hash_anew(found)
        yield found
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        found.stop()
        remove(found, folder)


def _hash_anew(server: Server) -> None:
    """Hash the password with the server's ``scram_iterations``: each connection takes 10 ms less."""
    password = unquote(urlsplit(server.url("postgres")).password or "")
    with admin(server) as connection:
        connection.execute("SELECT pg_advisory_lock(1)")  # Of two workers at once one would be refused.
        connection.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(sql.Literal(password)))


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """A test's signal handlers end with the test: what ends a command in its process leaves it deaf to Ctrl-C."""
    former = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.fixture
def stem(server: Server) -> Iterator[str]:
    """What the names of a test's databases begin with; all of them are dropped at its end."""
    made = f"t{uuid.uuid4().hex[:8]}"
    yield made
    drop_databases(server, made)


@pytest.fixture
def make_database(server: Server, stem: str) -> Callable[..., str]:
    """Creates databases whose names begin with the test's stem. Gives the connection URL."""

    def make(name: str, template: str = "template1") -> str:
        with admin(server) as connection:
            words = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(words.format(sql.Identifier(f"{stem}_{name}"), sql.Identifier(template)))
        return server.url(f"{stem}_{name}")

    return make


@pytest.fixture(scope="session")
def old_release(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database at the old release, filled; each project's production is a copy of it."""
    name = f"old{uuid.uuid4().hex[:8]}"
    with admin(server) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = server.url(name)
    made = Project(tmp_path_factory.mktemp("old"), url, url, project_env(server, url, url))
    write_project(made.folder, "b", {})
    for words in (["migrate", "lessons", "0001"], ["migrate", "contenttypes"], ["migrate", "auth"], ["fill"]):
        made.manage(*words)
    yield name
    drop_databases(server, name)


@pytest.fixture(scope="session")
def scenes(server: Server, old_release: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    """This worker's scenes, each made when it is first asked for."""
    found = Scenes(server, tmp_path_factory.mktemp("scenes"), old_release)
    yield found
    found.close()


@pytest.fixture
def scene(tmp_path: Path, server: Server, scenes: Scenes, stem: str) -> Iterator[Callable[..., Project]]:
    """Puts a scene back: its name (``tests.support.scenes.SCENES``), the variant, keys of the inventory's target."""
    stems: list[str] = []

    def at(name: str, variant: str = "b", **target: object) -> Project:
        shop = scenes.at(name, variant, tmp_path / "project", stem)
        stems.append(shop.production.rsplit("/", 1)[1].removesuffix("_shop"))
        if target:
            (shop.folder / "inventory.yaml").write_text(yaml.safe_dump(inventory(target)))
        return shop

    yield at
    for one in stems:
        drop_databases(server, one)


@pytest.fixture
def project(scene: Callable[..., Project]) -> Callable[..., Project]:
    """Makes a project whose production is at the old release, with one of the variants as its pending migration."""

    def make(variant: str, **target: object) -> Project:
        return scene("filled", variant, **target)

    return make


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A chain of strikes takes minutes; ``TESTS_SLOW=1/2`` runs every second slow test, the others with the next
    commit."""
    draw = share_of("TESTS_SLOW")
    left = [item for item in items if item.get_closest_marker("slow") and not draw.takes(item.nodeid)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in set(left)]
    for item in items:
        if item.get_closest_marker("faults"):
            item.add_marker(pytest.mark.timeout(1800))


def pytest_report_header(config: pytest.Config) -> str | None:
    """Name the draw of the faults, so that it can be repeated."""
    if "faults" not in config.option.markexpr.replace("not faults", ""):
        return None
    return "faults: " + " ".join(f"{name}={value}" for name, value in drawn().environ.items())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with one line that counts the skips by what is missing."""
    causes = Counter(_cause(report) for report in terminalreporter.stats.get("skipped", []))
    if causes:
        said = "; ".join(f"{number} × {cause}" for cause, number in causes.most_common())
        terminalreporter.config.add_cleanup(lambda: print(f"skipped {causes.total()}: {said}"))


def _cause(report: pytest.TestReport | pytest.CollectReport) -> str:
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return said.removeprefix("Skipped: ")


def pytest_configure() -> None:
    """The tests need git, and Ctrl-C and SIGQUIT: a shell lets what it runs in the background ignore both, as would the
    tools.
    What they write goes where their servers are."""
    servers().mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(servers()))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    assert shutil.which("git"), "git is needed"

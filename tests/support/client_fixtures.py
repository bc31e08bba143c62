"""The client, databases by their bare name, and roles."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ops.infra.postgres.embedded_server import Server
from tests.support.client import Client, name_of, quoted
from tests.support.servers import SERVER, own_server


@pytest.fixture(scope="session")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """psql and its companions."""
    return Client(server, tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server that no other process uses, for what a change of database elsewhere would disturb; it also allows
    prepared transactions, which the tests' server does not."""
    with own_server("own", SERVER | {"max_prepared_transactions": "2"}) as server:
        yield Client(server, tmp_path_factory.mktemp("own"))


@pytest.fixture
def named(make_database: Callable[[str], str]) -> Callable[..., str]:
    """Creates a database like ``make_database``, executes statements there, and gives its bare name."""

    def make(name: str, *statements: str) -> str:
        url = make_database(name)
        for statement in statements:
            Client.execute(url, statement)
        return name_of(url)

    return make


@pytest.fixture(scope="module")
def shared(client: Client) -> Iterator[Callable[..., str]]:
    """The same for databases that all tests of a module look at; no test may change them."""
    stem, made = f"shared_{uuid.uuid4().hex[:8]}", []

    def make(name: str, *statements: str) -> str:
        made.append(f"{stem}_{name}")
        client.ask(f"CREATE DATABASE {made[-1]}")
        for statement in statements:
            client.ask(statement, made[-1])
        return made[-1]

    yield make
    for name in made:
        client.ask(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def role(client: Client) -> Iterator[str]:
    """A role of a name that needs quotes. Name it before ``named``: databases that it owns must go first."""
    with temporary_role(client, "Rôle") as name:
        yield name


@pytest.fixture
def other_role(client: Client) -> Iterator[str]:
    """Another one; neither is a member of the other."""
    with temporary_role(client, "other") as name:
        yield name


@contextmanager
def temporary_role(client: Client, stem: str) -> Iterator[str]:
    name = f"{stem} {uuid.uuid4().hex[:8]}"
    client.ask(f"CREATE ROLE {quoted(name)} LOGIN CREATEDB PASSWORD 'x'")
    yield name
    client.ask(f"DROP ROLE {quoted(name)}")

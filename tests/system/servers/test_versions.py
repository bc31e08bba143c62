"""Every major version of PostgreSQL that is here: backup, clone, drill, release, rollback, undo, salvage.

A combination is client, server of production, server of the test target; docs/reference/versions.md lists all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ops.infra.postgres.embedded_server import Server
from ops.infra.session import client_tools
from tests.conftest import Project, admin
from tests.projects import write_project
from tests.support.project import project_env
from tests.support.servers import QUICK, own_server
from tests.support.versions import MAJORS, clients, servers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SERVERS, CLIENTS = servers(), clients()
ALIKE = [(major, major, major) for major in MAJORS]
# Newer tools than the server, up to 16; a newer test server.
APART = [(15, 14, 14), (16, 14, 14), (16, 15, 15), (15, 14, 18), (15, 15, 16), (15, 15, 18), (16, 16, 17), (17, 17, 18)]


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[dict[int, Server]]:
    """Servers of the versions that a combination names."""
    client, *wanted = request.node.callspec.params["combination"]
    if client not in CLIENTS or not set(wanted) <= set(SERVERS):
        lacking = [f"client {client}"] * (client not in CLIENTS) + [f"server {n}" for n in wanted if n not in SERVERS]
        pytest.skip(f"another PostgreSQL is needed here ({', '.join(lacking)}): tests/support/versions.py says how")
    with ExitStack() as stack:
        yield {major: stack.enter_context(own_server(f"v{major}", QUICK, SERVERS[major])) for major in set(wanted)}


def shop_on(folder: Path, production: Server, test: Server) -> Project:
    """A filled project on two servers."""
    write_project(folder, "b", {})
    with admin(production) as connection:
        connection.execute("CREATE DATABASE v_shop")
    urls = production.url("v_shop"), test.url("v_test")
    shop = Project(folder, *urls, project_env(production, *urls))
    for words in (["migrate", "lessons", "0001"], ["migrate", "contenttypes"], ["migrate", "auth"], ["fill"]):
        shop.manage(*words)
    return shop


def did(shop: Project, *words: str) -> None:
    """A call that must succeed."""
    done = shop.inv(*words)
    assert done.code == 0, done.out + done.err


@pytest.mark.parametrize("combination", [*ALIKE, *APART], ids=lambda one: "client {} server {} test {}".format(*one))
def test_all_of_it_works(
    combination: tuple[int, int, int], started: dict[int, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, production, test = combination
    monkeypatch.setattr(client_tools, "installed", lambda _: [CLIENTS[client]])
    shop = shop_on(tmp_path / "project", started[production], started[test])
    before = shop.fingerprint()
    for words in (["backup"], ["drill"], ["release", "--confirm=shop"]):
        did(shop, *words)
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]
    shop.query("UPDATE lessons_booking SET session_id = NULL WHERE session_id > 900")
    shop.query("DELETE FROM lessons_session WHERE id > 900")
    last = shop.inv("backups", "--json").events[0]["backup"]
    did(shop, "salvage", f"--backup={last}", "--table=lessons_lesson", "--into=lessons_session", "--confirm=shop")
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]
    did(shop, "rollback", f"--backup={last}", "--confirm=shop")
    assert shop.fingerprint() == before
    did(shop, "undo", "--confirm=shop")
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]

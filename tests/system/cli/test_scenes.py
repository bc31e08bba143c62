"""Scenes are what they say: a test that begins with one begins where a person would be who typed it all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Project, drop_databases
from tests.support.scenes import SCENES
from tests.support.tiers import quick

Scene = Callable[..., Project]


@pytest.mark.parametrize("name", quick(["filled", *SCENES], "filled", "rolled_back"))
def test_a_scene_is_put_back_whole(scene: Scene, server: Server, stem: str, name: str) -> None:
    shop = scene(name)
    rows, databases, frozen = shop.fingerprint(), facts(shop), shop.query("SHOW default_transaction_read_only")
    shop.query("BEGIN READ WRITE; TRUNCATE lessons_teacher CASCADE; COMMIT")
    shop.folder.rename(shop.folder.with_name("former"))
    drop_databases(server, stem)
    again = scene(name)
    assert again.fingerprint() == rows and rows["public.lessons_teacher"][0] >= 10
    assert [kind for kind, _ in facts(again)] == [kind for kind, _ in databases]
    assert frozen == again.query("SHOW default_transaction_read_only") == [("on" if name == "interrupted" else "off",)]


def facts(shop: Project) -> list[tuple[str, str]]:
    """Every database of the project: its name without the stem, its mark, whether it is open."""
    stem = shop.production.rsplit("/", 1)[1].removesuffix("_shop")
    query = (
        "SELECT substr(datname, length(%s) + 1), concat(shobj_description(oid, 'pg_database'), datallowconn) "
        f"FROM pg_database WHERE starts_with(datname, '{stem}_') ORDER BY 1"
    )
    return [(str(name), str(about)) for name, about in shop.query(query.replace("%s", f"'{stem}'"), "postgres")]


@pytest.mark.slow
def test_what_was_certified_is_promoted(scene: Scene) -> None:
    shop = scene("certified")
    assert shop.inv("promote", "--confirm=shop").code == 0
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]


@pytest.mark.slow
def test_what_was_rolled_back_can_be_undone(scene: Scene) -> None:
    shop = scene("rolled_back")
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]
    assert shop.inv("undo", "--confirm=shop").code == 0
    assert shop.query("SELECT count(*) FROM lessons_teacher WHERE name = 'written since'") == [(1,)]


@pytest.mark.slow
def test_what_was_interrupted_is_resumed(scene: Scene) -> None:
    shop = scene("interrupted")
    assert "interrupted" in shop.inv("status").out
    assert shop.inv("resume", "--confirm=shop").code == 0
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]

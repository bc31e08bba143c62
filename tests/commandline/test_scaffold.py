"""`inv scaffold-rename` on real applications: its files are released, keep every row, and can be taken back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.embedded import Server
from tests.conftest import Project, project_env
from tests.renames import LINKS, MANY, NAMES, Shape, asked_now, edit_models, write_rename

Make = Callable[[Shape], Project]
TABLE = {'"Alte Stunden"': "lessons_session"}
NO_TABLE = {'        db_table = "Alte Stunden"\n': ""}


@pytest.fixture
def school(tmp_path: Path, server: Server, make_database: Callable[..., str]) -> Make:
    """Makes a project of a shape whose production is filled and at its first migrations."""

    def make(shape: Shape) -> Project:
        folder = tmp_path / "project"
        production = make_database("shop")
        test = production.replace("_shop", "_test")
        write_rename(folder, shape)
        shop = Project(folder, production, test, project_env(server, production, test))
        shop.manage("makemigrations", "--verbosity=0")
        shop.manage("migrate", "--verbosity=0")
        shop.query(shape.fill)
        return shop

    return make


def answers(shop: Project, asks: list[str]) -> list[list[tuple[Any, ...]]]:
    return [shop.query(ask) for ask in asks]


def scaffold(shop: Project, *words: str) -> str:
    done = shop.inv("scaffold-rename", "lessons", "Lesson", "Session", *words)
    assert done.code == 0, done.out + done.err
    return done.out


def migrations(shop: Project, app: str = "lessons") -> list[str]:
    return sorted(path.stem for path in (shop.folder / f"shop/{app}/migrations").glob("0*.py"))


def release(shop: Project) -> None:
    shop.manage("makemigrations", "--check", "--dry-run")
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 0, done.outcome


def copy_of(shop: Project, make_database: Callable[..., str]) -> Project:
    """The project on a copy of its production."""
    url = make_database("copy", shop.production.rsplit("/", 1)[1].split("?")[0])
    return replace(shop, production=url, env=shop.env | {"DATABASE_URL": url})


def manage_fails(shop: Project, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words], cwd=shop.folder / "shop", env=shop.env, capture_output=True, text=True
    )
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr


CASES = {"links": (LINKS, {}, {}), "names": (NAMES, TABLE, NO_TABLE), "many": (MANY, {}, {})}


@pytest.mark.parametrize("name", CASES)
def test_a_copy_is_released_and_taken_back(school: Make, make_database: Callable[..., str], name: str) -> None:
    shape, asked, edited = CASES[name]
    shop = school(shape)
    before = answers(shop, list(shape.asks))
    scaffold(shop, "--copy")
    edit_models(shop.folder, shape, edited)
    release(shop)
    copy = copy_of(shop, make_database)
    assert advanced(answers(shop, asked_now(shape, asked))) == before
    copy.manage("migrate", "lessons", "0001")
    assert advanced(answers(copy, list(shape.asks))) == before


@pytest.mark.parametrize("name", ["links", "names"])
def test_a_rename_is_released_and_taken_back(school: Make, make_database: Callable[..., str], name: str) -> None:
    shape, _, _ = CASES[name]
    shop = school(shape)
    before = answers(shop, list(shape.asks))
    scaffold(shop)
    assert migrations(shop) == ["0001_initial", "0002_rename_lesson_session"]
    edit_models(shop.folder, shape)
    release(shop)
    copy = copy_of(shop, make_database)
    assert advanced(answers(shop, asked_now(shape))) == before
    copy.manage("migrate", "lessons", "0001")
    assert advanced(answers(copy, list(shape.asks))) == before


def advanced(found: list[list[tuple[Any, ...]]]) -> list[list[tuple[Any, ...]]]:
    """A sequence that was asked is one further: take that away."""
    return [[(rows[0][0] - 1,)] if len(rows) == 1 and len(rows[0]) == 1 else rows for rows in found]

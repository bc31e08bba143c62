"""A history of migrations that can't be gone on with is refused before anything begins, and called what it is."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Project

DEPENDS = ("0001_initial", "0002_session")
REPLACES = 'replaces = [("lessons", "0001_initial"), ("lessons", "0002_session")]\n    dependencies'


def test_a_migration_that_was_applied_before_its_dependency(project: Callable[..., Project]) -> None:
    shop = project("b")
    folder = shop.folder / "shop/lessons/migrations"
    (folder / "0003_late.py").write_text((folder / "0002_session.py").read_text().replace(*DEPENDS))
    shop.query("INSERT INTO django_migrations (app, name, applied) VALUES ('lessons', '0003_late', now())")
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 3, done.out + done.err
    assert "the applied migrations are inconsistent: Migration lessons.0003_late" in done.outcome["reason"]
    assert "showmigrations" in done.outcome["hint"] and "does not start" not in done.out


def test_a_squash_of_which_only_a_part_was_applied(project: Callable[..., Project]) -> None:
    shop = project("b")
    folder = shop.folder / "shop/lessons/migrations"
    initial = folder / "0001_initial.py"
    (folder / "0001_squashed_0002_session.py").write_text(initial.read_text().replace("dependencies", REPLACES, 1))
    initial.unlink()
    (folder / "0002_session.py").unlink()
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 3, done.out + done.err
    assert "lessons.0001_squashed_0002_session was never applied" in done.outcome["reason"]
    assert "not lessons.0002_session, and their files are missing" in done.outcome["reason"]


def test_a_dependency_that_is_nowhere_is_no_application_that_does_not_start(project: Callable[..., Project]) -> None:
    shop = project("b")
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    path.write_text(path.read_text().replace("0001_initial", "0001_gone"))
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 4, done.out + done.err
    assert "its migrations are inconsistent" in done.outcome["reason"] and "0001_gone" in done.outcome["reason"]
    assert done.outcome["hint"].endswith("manage.py showmigrations")

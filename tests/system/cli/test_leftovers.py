"""What production's django_migrations holds beyond the release: a newer release's migrations, or only leftovers."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Project

Make = Callable[..., Project]


def record(project: Project, name: str, where: str) -> None:
    """Record a migration of ``lessons`` that no file has, before or after all others."""
    project.query(
        "INSERT INTO django_migrations (id, app, name, applied) OVERRIDING SYSTEM VALUE "
        f"SELECT {where}, 'lessons', '{name}', now() FROM django_migrations"
    )


def test_a_leftover_of_a_squash_is_no_reason_to_refuse(project: Make) -> None:
    shop = project("b")
    record(shop, "0000_squashed_away", "min(id) - 1")
    done = shop.inv("release", "--plan", "--json")
    assert done.outcome["exit"] == 0, done.out


def test_a_migration_of_a_newer_release_is_refused(project: Make) -> None:
    shop = project("b")
    record(shop, "0002_newer", "max(id) + 1")
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 3
    assert "unknown to this release: lessons.0002_newer" in done.outcome["reason"]


def test_what_a_file_says_that_it_replaces_is_known(project: Make) -> None:
    shop = project("b")
    file = shop.folder / "shop/lessons/migrations/0001_initial.py"
    replaced = "    replaces = [('lessons', '0001_a'), ('lessons', '0001_b')]\n    initial = True"
    file.write_text(file.read_text().replace("    initial = True", replaced))
    record(shop, "0001_a", "max(id) + 1")
    record(shop, "0001_b", "max(id) + 1")
    done = shop.inv("release", "--plan", "--json")
    assert done.outcome["exit"] == 0, done.out

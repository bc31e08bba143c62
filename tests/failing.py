"""Projects whose release is rehearsed well and fails on production, at each step from the migrations on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Project

# Holds only where the database is production's own; the clone's name ends in `_test`.
ON_PRODUCTION = "current_database() like '%\\_shop'"

SECOND = """
from django.db import migrations
class Migration(migrations.Migration):
    dependencies = [("lessons", "0002_session")]
    operations = [migrations.RunSQL({sql!r})]
"""

CHECK = """
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
class Command(BaseCommand):
    def handle(self, *args, **options):
        if connection.settings_dict["NAME"].endswith("_shop"):
            raise CommandError("the shop is not as it should be")
"""


def raising(name: str) -> str:
    """SQL that fails on production."""
    return f"do $$ begin if {ON_PRODUCTION} then raise exception '{name}'; end if; end $$"


def half_way(shop: Project) -> None:
    """The second of two migrations fails."""
    _second(shop, raising("the second migration fails"))


def not_at_all(shop: Project) -> None:
    """The only migration fails."""
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    path.write_text(path.read_text().replace("operations = [", f"operations = [migrations.RunSQL({raising('no')!r}), "))


def differs(shop: Project) -> None:
    """A migration deletes rows, on production only."""
    _second(shop, f"delete from lessons_booking where id <= 7 and {ON_PRODUCTION}")


def checked(shop: Project) -> None:
    """The application's own check fails."""
    (shop.folder / "shop/lessons/management/commands/check_lessons_data.py").write_text(CHECK)


def nothing(_: Project) -> None:
    """The inventory does it."""


def _second(shop: Project, sql: str) -> None:
    (shop.folder / "shop/lessons/migrations/0003_more.py").write_text(SECOND.format(sql=sql))


# For each: what is changed in the project, keys of the target, the exit code, and words of the reason.
FAILURES: dict[str, tuple[Callable[[Project], None], dict[str, object], int, str]] = {
    "promote.migrate": (half_way, {}, 4, "the second migration fails"),
    "promote.account": (differs, {}, 5, "production differs from the rehearsal"),
    "promote.checks": (checked, {}, 4, "the shop is not as it should be"),
    "promote.deploy": (nothing, {"deploy": ["sh", "-c", "echo no such host >&2; exit 3"]}, 4, "no such host"),
    "health": (
        nothing,
        {"deploy": ["true"], "health": {"command": ["sh", "-c", "echo 502 >&2; false"], "timeout": 0.3, "every": 0.1}},
        4,
        "502",
    ),
}


def run_of(shop: Project) -> str:
    """The last run."""
    return max(Path(shop.folder / "backups/shop/runs").iterdir()).name

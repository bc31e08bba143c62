"""How often the application is started: a large one takes seconds each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.application.probe import applied, commit_of, identity, probe
from ops.engine.command import Query
from ops.infra.session.client_tools import some_tools
from ops.infra.session.session import Session
from ops.inventory.load import load
from tests.conftest import Project
from tests.support.tiers import quick

MOST = 8
# Pending migrations after the renames of variant b: one that is one transaction, and one that is not.
MORE = {
    "0003_note": ("", "0002_session", 'migrations.AddField("teacher", "note", models.TextField(default=""))'),
    "0004_index": (
        "atomic = False",
        "0003_note",
        'AddIndexConcurrently("teacher", models.Index(fields=["name"], name="teacher_name"))',
    ),
}


def counted(shop: Project) -> Path:
    """A file to which every start of the application adds a line."""
    starts = shop.folder / "starts"
    settings = shop.folder / "shop/settings.py"
    settings.write_text(settings.read_text() + f'\nopen({str(starts)!r}, "a").write("{{}}\\n".format(sys.argv[1:2]))\n')
    settings.write_text("import sys\n" + settings.read_text())
    return starts


def lines(starts: Path) -> list[str]:
    return starts.read_text().splitlines()


@pytest.mark.parametrize("freeze", ["always", "never"])
@pytest.mark.parametrize("more", quick([{}, MORE], MORE))
def test_a_release_starts_the_application_eight_times_at_most(
    project: Callable[..., Project], more: dict[str, tuple[str, str, str]], freeze: str
) -> None:
    shop = project("b", freeze=freeze)
    for name, (atomic, after, operation) in more.items():
        (shop.folder / f"shop/lessons/migrations/{name}.py").write_text(
            "from django.contrib.postgres.operations import AddIndexConcurrently\n"
            "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
            f'    {atomic}\n    dependencies = [("lessons", "{after}")]\n    operations = [{operation}]\n'
        )
    starts = counted(shop)
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    applied = shop.query("SELECT name FROM django_migrations WHERE app = 'lessons' ORDER BY id")
    assert [name for (name,) in applied] == ["0001_initial", "0002_session", *more]
    # On the clone and on production: a report, a migration, the proof after it, and the checks. Production's migration
    # is a script in `shell` if it is not one transaction.
    found = lines(starts)
    assert len(found) <= MOST, found
    assert found.count("['check_lessons_data']") == 2
    assert found.count("['migrate']") + found.count("['shell']") == 6
    assert found.count("['migrate']") == (3 if more else 4)


def test_what_the_gates_of_a_step_ask_twice_is_queried_once(scene: Callable[..., Project]) -> None:
    shop = scene("filled")
    session = Session(load(shop.folder / "inventory.yaml"), shop.env)
    some_tools(session)
    sent: list[str] = []
    run, connect = session.commands.run, session.commands.connect

    def count_run(command: Any, **options: Any) -> Any:
        sent.append(command.file if isinstance(command, Query) else " ".join(map(str, command.words[:2])))
        return run(command, **options)

    def count_connect(*names: Any, **options: Any) -> Any:
        sent.append("connection")
        return connect(*names, **options)

    session.commands.run, session.commands.connect = count_run, count_connect  # type: ignore[method-assign]

    def ask() -> tuple[Any, ...]:
        return identity(session, "shop"), commit_of(session, "shop"), applied(session, "shop")

    first = ask()
    assert ask() == first and sent == ["identity.sql", "git describe", "connection"]
    shop.query("INSERT INTO django_migrations (app, name, applied) VALUES ('lessons', '0009', now())")
    session.forget()
    assert ask()[2] == (*first[2], "lessons.0009")
    assert sent == ["identity.sql", "git describe", "connection"] * 2


def test_a_report_is_used_again_until_code_or_database_change(project: Callable[..., Project]) -> None:
    shop = project("b")
    starts = counted(shop)
    session = Session(load(shop.folder / "inventory.yaml"), shop.env)

    def asked() -> int:
        """How many starts it takes to know the pending migrations, as the next step would."""
        session.forget()
        before = len(lines(starts)) if starts.exists() else 0
        probe(session, "shop", "shop")
        return len(lines(starts)) - before

    assert [asked(), asked()] == [1, 0]
    migration = shop.folder / "shop/lessons/migrations/0002_session.py"
    migration.write_text(migration.read_text() + "# edited\n")
    assert [asked(), asked()] == [1, 0]
    (shop.folder / "shop/.env").write_text("DEBUG=1\n")
    assert [asked(), asked()] == [1, 0]
    (shop.folder / "shop/lessons/migrations/0003_more.py").write_text(migration.read_text())
    migration.unlink()
    assert [asked(), asked()] == [1, 0]
    shop.query("INSERT INTO django_migrations (app, name, applied) VALUES ('lessons', '0003_more', now())")
    assert [asked(), asked()] == [1, 0]
    assert probe(session, "shop", "shop")["pending"] == []


def test_settings_that_require_a_writable_session_are_named(project: Callable[..., Project]) -> None:
    shop = project("b")
    with open(shop.folder / "shop/settings.py", "a") as file:
        file.write('\nDATABASES["default"]["OPTIONS"] = {"target_session_attrs": "read-write"}\n')
    done = shop.inv("hazards")
    assert done.code == 4 and "the application does not connect: its settings require a writable session" in done.out
    assert 'Try: remove "target_session_attrs" from OPTIONS' in done.out, done.out

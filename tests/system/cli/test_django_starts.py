"""How often the application is started: a large one takes seconds each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ops.application.probe import probe
from ops.infra.session.session import Session
from ops.inventory.load import load
from tests.conftest import Project

MOST = 8


def counted(shop: Project) -> Path:
    """A file to which every start of the application adds a line."""
    starts = shop.folder / "starts"
    settings = shop.folder / "shop/settings.py"
    settings.write_text(settings.read_text() + f'\nopen({str(starts)!r}, "a").write("{{}}\\n".format(sys.argv[1:2]))\n')
    settings.write_text("import sys\n" + settings.read_text())
    return starts


def lines(starts: Path) -> list[str]:
    return starts.read_text().splitlines()


def test_a_release_starts_the_application_eight_times_at_most(project: Callable[..., Project]) -> None:
    shop = project("b", freeze="always")
    starts = counted(shop)
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert len(lines(starts)) <= MOST, lines(starts)
    # Both migrations, the proof after each, and the checks are starts of their own.
    assert lines(starts).count("['migrate']") == 4


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

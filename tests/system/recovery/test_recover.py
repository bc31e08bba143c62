"""The guide's last section, followed to the letter: the commands that ``inv recover`` prints, and no others."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Project
from tests.support.tiers import quick
from tests.system.recovery.test_salvage import REUSED, SINCE, incident

ASKS = ("rollback", "salvage", "release")


def look(shop: Project, code: int) -> dict[str, Any]:
    done = shop.inv("recover", "--json")
    assert done.code == code, done.out + done.err
    (found,) = [event for event in done.events if event["event"] == "recovery"]
    text = shop.inv("recover")
    for way in found["ways"]:
        for command in way["commands"]:
            assert f"  {command}\n" in text.out, text.out
    return dict(found)


def follow(shop: Project, commands: list[str]) -> None:
    """Type what was printed; the last one, to look again, is the caller's."""
    for command in commands:
        words = shlex.split(command)
        if words[:2] == ["inv", "recover"]:
            return
        if words[0] == "inv":
            done = shop.inv(*words[1:], *(["--confirm=shop"] if words[1] in ASKS else []))
            assert done.code == 0, command + done.out + done.err
        else:
            subprocess.run(words, cwd=shop.folder, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("since", [pytest.param(SINCE, id="new keys"), pytest.param(REUSED, id="keys used again")])
def test_the_guides_way_ends_with_all_lessons_and_what_was_written_since(
    project: Callable[..., Project], since: tuple[str, ...]
) -> None:
    shop = project("a", checks=[])
    incident(shop, *since)
    written = shop.query("SELECT title FROM lessons_session ORDER BY 1")
    states = []
    for code in (5, 5, 0, 0):
        found = look(shop, code)
        states.append(found["state"])
        follow(shop, found["ways"][-1]["commands"])
    assert states == ["lost", "correct", "release", "aside"]
    assert look(shop, 0)["state"] == "sound"
    stunden = "SELECT count(*) FROM lessons_session WHERE title = 'Stunde ' || id AND id <= 1000"
    assert shop.query(stunden) == [(1000,)]
    assert shop.query("SELECT count(*) FROM lessons_booking WHERE id = session_id AND id <= 1000") == [(1000,)]
    assert shop.query("SELECT title FROM lessons_session WHERE title LIKE 'Neu%' ORDER BY 1") == written
    led = "SELECT s.title FROM lessons_booking b JOIN lessons_session s ON s.id = b.session_id WHERE b.id > 1000"
    assert shop.query(f"{led} ORDER BY 1") == written
    assert shop.query("SELECT name FROM django_migrations WHERE app = 'lessons' ORDER BY id") == [
        ("0001_initial",),
        ("0002_rename_lesson_session",),
    ]


@pytest.mark.parametrize("variant", quick(["a", "d"], "a"))
def test_the_short_way_brings_the_rows_back_into_what_is_live(project: Callable[..., Project], variant: str) -> None:
    shop = project(variant)
    incident(shop, *SINCE)
    found = look(shop, 5)
    assert [(one["table"], one["into"]) for one in found["missing"]] == [
        ("public.lessons_lesson", "public.lessons_session")
    ]
    follow(shop, found["ways"][0]["commands"])
    assert look(shop, 0)["state"] == "sound"
    assert shop.query("SELECT count(*) FROM lessons_booking WHERE id = session_id AND id <= 1000") == [(1000,)]
    assert shop.query("SELECT count(*) FROM lessons_session WHERE title LIKE 'Neu%'") == [(2,)]


@pytest.mark.slow
def test_rows_deleted_by_hand_and_a_damaged_backup(project: Callable[..., Project]) -> None:
    shop = project("b")
    assert shop.inv("recover", "--json").code == 2
    first = incident_free(shop)
    second = incident_free(shop)
    dump = next((shop.folder / "backups/shop/backups" / second / "dump").glob("*.dat*"))
    dump.write_bytes(b"x" + dump.read_bytes()[1:])
    shop.query("DELETE FROM lessons_booking WHERE id > 400")
    found = look(shop, 5)
    assert found["backup"] == first
    assert second in found["damaged"][0]
    assert len(found["ways"]) == 1, "no migration was applied, so there is none to correct"
    follow(shop, found["ways"][0]["commands"])
    assert look(shop, 0)["state"] == "release"


def incident_free(shop: Project) -> str:
    done = shop.inv("backup", "--json")
    assert done.code == 0, done.out + done.err
    return str(done.outcome["run"])


def test_migrations_since_the_backup_are_named_in_the_order_in_which_they_ran(scene: Callable[..., Project]) -> None:
    shop = scene("backed_up")
    for name in ("zones", "areas"):
        shop.query(f"INSERT INTO django_migrations (app, name, applied) VALUES ('{name}', '0001_initial', now())")
    shop.query("DELETE FROM lessons_booking")
    assert look(shop, 5)["since"] == ["zones.0001_initial", "areas.0001_initial"]
    assert "migrated since: zones.0001_initial, areas.0001_initial" in shop.inv("recover").out

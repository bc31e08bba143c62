"""Lost rows come back from a backup after the guide's incident, and what was written since is still there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Done, Project

SINCE_LESSON = 2000


def incident(shop: Project, *since: str) -> str:
    """A backup; then the pending migration is applied by hand, and things are written. Gives the backup's id."""
    done = shop.inv("backup", "--json")
    assert done.code == 0, done.out + done.err
    shop.manage("migrate")
    for statement in since:
        shop.query(statement)
    return str(done.outcome["run"])


def salvage(shop: Project, backup: str, *words: str, code: int = 0) -> Done:
    done = shop.inv("salvage", f"--backup={backup}", "--json", "--confirm=shop", *words)
    assert done.code == code, done.out + done.err
    return done


def report(shop: Project, done: Done) -> dict[str, Any]:
    path = shop.folder / "backups/shop/runs" / str(done.outcome["run"]) / "salvage.json"
    assert path.stat().st_mode & 0o077 == 0
    found: dict[str, Any] = json.loads(path.read_text())
    return found


# Written since, under keys that no lesson had: two sessions, and bookings of them.
SINCE = (
    "SELECT setval('lessons_session_id_seq', 2000)",
    "INSERT INTO lessons_session (title, teacher_id) VALUES ('Neu 1', 1), ('Neu 2', 2)",
    "INSERT INTO lessons_booking (session_id) SELECT id FROM lessons_session",
    "UPDATE lessons_teacher SET name = 'Herr 1' WHERE id = 1",
)


def test_after_the_incident_lessons_come_back_as_sessions_and_bookings_lead_to_them(
    project: Callable[..., Project],
) -> None:
    shop = project("a")
    lessons = shop.query("SELECT id, title, teacher_id FROM lessons_lesson ORDER BY id")
    backup = incident(shop, *SINCE)
    assert shop.query("SELECT count(*), count(session_id) FROM lessons_booking") == [(1002, 2)]
    before = shop.fingerprint()

    done = salvage(shop, backup, "--table=lessons_lesson")
    assert shop.query("SELECT id, title, teacher_id FROM lessons_session WHERE id <= 2000 ORDER BY id") == lessons
    assert shop.query("SELECT title FROM lessons_session WHERE id > 2000 ORDER BY id") == [("Neu 1",), ("Neu 2",)]
    assert shop.query("SELECT count(*) FROM lessons_booking WHERE id = session_id") == [(1000,)]
    assert shop.query("SELECT session_id FROM lessons_booking WHERE id > 1000 ORDER BY id") == [(2001,), (2002,)]
    assert shop.query("SELECT name FROM lessons_teacher WHERE id = 1") == [("Herr 1",)]
    assert shop.query("SELECT nextval('lessons_session_id_seq')") == [(2003,)]
    assert not shop.beside("salvage")
    found = report(shop, done)
    assert [(t["into"], t["back"], t["left"]) for t in found["tables"]] == [("public.lessons_session", 1000, [])]
    assert [(link["table"], link["back"]) for link in found["links"]] == [("public.lessons_booking", 1000)]
    assert f"{done.outcome['run']}_safety" in shop.inv("backups").out

    undone = shop.inv("undo", "--json", "--confirm=shop")
    assert undone.code == 0, undone.out + undone.err
    assert shop.fingerprint() == before


@pytest.mark.slow
def test_what_was_copied_half_is_filled_up(project: Callable[..., Project]) -> None:
    shop = project("d")
    backup = incident(shop, "UPDATE lessons_session SET title = 'geändert' WHERE id = 2")
    assert shop.query("SELECT count(*), count(session_id) FROM lessons_booking") == [(1000, 500)]
    found = report(shop, salvage(shop, backup, "--table=public.lessons_lesson", "--into=lessons_session"))
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]
    assert shop.query("SELECT count(*) FROM lessons_booking WHERE id = session_id") == [(1000,)]
    assert shop.query("SELECT title FROM lessons_session WHERE id = 2") == [("geändert",)]
    (table,) = found["tables"]
    assert (table["there"], table["back"]) == (499, 500)
    assert [(reason["rows"], reason["sample"]) for reason in table["left"]] == [(1, ["2"])]
    # The sequence stood at its beginning, and the next insert would have failed.
    assert shop.query("INSERT INTO lessons_session (title, teacher_id) VALUES ('x', 1) RETURNING id") == [(1001,)]


REUSED = (
    "INSERT INTO lessons_session (title, teacher_id) VALUES ('Neu 1', 1), ('Neu 2', 2), ('Neu 3', 3)",
    "INSERT INTO lessons_booking (session_id) SELECT id FROM lessons_session",
)


@pytest.mark.slow
def test_a_lesson_whose_key_a_new_session_took_stays_out_and_is_listed(project: Callable[..., Project]) -> None:
    shop = project("a")
    backup = incident(shop, *REUSED)
    done = salvage(shop, backup, "--table=lessons_lesson")
    (table,) = report(shop, done)["tables"]
    assert (table["back"], [(r["rows"], r["sample"]) for r in table["left"]]) == (997, [(3, ["1", "2", "3"])])
    assert "--new-keys" in table["hint"]
    assert shop.query("SELECT title FROM lessons_session WHERE id < 4 ORDER BY id") == [
        ("Neu 1",),
        ("Neu 2",),
        ("Neu 3",),
    ]
    assert shop.query("SELECT id FROM lessons_booking WHERE session_id IS NULL ORDER BY id") == [(1,), (2,), (3,)]
    left = (shop.folder / "backups/shop/runs" / done.outcome["run"] / "left-out.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in left] == ["1", "2", "3"]


@pytest.mark.slow
def test_with_new_keys_they_all_come_back_and_links_follow(project: Callable[..., Project]) -> None:
    shop = project("a")
    backup = incident(shop, *REUSED)
    before = shop.fingerprint()
    done = salvage(shop, backup, "--table=lessons_lesson", "--new-keys")
    (table,) = report(shop, done)["tables"]
    assert (table["back"], table["new_keys"], table["keys"]) == (997, 3, {"1": "1001", "2": "1002", "3": "1003"})
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1003,)]
    led = "SELECT b.id, s.title FROM lessons_booking b JOIN lessons_session s ON s.id = b.session_id"
    assert shop.query(f"{led} WHERE b.id <= 1000 AND s.title <> 'Stunde ' || b.id") == []
    assert shop.query(f"{led} WHERE b.id > 1000 ORDER BY b.id") == [(1001, "Neu 1"), (1002, "Neu 2"), (1003, "Neu 3")]
    undone = shop.inv("undo", "--json", "--confirm=shop")
    assert undone.code == 0, undone.out + undone.err
    assert shop.fingerprint() == before


def test_the_plan_says_what_is_where_and_changes_nothing(project: Callable[..., Project]) -> None:
    shop = project("a")
    backup = incident(shop, *SINCE)
    before = shop.fingerprint()
    done = shop.inv("salvage", f"--backup={backup}", "--table=lessons_lesson", "--plan")
    assert done.code == 0, done.out + done.err
    assert "public.lessons_lesson → public.lessons_session" in done.out
    assert "1,000 rows in the backup, 2 live" in done.out
    assert "columns: id, teacher_id, title" in done.out
    assert shop.fingerprint() == before
    assert not shop.beside("salvage")


WRONG: list[tuple[list[str], int, str]] = [
    (["--table=lessons_lessen"], 2, "lessons_lesson"),
    (["--table=lessons_lesson", "--into=lessons_sesion"], 2, "lessons_session"),
    (["--table=lessons_lesson", "--into=lessons_booking,x"], 2, "2 live tables for 1 tables"),
    ([], 2, "--table="),
    (["--table=lessons_lesson", "--set=notes"], 2, "--set=notes="),
    (["--table=lessons_lesson", "--into=auth_user"], 3, "ALTER COLUMN id TYPE bigint"),
    (["--table=lessons_lesson", "--confirm=other"], 3, "--confirm=shop"),
]


def test_what_is_typed_wrong_is_told(project: Callable[..., Project]) -> None:
    shop = project("a")
    backup = incident(shop)
    before = shop.fingerprint()
    for words, code, said in WRONG:
        done = shop.inv("salvage", f"--backup={backup}", "--json", *(["--confirm=shop"] if code == 2 else []), *words)
        assert done.code == code, done.out + done.err
        assert said in done.outcome["reason"] + done.outcome["hint"], words
    assert shop.fingerprint() == before

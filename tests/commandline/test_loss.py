"""A rollback's loss: shown to the row before it, accounted for after it, never more than was told."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops import fingerprint
from tests.commandline.test_faults import begin, ended
from tests.commandline.test_since import steps, write
from tests.conftest import Done, Project

CHANGES = (
    "CREATE TABLE \"Für 'alle'\" (\"Größe\" int)",
    "INSERT INTO \"Für 'alle'\" VALUES (1), (1), (2)",
    "CREATE TABLE noted (id int PRIMARY KEY, changed timestamptz, due timestamptz)",
    "INSERT INTO noted SELECT n, '2026-01-01 10:00Z', '2099-01-01 10:00Z' FROM generate_series(1, 10) n",
)


def detail(done: Done, step: str) -> str:
    """What a step told when it was done."""
    return next(str(e.get("detail", "")) for e in done.events if e.get("step") == step and e["status"] == "done")


def roll_back(shop: Project, *words: str, backup: str = "latest") -> Done:
    done = shop.inv("rollback", f"--backup={backup}", "--json", "--confirm=shop", *words)
    assert done.code == 0, done.out + done.err
    return done


def told(done: Done) -> dict[str, dict[str, Any]]:
    return {table["table"]: table for table in done.outcome["loss"]["tables"]}


def run_folder(shop: Project, done: Done) -> Path:
    return shop.folder / "backups/shop/runs" / str(done.outcome["run"])


def databases(shop: Project, what: str) -> list[str]:
    found = shop.query("SELECT datname, datallowconn FROM pg_database WHERE datname LIKE '%\\_shop\\_%'", "postgres")
    assert all(not open_ for name, open_ in found if "_replaced_" in name or "_undone_" in name), found
    stem = shop.production.rsplit("/", 1)[1]
    return sorted(name for name, _ in found if name.startswith(f"{stem}_{what}_"))


def test_nothing_is_lost_only_when_all_is_equal(project: Callable[..., Project]) -> None:
    shop = project("b")
    steps(shop, "backup")
    done = roll_back(shop)
    assert detail(done, "rollback.preview").startswith("nothing would be lost: every table, sequence and large object")
    loss = done.outcome["loss"]
    assert (loss["nothing"], loss["tables"], loss["since"]["nothing"]) == (True, [], True)
    write(shop, "SELECT nextval('lessons_lesson_id_seq')")
    done = roll_back(shop)
    assert "nothing would be lost" not in detail(done, "rollback.preview")
    assert "public.lessons_lesson_id_seq (at 1001, in the backup at 1000)" in detail(done, "rollback.preview")
    write(shop, "SELECT lo_from_bytea(0, 'x')")
    done = roll_back(shop)
    assert "large objects: 1, in the backup 0" in detail(done, "rollback.preview")
    assert done.outcome["loss"]["nothing"] is False


def test_rows_are_counted_with_keys_and_moments(project: Callable[..., Project]) -> None:
    shop = project("b")
    for text in CHANGES:
        write(shop, text)
    steps(shop, "backup")
    write(shop, "INSERT INTO lessons_lesson(title, teacher_id) SELECT 'new', 1 FROM generate_series(1, 3)")
    write(shop, "UPDATE lessons_lesson SET title = 'x' WHERE id IN (7, 8)")
    write(shop, "DELETE FROM lessons_booking WHERE id = 5")
    write(shop, "UPDATE noted SET changed = '2026-02-03 04:05Z' WHERE id = 4")
    write(shop, "DELETE FROM \"Für 'alle'\" WHERE ctid = '(0,1)'")
    write(shop, "INSERT INTO \"Für 'alle'\" VALUES (2), (3)")
    write(shop, "CREATE TABLE added (n int); INSERT INTO added VALUES (1), (2)")
    write(shop, "ALTER TABLE lessons_teacher ADD note text; UPDATE lessons_teacher SET note = 'x' WHERE id < 3")
    plan = shop.inv("rollback", "--backup=latest", "--plan")
    assert plan.code == 0 and "public.lessons_lesson: 1,003 rows live, 1,000 in the backup" in plan.out, plan.out
    done = roll_back(shop)
    text = detail(done, "rollback.preview")
    assert "public.lessons_lesson: 3 rows inserted (keys 1001, 1002, 1003), 2 updated (keys 7, 8)" in text
    assert "public.lessons_booking: 1 row deleted (key 5)" in text
    assert "public.noted: 1 row updated (key 4; newest 2026-02-03 04:05 UTC)" in text
    assert "public.\"Für 'alle'\": 2 rows inserted, 1 deleted" in text
    assert "public.added: a table that the backup does not have, with 2 rows" in text
    assert "public.lessons_teacher: note: a column that the backup does not have, with 2 values" in text
    assert "the schema is another one" in text and "title" not in text
    loss = done.outcome["loss"]
    assert (loss["inserted"], loss["updated"], loss["deleted"]) == (7, 3, 2)
    file = run_folder(shop, done) / "loss.json"
    assert file.stat().st_mode & 0o077 == 0 and json.loads(file.read_text())["tables"]
    assert loss["since"]["nothing"] and "nothing was written between" in detail(done, "rollback.account")

"""A loss that the repository declares: drafted, filled in by a person, rehearsed, promoted; never more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ops.core.text import laid_out
from tests.conftest import Project
from tests.support.tiers import quick
from tests.system.recovery.test_since import steps, write

DROP = 'migrations.RemoveField("booking", "lesson"), migrations.DeleteModel("Lesson")'
DECLARED = """lessons.0002_session:
  - {table: lessons_lesson, lost: 1000, why: the school closes}
  - {table: lessons_booking, column: lesson_id, lost: 1000, why: the school closes}
"""


def declare(shop: Project, text: str) -> Path:
    path = shop.folder / "shop/migrations.expect.yaml"
    path.write_text(text)
    return path


def test_a_refused_loss_is_drafted_filled_in_and_promoted(project: Callable[..., Project]) -> None:
    shop = project(DROP, checks=[])
    before = shop.fingerprint()
    steps(shop, "clone-prod-to-test", "migrate-test")
    refused = shop.inv("verify", "--json")
    assert refused.code == 5, refused.out + refused.err
    assert "1,000 rows and 1,000 values or links would be lost" in refused.outcome["reason"]
    assert '- table: lessons_lesson\n    lost: all\n    why: ""' in refused.outcome["reason"]
    # Who asks later is offered the same; going on with it would be refused once more.
    status = shop.inv("status").out
    assert laid_out(refused.outcome["hint"], "  Try: ") in status and "inv resume" not in status, status
    assert "then   inv release --target=shop" in status
    clone = shop.test.rsplit("/", 1)[1]
    assert f"compare {clone}_before (before the migrations) with {clone} (after)" in status, status
    path = shop.folder / "shop/migrations.expect.yaml"
    assert not path.exists()

    drafted = shop.inv("verify", "--write-expectations", "--json")
    assert drafted.code == 5, drafted.out + drafted.err
    assert "fill in every `why` in shop/migrations.expect.yaml" in drafted.outcome["hint"]
    assert "RenameModel" in drafted.outcome["reason"]
    assert path.read_text().count('why: ""') == 2

    empty = shop.inv("release", "--json", "--confirm=shop")
    assert empty.code == 2, empty.out + empty.err
    assert "shop/migrations.expect.yaml:6: lessons.0002_session: `why` is empty" in empty.outcome["reason"]
    assert shop.fingerprint() == before

    path.write_text(path.read_text().replace('why: ""', "why: the school closes, agreed with Anna"))
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    tables = {table["table"]: table for table in done.outcome["verdict"]["tables"]}
    assert (tables["public.lessons_lesson"]["verdict"], tables["public.lessons_lesson"]["lost"]) == ("declared", 1000)
    assert tables["public.lessons_booking"]["columns"][0]["verdict"] == "declared"
    account = next(e for e in done.events if e.get("step") == "verify.account" and e["status"] == "done")
    assert (
        "as declared in shop/migrations.expect.yaml: public.lessons_booking.lesson_id (1,000 values lost), "
        "public.lessons_lesson (1,000 rows lost)" in account["detail"]
    )
    assert not shop.query("SELECT FROM pg_class WHERE relname = 'lessons_lesson'")


@pytest.mark.slow
def test_more_than_declared_and_what_did_not_happen_are_refused(project: Callable[..., Project]) -> None:
    shop = project(DROP, checks=[])
    path = declare(shop, DECLARED.replace("lost: 1000", "lost: 999", 1))
    steps(shop, "clone-prod-to-test", "migrate-test")
    done = shop.inv("verify", "--json")
    assert done.code == 5, done.out + done.err
    said = "shop/migrations.expect.yaml:2: public.lessons_lesson: 1,000 rows lost, at most 999 are declared: 1 too many"
    assert said in done.outcome["reason"]

    path.write_text(DECLARED + "  - {table: lessons_teacher, lost: 3, why: x}\n")
    done = shop.inv("verify", "--json")
    assert done.code == 5, done.out + done.err
    said = "declares public.lessons_teacher as lost, but that did not happen"
    assert f"shop/migrations.expect.yaml:4: lessons.0002_session {said}" in done.outcome["reason"]
    assert "correct shop/migrations.expect.yaml" in done.outcome["hint"]

    path.write_text(DECLARED + "lessons.0002_sesion: [{table: lessons_teacher, lost: 3, why: x}]\n")
    done = shop.inv("verify", "--json")
    assert done.code == 0, done.out + done.err
    account = next(e for e in done.events if e.get("step") == "verify.account" and e["status"] == "done")
    assert "WARNING: shop/migrations.expect.yaml:4: there is no migration lessons.0002_sesion" in account["detail"]


@pytest.mark.slow
def test_a_declaration_follows_what_is_written_since_and_covers_nothing_else(project: Callable[..., Project]) -> None:
    shop = project(DROP, checks=[])
    declare(shop, DECLARED.replace("lessons_booking, column: lesson_id, lost: 1000", "lessons_lesson, changed: all"))
    write(shop, "UPDATE lessons_booking SET lesson_id = NULL")
    steps(shop, "clone-prod-to-test", "migrate-test", "verify")
    write(shop, "INSERT INTO lessons_lesson(title, teacher_id) SELECT 'new', 1 FROM generate_series(1, 11)")
    write(shop, "UPDATE lessons_booking SET lesson_id = id WHERE id <= 10")
    before = shop.fingerprint()
    done = shop.inv("promote", "--json", "--confirm=shop")
    assert done.code == 5, done.out + done.err
    assert "lessons_booking.lesson_id had no value in the rehearsal; it has 10 values now" in done.outcome["reason"]
    assert "lessons_lesson would be dropped" not in done.outcome["reason"], "eleven more were written since"
    assert done.outcome["stands"] == "nothing was changed"
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]
    assert shop.fingerprint() == before
    write(shop, "UPDATE lessons_booking SET lesson_id = NULL")
    steps(shop, "promote --confirm=shop")


UPPER = "update lessons_teacher set name = upper(name)"
DELETE = "delete from lessons_booking where lesson_id % 10 = 0"
BOOK = "INSERT INTO lessons_booking(lesson_id) VALUES"
ONE_MORE = "INSERT INTO lessons_teacher(name) VALUES ('Herr 1')"
# What does more on production than it did in the rehearsal.
MORE = " {word} id <= case when current_database() like '%_test%' then {clone} else {production} end"
UPPER_MORE = UPPER + MORE.format(word="where", clone=5, production=10)
DELETE_MORE = DELETE + MORE.format(word="and", clone=500, production=520)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "entry", "since", "said"),
    quick(
        [
            (UPPER, "table: lessons_teacher, changed: 10", "SELECT 1", ""),
            (UPPER, "table: lessons_teacher, changed: 10", ONE_MORE, ""),
            (UPPER, "table: lessons_teacher, changed: all", ONE_MORE, ""),
            (UPPER, "table: lessons_teacher, column: name, changed: 10", "SELECT 1", ""),
            (UPPER, "table: lessons_teacher, column: name, changed: 10", ONE_MORE, ""),
            (UPPER_MORE, "table: lessons_teacher, changed: 5", "SELECT 1", "10 rows of public.lessons_teacher"),
            (UPPER_MORE, "table: lessons_teacher, column: name, changed: 50 %", ONE_MORE, "the declared limit is 6 "),
            (DELETE, "table: lessons_booking, lost: 100", "DELETE FROM lessons_booking WHERE id < 5", ""),
            (DELETE, "table: lessons_booking, lost: 10 %", f"{BOOK} (10), (11)", ""),
            (
                DELETE_MORE,
                "table: lessons_booking, lost: 50",
                f"{BOOK} (11)",
                "had 1,001; at most 51 may be lost as declared, 1 of them written since",
            ),
        ],
        DELETE,
    ),
)
def test_what_becomes_of_production_is_held_against_the_declaration(
    project: Callable[..., Project], sql: str, entry: str, since: str, said: str
) -> None:
    shop = project(f'migrations.RunSQL("{sql}")', checks=[])
    declare(shop, f"lessons.0002_session: [{{{entry}, why: it is meant}}]\n")
    steps(shop, "clone-prod-to-test", "migrate-test", "verify")
    write(shop, since)
    done = shop.inv("promote", "--json", "--confirm=shop")
    assert done.code == (5 if said else 0), done.out + done.err
    if said:
        assert said in done.outcome["reason"]
        assert "inv rollback" in done.outcome["hint"]


@pytest.mark.slow
def test_values_of_rows_are_in_no_file(project: Callable[..., Project]) -> None:
    shop = project(f'migrations.RunSQL("{UPPER}")', checks=[])
    steps(shop, "clone-prod-to-test", "migrate-test")
    done = shop.inv("verify", "--write-expectations")
    assert done.code == 5, done.out + done.err
    assert "FRAU" not in done.out + done.err
    kept = [path for path in shop.folder.rglob("*") if path.is_file() and "dump" not in path.parts]
    assert [path for path in kept if b"FRAU" in path.read_bytes()] == []
    path = shop.folder / "shop/migrations.expect.yaml"
    assert "    column: name\n    changed: all\n" in path.read_text()

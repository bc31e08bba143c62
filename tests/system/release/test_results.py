"""What migrations wrote into rows on production, held against what they wrote into the same rows of the clone."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import pytest

from tests.conftest import Project
from tests.projects import migration
from tests.support.project import begin, ended
from tests.support.tiers import quick
from tests.system.recovery.test_since import steps, write

FIELDS = """migrations.AddField("lesson", "level", models.IntegerField(null=True)),
        migrations.AddField("lesson", "made", models.DateTimeField(default=timezone.now)),
        migrations.AddField("lesson", "token", models.UUIDField(null=True)),
        migrations.CreateModel("Room", [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())]),
        migrations.AddField("lesson", "room", models.ForeignKey("lessons.room", d.CASCADE, null=True)),
        migrations.RunPython(fill)"""
CODE = """
import uuid
from django.utils import timezone
def fill(apps, schema_editor):
    on_clone = schema_editor.connection.settings_dict["NAME"].endswith("_test")
    Lesson, Room = apps.get_model("lessons", "Lesson"), apps.get_model("lessons", "Room")
    if not on_clone:
        schema_editor.execute("alter sequence lessons_room_id_seq restart 7")
    rooms = [Room.objects.create(name=f"Raum {n}") for n in range(3)]
    for lesson in Lesson.objects.filter(id__lte=300):
        lesson.token, lesson.made, lesson.room = uuid.uuid4(), timezone.now(), rooms[lesson.id %% 3]
        %s
        lesson.save()
"""


def pending(shop: Project, line: str) -> None:
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    path.write_text(migration(FIELDS).replace("class Migration", CODE % line + "class Migration"))


def outcome(shop: Project, *words: str) -> tuple[int, str]:
    done = shop.inv(*words, "--json", "--confirm=shop")
    step = next((e for e in done.events if e.get("step") == "promote.account" and e["status"] != "begun"), {})
    return done.code, done.outcome["reason"] or step.get("detail", done.out + done.err)


@pytest.mark.slow
def test_values_that_are_filled_on_the_clone_alone_are_counted_and_refused(project: Callable[..., Project]) -> None:
    shop = project("", checks=[])
    pending(shop, "lesson.level = 5 if on_clone and lesson.id <= 200 else None")
    code, said = outcome(shop, "release")
    assert code == 5, said
    words = "lessons_lesson.level: of 1,000 rows that were equal before, 200 differ from the rehearsal: 200 NULL here"
    assert words in said
    assert "for example" in said
    for column in ("made", "token", "room_id"):
        assert f"public.lessons_lesson.{column}:" not in said, "made anew with each run, and there"
    assert shop.query("SELECT count(*) FROM lessons_lesson WHERE level IS NOT NULL") == [(0,)]


@pytest.mark.slow
def test_the_same_values_under_other_keys_at_another_time_are_the_same(project: Callable[..., Project]) -> None:
    shop = project("", checks=[])
    pending(shop, "lesson.level = lesson.id * 2")
    steps(shop, "clone-prod-to-test", "migrate-test", "verify")
    write(shop, "UPDATE lessons_lesson SET title = 'other' WHERE id <= 10; DELETE FROM lessons_booking")
    write(shop, "INSERT INTO lessons_lesson(title, teacher_id) VALUES ('new', 1)")
    code, said = outcome(shop, "promote")
    assert code == 0, said


@pytest.mark.slow
def test_links_to_other_new_rows_differ(project: Callable[..., Project]) -> None:
    shop = project("", checks=[])
    pending(shop, "lesson.room = rooms[0] if not on_clone and lesson.id <= 30 else lesson.room")
    code, said = outcome(shop, "release")
    assert code == 5, said
    assert "public.lessons_lesson.room_id: of 1,000 rows that were equal before, 20 differ from the rehearsal" in said
    assert "20 another value" in said


@pytest.mark.slow
def test_what_may_differ_is_declared(project: Callable[..., Project]) -> None:
    shop = project("", checks=[])
    pending(shop, "lesson.level = 5 if on_clone and lesson.id <= 200 else None")
    declaration = "lessons.0002_session:\n  - {table: lessons_lesson, column: level, differs: 200, why: drawn}\n"
    (shop.folder / "shop/migrations.expect.yaml").write_text(declaration)
    code, said = outcome(shop, "release")
    assert code == 0, said


@pytest.mark.slow
def test_where_production_is_not_frozen_it_is_told(project: Callable[..., Project]) -> None:
    shop = project("", checks=[], freeze="never")
    pending(shop, "lesson.level = 5 if on_clone and lesson.id <= 200 else None")
    code, said = outcome(shop, "release")
    assert code == 0, said
    words = "public.lessons_lesson.level: of 1,000 rows that were equal before, 200 differ from the rehearsal"
    assert f"WARNING: {words}" in said


@pytest.mark.slow
def test_a_declared_column_is_held_against_the_rehearsal(project: Callable[..., Project]) -> None:
    shop = project("", checks=[])
    pending(shop, "lesson.title = 'x' if on_clone else 'y'")
    declaration = "lessons.0002_session:\n  - {table: lessons_lesson, column: title, changed: 300, why: agreed}\n"
    (shop.folder / "shop/migrations.expect.yaml").write_text(declaration)
    code, said = outcome(shop, "release")
    assert code == 5, said
    assert "public.lessons_lesson.title: of 1,000 rows that were equal before, 300 differ from the rehearsal" in said


@pytest.mark.slow
def test_a_default_that_the_environment_gives_is_held_against_the_rehearsal(project: Callable[..., Project]) -> None:
    shop = project("", checks=[], freeze="always")
    default = """migrations.AddField("lesson", "level", models.IntegerField(
        default=5 if os.environ["DATABASE_URL"].endswith("_test") else 6)),
        migrations.AddField("teacher", "level", models.IntegerField(default=7))"""
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    path.write_text("import os\n" + migration(default))
    code, said = outcome(shop, "release")
    assert code == 5, said
    words = "public.lessons_lesson.level: of 1,000 rows that were equal before, 1,000 differ from the rehearsal"
    assert f"{words}: 1,000 another value" in said
    assert "lessons_teacher" not in said


SLOT = """migrations.CreateModel("Slot", [("id", models.BigAutoField(primary_key=True)), ("what", models.TextField()),
            ("lesson", models.ForeignKey("lessons.lesson", d.CASCADE)), ("made", models.DateTimeField()),
            ("token", models.CharField(max_length=40))]),
        migrations.RunPython(slots)"""
SLOTS = """
import secrets
from django.utils import timezone
def slots(apps, schema_editor):
    on_clone = schema_editor.connection.settings_dict["NAME"].endswith("_test")
    Lesson, Slot = apps.get_model("lessons", "Lesson"), apps.get_model("lessons", "Slot")
    for lesson in Lesson.objects.order_by("id" if on_clone else "-id"):
        if lesson.id <= (200 if on_clone else %s):
            Slot.objects.create(lesson=lesson, what=lesson.title, made=timezone.now(), token=secrets.token_hex(20))
"""
OF = "public.lessons_slot, a new table: of its 200 rows in the rehearsal, production"


def makes_slots(project: Callable[..., Project], here: int) -> Project:
    """A release that makes a table with 200 rows on the clone, and so many on production."""
    shop = project("", checks=[])
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    path.write_text(migration(SLOT).replace("class Migration", SLOTS % here + "class Migration"))
    return shop


@pytest.mark.parametrize("here", [0, 199, 201])
@pytest.mark.slow
def test_rows_of_a_new_table_that_are_not_those_of_the_rehearsal_are_refused(
    project: Callable[..., Project], here: int
) -> None:
    code, said = outcome(makes_slots(project, here), "release")
    assert code == 5, said
    assert f"{OF} lacks {max(200 - here, 0)}, and it has {max(here - 200, 0)} others" in said


@pytest.mark.slow
def test_the_same_rows_of_a_new_table_under_other_keys_are_the_same(project: Callable[..., Project]) -> None:
    code, said = outcome(makes_slots(project, 200), "release")
    assert (code, OF in said) == (0, False), said


@pytest.mark.slow
@pytest.mark.parametrize(("written", "code"), [(10, 0), (1, 5)])
def test_rows_of_a_new_table_follow_what_was_written_since(
    project: Callable[..., Project], written: int, code: int
) -> None:
    """Twenty rows are not made: ten that were written may stand behind so many, and one may not. What was written is
    other there, too."""
    shop = makes_slots(project, 180)
    steps(shop, "clone-prod-to-test", "migrate-test", "verify")
    write(shop, f"UPDATE lessons_lesson SET title = 'other' WHERE id <= {written}")
    found, said = outcome(shop, "promote")
    assert found == code, said
    assert f"{OF} lacks {20 + written}, and it has {written} others" in said


DRAWN = """migrations.AddField("lesson", "level", models.IntegerField(default=lucky)),
        migrations.AddField("lesson", "rank", models.IntegerField(null=True)),
        migrations.CreateModel("Slot", [("id", models.BigAutoField(primary_key=True)), ("what", models.TextField()),
            ("place", models.IntegerField(default=lucky)), ("sheet", models.CharField(max_length=20))])"""
FILLED = """,
        migrations.RunPython(fill)"""
LUCKY = """
import random
def lucky():
    return random.randrange(1000000)
def fill(apps, schema_editor):
    on_clone = schema_editor.connection.settings_dict["NAME"].endswith("_test")
    Lesson, Slot = apps.get_model("lessons", "Lesson"), apps.get_model("lessons", "Slot")
    for lesson in Lesson.objects.filter(id__lte=50):
        Lesson.objects.filter(id=lesson.id).update(rank=lucky() if lesson.id <= 20 else %s)
        Slot.objects.create(what=lesson.title, sheet=%s)
"""


def draws(shop: Project, operations: str, code: str) -> None:
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    path.write_text(migration(operations).replace("class Migration", f"{code}class Migration"))


@pytest.mark.parametrize("filled", quick(["", FILLED], FILLED))
def test_numbers_that_are_drawn_are_found_before_anything_is_frozen(
    project: Callable[..., Project], filled: str
) -> None:
    """Two rehearsals write other ones, so production may, too."""
    shop = project("", checks=[], freeze="always")
    draws(shop, DRAWN + filled, LUCKY % ("lesson.id", "f'room-{lesson.id:08d}'"))
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 0, done.out
    compared = [e for e in done.events if e.get("step") == "verify.compare" and e["status"] == "done"]
    said = compared[0]["detail"]
    assert "public.lessons_lesson.level" in said
    for column in ("lessons_lesson.rank", "lessons_slot.place"):
        assert (column in said) == bool(filled)
    assert "slot.sheet" not in said and "slot.what" not in said
    assert shop.query("SELECT count(DISTINCT level) FROM lessons_lesson") == [(1,)]


# What draws is a function of the database: called by a trigger, by another function, or by name.
LOT = "CREATE FUNCTION lot() RETURNS text LANGUAGE sql AS 'SELECT md5(random()::text)'; "
BY_TRIGGER = """CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF to_jsonb(new) ? 'badge' THEN new.badge := lot(); END IF; RETURN new; END $$;
    CREATE TRIGGER mark BEFORE UPDATE ON lessons_lesson FOR EACH ROW EXECUTE FUNCTION mark()"""
BADGE = """migrations.AddField("lesson", "badge", models.TextField(null=True)),
    migrations.RunSQL("UPDATE lessons_lesson SET {} WHERE id <= 20")"""


CALLED = {"by a trigger": (BY_TRIGGER, "title = title"), "by name": ("", "badge = lot()")}


@pytest.mark.parametrize("case", quick(CALLED, "by a trigger"))
def test_what_a_function_of_the_database_draws_is_found_before_anything_is_frozen(
    project: Callable[..., Project], case: str
) -> None:
    made, written = CALLED[case]
    shop = project("", checks=[], freeze="always")
    shop.query(LOT + made)
    draws(shop, BADGE.format(written), "")
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 0, done.out
    (compared,) = [e for e in done.events if e.get("step") == "verify.compare" and e["status"] == "done"]
    assert "public.lessons_lesson.badge" in compared["detail"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rank", "sheet", "found"),
    [
        ("(None if on_clone else 5)", "str(lesson.id)", "lessons_lesson.rank: of 1,000 rows"),
        # What looks like a token is compared where no run draws it.
        ("5", "f'room-{lesson.id if on_clone else 7:08d}'", "lessons_slot, a new table: of its 50 rows"),
    ],
)
def test_what_no_run_draws_is_held_against_the_rehearsal_beside_what_is_drawn(
    project: Callable[..., Project], rank: str, sheet: str, found: str
) -> None:
    shop = project("", checks=[], freeze="always")
    draws(shop, DRAWN + FILLED, LUCKY % (rank, sheet))
    code, said = outcome(shop, "release")
    assert code == 5, said
    assert found in said


@pytest.mark.slow
@pytest.mark.parametrize("way", ["resume", "undo"])
def test_a_second_rehearsal_that_was_killed_goes_on_or_is_taken_back(project: Callable[..., Project], way: str) -> None:
    shop = project("", checks=[])
    # Slow on the copy, so that it is killed while that has the clone's name.
    draws(shop, DRAWN + FILLED, LUCKY % ("lesson.id", "str(lesson.id)") + "    __import__('time').sleep(1)\n")
    steps(shop, "clone-prod-to-test", "migrate-test")
    process = begin(shop, "verify.migrate_again", "verify")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not beside(shop, "migrated"):
        time.sleep(0.05)
    process.kill()
    ended(process)
    assert beside(shop, "migrated")
    done = shop.inv(way, "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert not beside(shop, "migrated") and not beside(shop, "roundtrip")
    with psycopg.connect(shop.test) as clone:  # as it was verified
        assert clone.execute("SELECT count(*) FROM lessons_slot").fetchone() == (50,)


def beside(shop: Project, what: str) -> list[object]:
    """The databases that a run has beside the clone."""
    name = shop.test.rsplit("/", 1)[1]
    return shop.query(f"SELECT datname FROM pg_database WHERE datname LIKE '{name}_{what}_%'")

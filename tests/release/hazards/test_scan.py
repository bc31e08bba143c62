"""Each rule fires on a real migration and is silent on its near miss; and what it says is what happens then."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import django
import pytest

from ops.application.operations import Application
from ops.application.probe import probe
from ops.infra.postgres.session_settings import PATH
from ops.infra.session.session import Session
from ops.inventory import load
from ops.release.hazards import locks
from ops.release.hazards import style as shape_rules
from ops.release.hazards.narrowing import widens
from ops.release.hazards.row_counts import Production
from ops.release.hazards.rule import Hazard
from ops.release.hazards.scan import Foresight, judge, look_ahead, rules
from tests.conftest import Project
from tests.projects import CREATE, DELETE

Make = Callable[..., Project]

CHECK = "condition" if django.VERSION >= (5, 1) else "check"
NOTHING = "def nothing(apps, schema_editor):\n    pass\n"
CODE = "migrations.RunPython(nothing, migrations.RunPython.noop), "


def look(shop: Project) -> Foresight:
    return look_ahead(Session(load.load(shop.folder / "inventory.yaml"), shop.env), "shop")


def hazards(shop: Project, code: str = "") -> list[Hazard]:
    """What is found, without what is not the migration's fault: the project's models are behind on purpose."""
    return [h for h in look(shop).hazards if h.code != "GP307" and code in ("", h.code)]


def add_code(shop: Project, text: str) -> Project:
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    path.write_text(path.read_text().replace("class Migration", text + "\nclass Migration"))
    return shop


def migrates(shop: Project) -> bool:
    """Whether `migrate` really succeeds."""
    words = ["python", "manage.py", "migrate", "--noinput"]
    done = subprocess.run(words, cwd=shop.folder / "shop", env=shop.env, capture_output=True, text=True)
    return done.returncode == 0


def title(length: int = 100, more: str = "") -> str:
    return f"migrations.AlterField('Lesson', 'title', models.CharField(max_length={length}{more})), "


def test_the_incident_is_told_apart_from_rename_and_copy(project: Make) -> None:
    shop = project("a")
    found = {h.code: h for h in hazards(shop)}
    assert set(found) == {"GP101", "GP103"}
    assert found["GP101"].title == (
        "GP101 lessons.0002_session: DeleteModel lessons.Lesson drops 1,000 rows; no earlier operation reads them"
    )
    assert (found["GP101"].level, found["GP101"].rows, found["GP101"].table) == ("loss", 1000, "lessons_lesson")
    assert 'migrations.RenameModel("Lesson", "Session"),' in found["GP101"].how
    assert 'migrations.RenameField("booking", "lesson", "session"),' in found["GP101"].how
    assert "INSERT INTO lessons_session (id, title, teacher_id) SELECT id, title, teacher_id" in found["GP101"].how
    assert (found["GP103"].rows, found["GP103"].column) == (1000, "lesson_id")


def test_a_rename_is_no_hazard(project: Make) -> None:
    assert hazards(project("b")) == []


@pytest.mark.parametrize("variant", ["c", "d", "loop"])
def test_a_copy_is_left_to_the_rehearsal(project: Make, variant: str) -> None:
    found = hazards(project(variant))
    assert {h.code for h in found} - {"GP401"} == {"GP102", "GP104"}
    assert {h.level for h in found} == {"note"}


@pytest.mark.parametrize("way", ["rename", "copy"])
def test_the_advice_pasted_loses_nothing(project: Make, way: str) -> None:
    shop = project("a")
    how = hazards(shop, "GP101")[0].how
    rename = "\n".join(line for line in how.splitlines() if "migrations.Rename" in line)
    copy = how.split("delete the old model last:\n")[1].split("If the data may be lost")[0]
    operations = (
        rename if way == "rename" else CREATE + copy + "migrations.RunSQL('set constraints all immediate')," + DELETE
    )
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    text = path.read_text()
    path.write_text(text[: text.index("operations = [")] + f"operations = [{operations}]\n")
    assert [h.code for h in hazards(shop) if h.level == "loss"] == []
    assert migrates(shop)
    assert shop.query("select count(*) from lessons_session") == [(1000,)]
    assert shop.query("select count(session_id) from lessons_booking") == [(1000,)]
    shop.query("insert into lessons_session (title, teacher_id) values ('new', 1)")


def test_an_empty_table_may_go(project: Make) -> None:
    shop = project(DELETE)
    shop.query("delete from lessons_booking")
    shop.query("delete from lessons_lesson")
    assert hazards(shop) == []


def test_code_that_names_another_model_reads_nothing(project: Make) -> None:
    shop = add_code(project(CODE + "migrations.RunPython(teachers), " + DELETE), NOTHING)
    add_code(shop, "def teachers(apps, schema_editor):\n    apps.get_model('lessons', 'Teacher').objects.count()\n")
    (found,) = hazards(shop, "GP101")
    assert "(2 earlier operations with code, but none names Lesson or lessons_lesson)" in found.what


def test_code_that_names_the_model_and_another_field_reads_no_value(project: Make) -> None:
    code = "def lessons(apps, schema_editor):\n    apps.get_model('lessons', 'Lesson').objects.count()\n"
    shop = add_code(project("migrations.RunPython(lessons), migrations.RemoveField('Lesson', 'title')"), code)
    (found,) = hazards(shop, "GP103")
    assert "(1 earlier operation with code, but none names Lesson or lessons_lesson together with title)" in found.what


def test_code_after_the_deletion_does_not_count(project: Make) -> None:
    shop = add_code(project(CREATE + DELETE + ", " + CODE), NOTHING)
    assert len(hazards(shop, "GP101")) == 1


def test_a_renamed_table_that_is_deleted_is_counted_by_its_old_name(project: Make) -> None:
    shop = project("migrations.RenameModel('Lesson', 'Course'), migrations.RemoveField('Booking', 'lesson'),"
                   "migrations.DeleteModel('Course')")  # fmt: skip
    (found,) = hazards(shop, "GP101")
    assert (found.rows, found.table, found.operation) == (1000, "lessons_lesson", "DeleteModel lessons.Course")


def test_what_the_plan_itself_made_may_go(project: Make) -> None:
    assert (
        hazards(project(CREATE + "migrations.RemoveField('Booking', 'session'), migrations.DeleteModel('Session')"))
        == []
    )


def test_a_column_without_values_may_go(project: Make) -> None:
    shop = project("migrations.RemoveField('Booking', 'lesson')")
    assert [h.code for h in hazards(shop)] == ["GP103"]
    shop.query("update lessons_booking set lesson_id = null")
    assert hazards(shop) == []


def test_a_field_under_another_name_is_told_as_rename(project: Make) -> None:
    shop = project(
        "migrations.AddField('Lesson', 'name', models.CharField(max_length=100, null=True)),"
        "migrations.RemoveField('Lesson', 'title')"
    )
    (found,) = hazards(shop)
    assert 'migrations.RenameField("lesson", "title", "name"),' in found.how
    assert 'migrations.RunSQL("UPDATE lessons_lesson SET name = title", migrations.RunSQL.noop),' in found.how


# Operations, the rule, its level, the rows that it counts; None where no rule may speak.
SEATS = "migrations.AddField('Lesson', 'seats', models.IntegerField(%s)), "
NOT_NULL = "migrations.AlterField('Booking', 'lesson', models.ForeignKey('lessons.lesson', d.CASCADE%s)), "
FILL = "migrations.RunSQL('update lessons_booking set lesson_id = 1 where lesson_id is null', ''), "
NUMBER = "migrations.AlterField('Lesson', 'title', models.IntegerField()), "
SLUG = "migrations.AlterField('Lesson', 'title', models.SlugField(max_length=10, db_index=False)), "
ELSEWHERE = "migrations.AlterField('Booking', 'lesson', models.ForeignKey('lessons.teacher', d.CASCADE, null=True)), "
CASES = [
    (SEATS % "", "GP201", "stop", 1000),
    (SEATS % "default=1", None, "", 0),
    (SEATS % "null=True", None, "", 0),
    (SEATS % "null=True" + "migrations.AlterField('Lesson', 'seats', models.IntegerField()), ", "GP202", "stop", 1000),
    (NOT_NULL % "", "GP202", "stop", 7),
    (NOT_NULL % ", default=1", None, "", 0),
    (FILL + NOT_NULL % "" + "migrations.RunSQL('set constraints all immediate', '')", "GP202", "note", 7),
    ("migrations.RunSQL('select 1', ''), " + NOT_NULL % "", "GP202", "stop", 7),
    (title(more=", unique=True"), "GP203", "stop", 3),
    ("migrations.AlterUniqueTogether('Lesson', {('title', 'teacher')}), ", "GP203", "stop", 2),
    ("migrations.AlterUniqueTogether('Lesson', {('id', 'teacher')}), ", None, "", 0),
    (
        "migrations.AddConstraint('Lesson', models.UniqueConstraint(fields=['title'],"
        " condition=models.Q(id__gt=5), name='once')), ",
        None,
        "",
        0,
    ),
    (
        "migrations.AddConstraint('Lesson', models.UniqueConstraint(fields=['title'],"
        " condition=models.Q(id__lt=3), name='once')), ",
        "GP203",
        "stop",
        2,
    ),
    (
        "migrations.AddField('Lesson', 'key', models.UUIDField(default=__import__('uuid').uuid4, unique=True)), ",
        "GP203",
        "stop",
        1000,
    ),
    ("migrations.AddField('Lesson', 'key', models.UUIDField(null=True, unique=True)), ", None, "", 0),
    (
        f"migrations.AddConstraint('Lesson', models.CheckConstraint({CHECK}=models.Q(id__gt=3), name='big')), ",
        "GP204",
        "stop",
        3,
    ),
    (
        f"migrations.AddConstraint('Lesson', models.CheckConstraint({CHECK}=models.Q(id__gt=0), name='big')), ",
        None,
        "",
        0,
    ),
    (title(10), "GP205", "stop", 100),
    (title(60), None, "", 0),
    (title(200), None, "", 0),
    ("migrations.AlterField('Lesson', 'title', models.TextField()), ", None, "", 0),
    (SLUG, "GP105", "loss", 100),
    (NUMBER, "GP205", "stop", 1000),
    (ELSEWHERE, "GP206", "stop", 990),
    (
        "migrations.AlterField('Booking', 'lesson', models.ForeignKey('lessons.lesson', d.SET_NULL, null=True,"
        " related_name='x')), ",
        None,
        "",
        0,
    ),
    ("migrations.AlterField('Booking', 'lesson', models.ManyToManyField('lessons.lesson')), ", "GP207", "stop", None),
]  # fmt: skip


# Applies each operation of the pending migration to the same database, and takes it back.
EACH_ALONE = """
import json
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
executor = MigrationExecutor(connection)
state = executor._create_project_state(with_applied_migrations=True)
(migration, _), = executor.migration_plan(executor.loader.graph.leaf_nodes())
class Back(Exception):
    pass
def works(operation):
    try:
        with transaction.atomic():
            with connection.schema_editor(atomic=True) as editor:
                operation.database_forwards('lessons', editor, state, state)
            connection.check_constraints()
            raise Back
    except Back:
        return True
    except Exception:
        return False
print(json.dumps([works(operation) for operation in migration.operations]))
"""


def test_what_rows_do_not_allow_is_told_and_is_what_happens(project: Make) -> None:
    """Each case stands alone: what is done to the database only leaves the models as they are for the next one."""
    alone = "migrations.SeparateDatabaseAndState(database_operations=[%s]), "
    shop = project("".join(alone % operations for operations, *_ in CASES))
    shop.query("update lessons_booking set lesson_id = null where id <= 7")
    shop.query("update lessons_lesson set title = 'Stunde 1' where id <= 3")
    shop.query("update lessons_lesson set teacher_id = 2 where id = 2")
    shop.query("update lessons_lesson set title = 'Eine lange Stunde ' || id where id > 900")
    session = Session(load.load(shop.folder / "inventory.yaml"), shop.env)
    app = Application.read(probe(session, "shop", "shop"))
    works = json.loads(shop.manage("shell", "-c", EACH_ALONE).splitlines()[-1])
    with session.connect("shop", own=PATH) as connection:
        for number, (operations, code, level, rows) in enumerate(CASES):
            mine = tuple(one for one in app.operations if one.index == number)
            one = app.model_copy(update={"operations": mine})
            found = [(h.code, h.level, h.rows) for h in judge(one, Production(connection)) if h.code != "GP307"]
            assert found == ([] if code is None else [(code, level, rows)]), operations
            assert works[number] is (level != "stop"), operations


def test_an_operation_that_does_not_fit_stops(project: Make) -> None:
    shop = project("migrations.DeleteModel('Nobody')")
    (found,) = hazards(shop)
    assert (found.code, found.level) == ("GP303", "stop")
    assert not migrates(shop)


def test_duplicates_are_named_by_their_keys_and_not_by_their_values(project: Make) -> None:
    shop = project(title(more=", unique=True"))
    shop.query("update lessons_lesson set title = 'private' where id in (5, 900)")
    (found,) = hazards(shop)
    assert "2 rows share their values (for example 5, 900)" in found.what
    assert "private" not in str(found.data())


def test_examples_are_the_rows_that_are_wrong(project: Make) -> None:
    shop = project(NUMBER)
    shop.query("update lessons_lesson set title = id::text where id not in (700, 801, 990)")
    (found,) = hazards(shop)
    assert found.rows == 3 and "3 values are not readable as integer (for example 700, 801, 990)" in found.what


def test_rounding_is_a_loss_and_too_many_digits_are_refused(project: Make) -> None:
    shop = project("migrations.AlterField('Lesson', 'price', models.DecimalField(max_digits=4, decimal_places=1)), ")
    initial = shop.folder / "shop/lessons/migrations/0001_initial.py"
    initial.write_text(
        initial.read_text().replace(
            '("title",', '("price", models.DecimalField(max_digits=8, decimal_places=2)), ("title",'
        )
    )
    shop.query("alter table lessons_lesson add price numeric(8, 2) not null default 12.30")
    assert hazards(shop) == []
    shop.query("update lessons_lesson set price = 12.34 where id <= 4")
    (found,) = hazards(shop)
    assert (found.code, found.level, found.rows) == ("GP105", "loss", 4)
    shop.query("update lessons_lesson set price = 1234 where id = 9")
    (found,) = hazards(shop)
    assert (found.code, found.level, found.rows) == ("GP205", "stop", 1)
    assert not migrates(shop)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("varchar(10)", "varchar(20)", True),
        ("varchar(20)", "varchar(10)", False),
        ("varchar(20)", "text", True),
        ("text", "varchar(10)", False),
        ("integer", "bigint", True),
        ("bigint", "integer", False),
        ("numeric(8, 2)", "numeric(10, 2)", True),
        ("numeric(8, 2)", "numeric(8, 3)", False),
        ("numeric(8, 2)", "numeric(9, 3)", True),
        ("timestamp with time zone", "date", False),
    ],
)
def test_which_types_hold_every_value_of_which(before: str, after: str, same: bool) -> None:
    assert widens(before, after) is same


LATE = "def late(apps, schema_editor):\n    apps.get_model('lessons', 'Lesson').objects.count()\n"


def test_code_that_asks_for_a_deleted_model_comes_too_late(project: Make) -> None:
    shop = add_code(project(DELETE + ", migrations.RunPython(late, late)"), LATE)
    (found,) = hazards(shop, "GP305")
    assert (
        "lessons.Lesson, which no longer exists: DeleteModel lessons.Lesson in lessons.0002_session" in found.what
    )
    assert not migrates(shop)


def test_code_that_asks_for_it_before_is_in_time(project: Make) -> None:
    shop = add_code(project("migrations.RunPython(late, late), " + DELETE), LATE)
    assert hazards(shop, "GP305") == []
    assert migrates(shop)


def test_code_that_asks_by_the_old_name_after_a_rename_is_told_the_new_one(project: Make) -> None:
    shop = add_code(project("migrations.RenameModel('Lesson', 'Session'), migrations.RunPython(late, late)"), LATE)
    (found,) = hazards(shop, "GP305")
    assert 'apps.get_model("lessons", "Session")' in found.how


def test_sql_that_reads_a_dropped_table_comes_too_late(project: Make) -> None:
    late = ", migrations.RunSQL('insert into lessons_teacher(name) select title from lessons_lesson', '')"
    shop = project(DELETE + late)
    (found,) = hazards(shop, "GP306")
    assert (found.level, found.table) == ("stop", "lessons_lesson")
    assert not migrates(shop)


def test_sql_that_looks_first_or_reads_another_table_is_let_through(project: Make) -> None:
    shop = project(
        DELETE + ", migrations.RunSQL('drop table if exists lessons_lesson', ''),"
        "migrations.RunSQL('select name from lessons_teacher', ''),"
        "migrations.RunSQL('-- not from lessons_lesson\\nselect 1 /* a /* b */ join lessons_lesson */', '')"
    )
    assert hazards(shop, "GP306") == []
    assert migrates(shop)


def test_conflicts_stop(project: Make) -> None:
    shop = project("b")
    folder = shop.folder / "shop/lessons/migrations"
    (folder / "0002_other.py").write_text((folder / "0002_session.py").read_text())
    (found,) = hazards(shop, "GP301")
    assert "0002_other and 0002_session" in found.what
    assert "--merge" in found.how
    assert not migrates(shop)


def test_a_migration_that_was_applied_before_its_dependency_stops(project: Make) -> None:
    shop = project("b")
    folder = shop.folder / "shop/lessons/migrations"
    late = (folder / "0002_session.py").read_text().replace("0001_initial", "0002_session")
    (folder / "0003_late.py").write_text(late)
    shop.query("insert into django_migrations(app, name, applied) values ('lessons', '0003_late', now())")
    assert len(hazards(shop, "GP302")) == 1
    assert not migrates(shop)


def test_migrations_that_the_release_does_not_know_stop(project: Make) -> None:
    shop = project("b")
    shop.query("insert into django_migrations(app, name, applied) values ('lessons', '0009_newer', now())")
    (found,) = hazards(shop, "GP304")
    assert "lessons.0009_newer" in found.what
    applied = probe(Session(load.load(shop.folder / "inventory.yaml"), shop.env), "shop", "shop")["applied"]
    # The table's order is another one: the certificate's would change with it.
    assert applied == sorted(applied) and "lessons.0001_initial" in applied[-2:], applied


def test_models_without_a_migration_are_noted(project: Make) -> None:
    (found,) = [h for h in look(project("b")).hazards if h.code == "GP307"]
    assert (found.level, "Alter field id on teacher" in found.what) == ("note", True)
    assert "makemigrations lessons" in found.how


def test_what_can_not_be_reversed_is_noted(project: Make) -> None:
    shop = add_code(project(CODE + "migrations.RunPython(nothing), migrations.RunSQL('select 1')"), NOTHING)
    assert [h.operation for h in hazards(shop, "GP401")] == ["RunPython", "RunSQL"]


def atomic_off(shop: Project) -> Project:
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    path.write_text(path.read_text() + "    atomic = False\n")
    return shop


def test_a_migration_that_can_stop_half_way_is_noted(project: Make) -> None:
    shop = atomic_off(project(SEATS % "default=1" + "migrations.RunSQL('select 1', '')"))
    (found,) = hazards(shop, "GP402")
    assert "2 operations" in found.what


def test_an_index_built_concurrently_has_to_be_non_atomic(project: Make) -> None:
    index = "AddIndexConcurrently('Lesson', models.Index(fields=['title'], name='by_title')), "
    head = "from django.contrib.postgres.operations import AddIndexConcurrently\n"
    shop = atomic_off(add_code(project(index), head))
    assert hazards(shop) == []


def test_a_loop_over_many_rows_is_a_lock(project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = add_code(
        project("migrations.RunPython(loop, migrations.RunPython.noop)"),
        "def loop(apps, schema_editor):\n    Lesson = apps.get_model('lessons', 'Lesson')\n"
        "    for lesson in Lesson.objects.all():\n        lesson.save()\n",
    )
    assert hazards(shop) == [], "1,000 rows are no matter"
    monkeypatch.setattr(shape_rules, "MANY", 1000)
    (found,) = hazards(shop)
    assert (found.code, found.level, found.rows) == ("GP403", "lock", 1000)
    assert "lessons.Lesson row by row: 1,000 rows, all of them in memory" in found.what


INDEX = "migrations.AddIndex('Lesson', models.Index(fields=['title'], name='by_title')), "


GUEST = "migrations.AddField('Lesson', 'guest', models.ForeignKey('lessons.teacher', d.CASCADE, null=True)), "
LOCKS = [
    (INDEX, {"GP502"}),
    (SEATS % "null=True", set()),
    (title(200), set()),
    ("migrations.AlterField('Lesson', 'id', models.IntegerField(primary_key=True)), ", {"GP501", "GP505"}),
    (title(more=", unique=True"), {"GP502", "GP506"}),
    (GUEST, {"GP502"}),
    ("migrations.CreateModel('Room', [('id', models.BigAutoField(primary_key=True)), ('name', models.TextField()),"
     " ('lesson', models.ForeignKey('lessons.lesson', d.CASCADE))]), ", set()),
    ("migrations.AlterModelTable('Lesson', 'courses'), " + INDEX, {"GP502"}),
    (NOT_NULL % "", {"GP505", "GP507"}),
    ("migrations.RunSQL('create index concurrently x on lessons_lesson (title)', ''), ", {"GP509"}),
]  # fmt: skip


def test_locks_are_told_for_tables_that_are_big_enough(project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = project("b")
    folder, before = shop.folder / "shop/lessons/migrations", "0001_initial"
    pending = (folder / "0002_session.py").read_text()
    (folder / "0002_session.py").unlink()
    for number, (operations, _) in enumerate(LOCKS, 2):
        alone = f"migrations.SeparateDatabaseAndState(database_operations=[{operations}])"
        text = pending[: pending.index("operations = [")].replace("0001_initial", before) + f"operations = [{alone}]\n"
        before = f"{number:04}_lock"
        (folder / f"{before}.py").write_text(text)
    few = [h.code for h in hazards(shop) if h.code.startswith("GP5")]
    assert few == ["GP509"], "1,000 rows are written in no time"
    monkeypatch.setattr(locks, "MANY", 1000)
    found = [h for h in hazards(shop) if h.code.startswith("GP5")]
    for number, (operations, codes) in enumerate(LOCKS, 2):
        here = [h for h in found if h.migration == f"lessons.{number:04}_lock"]
        assert {h.code for h in here} == codes, operations
        assert all(h.rows == 1000 and "squawk" in h.why for h in here)


def test_without_squawk_one_line_says_so(project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = project(INDEX)
    monkeypatch.setattr(locks, "squawk", lambda: "")
    seen = look(shop)
    assert seen.unseen == (locks.MISSING,)


def test_python_that_has_no_sql_is_said(project: Make) -> None:
    seen = look(add_code(project(CODE), NOTHING))
    assert seen.unseen == ("lessons.0002_session: RunPython has no SQL to check",)


def test_nothing_is_written(project: Make) -> None:
    shop = project("a")
    before = shop.fingerprint()
    look(shop)
    assert shop.fingerprint() == before


def test_every_rule_has_a_text_for_what_why_and_how() -> None:
    assert len(rules()) >= 20
    for code, rule in rules().items():
        assert rule.what and rule.why and rule.how, code
        assert rule.level in ("stop", "loss", "lock", "note")

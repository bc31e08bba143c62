"""What the application says of its pending migrations: real Django projects, read by the probe from inside."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ops.application.operations import Application, Link
from ops.application.probe import probe
from ops.infra.session.session import Session
from ops.inventory import load
from tests.conftest import Project
from tests.projects import COPY, CREATE, DELETE, SET

Make = Callable[..., Project]


def found(shop: Project) -> dict[str, Any]:
    """What the probe finds."""
    return probe(Session(load.load(shop.folder / "inventory.yaml"), shop.env), "shop", "shop")


def read(shop: Project) -> Application:
    return Application.read(found(shop))


def code(shop: Project, text: str) -> None:
    """Put module-level code before the pending migration's class."""
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    path.write_text(path.read_text().replace("class Migration", text + "\nclass Migration"))


def models(shop: Project, text: str) -> None:
    (shop.folder / "shop/lessons/models.py").write_text("from django.db import models\n" + text)


def migrate_first(shop: Project, operations: str) -> None:
    """Apply a migration before the pending one."""
    folder = shop.folder / "shop/lessons/migrations"
    pending = (folder / "0002_session.py").read_text()
    (folder / "0002_session.py").unlink()
    head = "from django.db import migrations, models\nclass Migration(migrations.Migration):\n"
    (folder / "0001_more.py").write_text(
        head + f"    dependencies = [('lessons', '0001_initial')]\n    operations = [{operations}]\n"
    )
    shop.manage("migrate", "lessons", "0001_more")
    (folder / "0002_session.py").write_text(pending.replace('"0001_initial")', '"0001_more")'))


def test_the_incident_is_told_with_tables_and_columns(project: Make) -> None:
    app = read(project("a"))
    assert [o.words for o in app.operations] == [
        "CreateModel lessons.Session",
        "AddField lessons.Booking.session",
        "RemoveField lessons.Booking.lesson",
        "DeleteModel lessons.Lesson",
    ]
    create, add, remove, delete = app.operations
    assert (create.table, create.new_table, create.migration, create.index) == (
        "",
        "lessons_session",
        "lessons.0002_session",
        0,
    )
    assert [c.column for c in create.columns] == ["id", "title", "teacher_id"]
    assert add.after and (add.new_column, add.after.remote, add.after.null) == ("session_id", "lessons_session", True)
    assert (remove.table, remove.column, remove.new_column) == ("lessons_booking", "lesson_id", "")
    assert (delete.table, delete.new_table, delete.drops) == ("lessons_lesson", "", ("lessons_lesson",))
    assert app.opaque == ()
    assert app.removers("lessons_lesson") == [delete]
    assert app.removers("lessons_booking", "lesson_id") == [remove]
    assert app.removers("lessons_lesson", "title") == [delete]
    assert not app.removers("lessons_teacher")
    assert not app.may_have_copied("lessons_lesson")
    assert app.renamed_tables() == {} and app.renamed_columns() == {}


def test_models_and_links_before_and_after(project: Make) -> None:
    app = read(project("a"))
    assert app.models_before["lessons.lesson"] == "lessons_lesson"
    assert "lessons.lesson" not in app.models_after
    assert app.models_after["lessons.session"] == "lessons_session"
    assert Link("lessons_booking", "lesson_id", "lessons_lesson", "id", True) in app.links_before
    assert Link("lessons_booking", "session_id", "lessons_session", "id", True) in app.links_after
    assert Link("auth_user_groups", "user_id", "auth_user", "id", True) in app.links_before
    assert app.django.count(".") >= 1
    assert (app.broken, app.inconsistent) == ("", "")


def test_a_rename_is_one_with_its_links(project: Make) -> None:
    app = read(project("b"))
    assert app.operations[0].words == "RenameModel lessons.Lesson → Session"
    assert app.renamed_tables() == {"lessons_lesson": "lessons_session"}
    assert app.renamed_columns() == {("lessons_booking", "lesson_id"): "session_id"}
    assert not app.removers("lessons_lesson")


def test_a_copy_is_read_before_it_is_deleted(project: Make) -> None:
    app = read(project("c"))
    assert [o.kind for o in app.opaque] == ["RunSQL"] * 4
    assert app.may_have_copied("lessons_lesson")
    assert app.may_have_copied("lessons_booking", "lesson_id")
    assert app.mentions("lessons_lesson", "lessons_session")
    assert not app.mentions("lessons_lesson", "lessons_teacher")
    assert not app.mentions("lesson")


def test_what_runs_after_the_deletion_copied_nothing(project: Make) -> None:
    app = read(project(CREATE + DELETE + ", migrations.RunSQL('select 1')"))
    assert not app.may_have_copied("lessons_lesson")
    assert app.may_have_copied("lessons_teacher")


def test_what_does_nothing_is_not_opaque(project: Make) -> None:
    noop = "migrations.RunPython(migrations.RunPython.noop), migrations.RunSQL(migrations.RunSQL.noop), "
    assert read(project(noop + DELETE.strip())).opaque == ()


def test_the_code_of_a_function_has_all_that_it_reaches_and_nothing_else(project: Make) -> None:
    shop = project("migrations.RunPython(copy), migrations.DeleteModel('Booking')")
    (shop.folder / "shop/lessons/helpers.py").write_text(
        "from django.db import connection\nSTATEMENT = 'insert into far_away select * from lessons_teacher'\n"
        "def deep():\n    with connection.cursor() as cursor:\n        cursor.execute(STATEMENT)\n"
    )
    code(
        shop,
        "QUERY = 'select near_by'\nUNUSED = 'not_reached'\ndef helper():\n    return QUERY\n"
        "def copy(apps, schema_editor):\n    from lessons import helpers\n    helper()\n    helpers.deep()\n",
    )
    app = read(shop)
    assert app.mentions("near_by") and app.mentions("far_away", "lessons_teacher", "near_by")
    assert not app.mentions("not_reached")
    assert not app.mentions("Booking"), "the DeleteModel beside it is not what the function does"


def test_a_partial_a_lambda_and_an_operation_of_ones_own_are_read(project: Make) -> None:
    shop = project(
        "migrations.RunPython(functools.partial(copy, table='in_partial')),"
        "migrations.RunPython(lambda a, s: 'in_lambda'), Own('in_words')"
    )
    code(
        shop,
        "import functools\ndef copy(apps, schema_editor, table):\n    'in_function'\n"
        "class Own(migrations.operations.base.Operation):\n"
        "    def __init__(self, word):\n        self.word = word\n"
        "    def state_forwards(self, app_label, state):\n        pass\n"
        "    def database_forwards(self, app_label, schema_editor, from_state, to_state):\n"
        "        schema_editor.execute('select in_class')\n",
    )
    app = read(shop)
    for word in ("in_partial", "in_function", "in_lambda", "in_class", "in_words"):
        assert app.mentions(word), word
    assert [o.opaque for o in app.operations] == [True] * 3
    assert app.operations[2].kind == "Own"


def test_an_operation_that_stands_on_djangos_is_opaque_and_described(project: Make) -> None:
    shop = project("Own('Booking')")
    code(shop, "class Own(migrations.DeleteModel):\n    pass\n")
    (operation,) = read(shop).operations
    assert (operation.opaque, operation.kind, operation.acts_as) == (True, "Own", "DeleteModel")
    assert operation.drops == ("lessons_booking",)


def test_reversible_atomic_and_elidable(project: Make) -> None:
    shop = project("migrations.RunSQL('select 1'), migrations.RunSQL('select 1', '', elidable=True)],\n")
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    path.write_text(path.read_text().replace("],\n]", "]\n    atomic = False"))
    one, two = read(shop).operations
    assert (one.reversible, two.reversible, two.elidable, one.atomic) == (False, True, True, False)


MANY = """
    migrations.AddField("Lesson", "guests", models.ManyToManyField("lessons.Teacher", related_name="+")),
    migrations.AddField("Teacher", "likes", models.ManyToManyField("lessons.Lesson", related_name="+")),
    migrations.AddField("Teacher", "friends", models.ManyToManyField("lessons.Teacher")),
"""


def test_many_to_many_tables_follow_their_model(project: Make) -> None:
    shop = project("migrations.RenameModel('Lesson', 'Session')")
    migrate_first(shop, MANY)
    app = read(shop)
    assert app.renamed_tables() == {
        "lessons_lesson": "lessons_session",
        "lessons_lesson_guests": "lessons_session_guests",
    }
    assert app.renamed_columns() == {
        ("lessons_lesson_guests", "lesson_id"): "session_id",
        ("lessons_teacher_likes", "lesson_id"): "session_id",
    }
    shop.manage("migrate", "lessons")
    tables = {name for (name,) in shop.query("select tablename from pg_tables where schemaname = 'public'")}
    assert set(app.renamed_tables().values()) <= tables
    columns = set(shop.query("select table_name, column_name from information_schema.columns"))
    end = {(app.renamed_tables().get(t, t), now) for (t, _), now in app.renamed_columns().items()}
    assert end <= columns


def test_many_to_many_fields_have_a_table_and_no_column(project: Make) -> None:
    shop = project(
        "migrations.RenameField('lesson', 'guests', 'visitors'), migrations.RemoveField('Teacher', 'friends'),"
        "migrations.AddField('Booking', 'extra', models.ManyToManyField('lessons.Teacher', db_constraint=False)),"
        "migrations.AlterField('Teacher', 'likes', models.ManyToManyField('lessons.Booking')),"
        "migrations.DeleteModel('Booking')"
    )
    migrate_first(shop, MANY)
    rename, remove, add, alter, delete = (app := read(shop)).operations
    assert app.renamed_tables() == {"lessons_lesson_guests": "lessons_lesson_visitors"}
    assert (rename.table, rename.new_table, rename.column) == ("lessons_lesson_guests", "lessons_lesson_visitors", "")
    assert (remove.table, remove.new_table, remove.drops) == (
        "lessons_teacher_friends",
        "",
        ("lessons_teacher_friends",),
    )
    assert (add.table, add.new_table, add.new_column) == ("", "lessons_booking_extra", "")
    assert (
        alter.before
        and alter.after
        and (alter.before.remote, alter.after.remote) == ("lessons_lesson", "lessons_booking")
    )
    assert delete.drops == ("lessons_booking", "lessons_booking_extra")
    assert app.removers("lessons_teacher_friends") == [remove]
    assert app.removers("lessons_booking_extra") == [], "it has no old name: the plan makes it"


def test_chains_of_renames_end_where_they_end(project: Make) -> None:
    app = read(
        project(
            "migrations.RenameModel('Lesson', 'Course'), migrations.AlterModelTable('Course', 'courses'),"
            "migrations.RenameField('Course', 'title', 'name'),"
            "migrations.AlterField('Course', 'name', models.CharField(max_length=100, db_column='label')),"
            "migrations.AddField('Course', 'fresh', models.IntegerField(default=1)),"
            "migrations.RenameField('Course', 'fresh', 'fresher'),"
            "migrations.RenameField('Course', 'teacher', 'leader'), migrations.RemoveField('Course', 'leader'),"
            "migrations.CreateModel('Lesson', [('id', models.BigAutoField(primary_key=True))]),"
            "migrations.RenameModel('Lesson', 'Session'),"
        )
    )
    assert app.renamed_tables() == {"lessons_lesson": "courses"}
    assert app.renamed_columns() == {("lessons_lesson", "title"): "label"}
    assert [o.words for o in app.removers("lessons_lesson", "teacher_id")] == ["RemoveField lessons.Course.leader"]
    assert app.removers("lessons_lesson", "title") == []


def test_two_tables_exchange_their_names(project: Make) -> None:
    app = read(
        project(
            "migrations.AlterModelTable('Lesson', 'x'), migrations.AlterModelTable('Booking', 'lessons_lesson'),"
            "migrations.AlterModelTable('Lesson', 'lessons_booking'),"
            "migrations.RenameField('Booking', 'lesson', 'course'),"
        )
    )
    assert app.renamed_tables() == {"lessons_lesson": "lessons_booking", "lessons_booking": "lessons_lesson"}
    assert app.renamed_columns() == {("lessons_booking", "lesson_id"): "course_id"}


def test_database_and_state_are_told_apart(project: Make) -> None:
    app = read(
        project(
            "migrations.SeparateDatabaseAndState("
            "database_operations=[migrations.AlterModelTable('Lesson', 'school_lesson')],"
            "state_operations=[migrations.CreateModel('Course', [('id', models.BigAutoField(primary_key=True)),"
            " ('title', models.CharField(max_length=100))], options={'db_table': 'school_lesson'}),"
            " migrations.RemoveField('Booking', 'lesson'), migrations.DeleteModel('Lesson')]),"
            "migrations.RunSQL('drop table lessons_teacher', state_operations=[migrations.DeleteModel('Teacher')])"
        )
    )
    flags = [(o.kind, o.database_only, o.state_only, o.index) for o in app.operations]
    assert flags == [
        ("AlterModelTable", True, False, 0),
        ("CreateModel", False, True, 0),
        ("RemoveField", False, True, 0),
        ("DeleteModel", False, True, 0),
        ("RunSQL", False, False, 1),
        ("DeleteModel", False, True, 1),
    ]
    assert app.renamed_tables() == {"lessons_lesson": "school_lesson"}
    assert [o.state_only for o in app.removers("lessons_teacher")] == [True]
    assert app.models_after == {k: v for k, v in app.models_before.items() if not k.startswith("lessons.")} | {
        "lessons.course": "school_lesson",
        "lessons.booking": "lessons_booking",
    }


def test_a_rename_by_hand_beside_the_models_is_followed(project: Make) -> None:
    words = "migrations.RunSQL('alter table lessons_lesson rename to lessons_session', state_operations=[%s])"
    app = read(project(words % "migrations.RenameModel('Lesson', 'Session')"))
    assert app.renamed_tables() == {"lessons_lesson": "lessons_session"}


def test_models_without_a_table_have_none(project: Make) -> None:
    app = read(
        project(
            "migrations.CreateModel('Seen', [('id', models.AutoField(primary_key=True))], options={'managed': False}),"
            "migrations.CreateModel('Pupil', [], options={'proxy': True}, bases=('lessons.teacher',)),"
            "migrations.DeleteModel('Seen'), migrations.DeleteModel('Pupil')"
        )
    )
    assert [(o.table, o.new_table, o.managed, o.proxy) for o in app.operations] == [
        ("", "", False, False),
        ("", "", True, True),
        ("", "", False, False),
        ("", "", True, True),
    ]
    assert "lessons.pupil" not in app.models_after and "lessons.seen" not in app.models_after


def test_fields_tell_what_the_rules_need(project: Make) -> None:
    app = read(
        project(
            "migrations.AlterField('Lesson', 'title', models.CharField(max_length=20, unique=True)),"
            "migrations.AddField('Lesson', 'price', models.DecimalField(max_digits=6, decimal_places=2)),"
            "migrations.AddField('Lesson', 'seats', models.IntegerField(default=3), preserve_default=False),"
            "migrations.AddField('Lesson', 'note', models.TextField(blank=True)),"
            "migrations.AddField('Lesson', 'made', models.DateTimeField(auto_now_add=True)),"
            "migrations.AddField('Lesson', 'room', models.ForeignKey('lessons.Teacher', d.CASCADE, related_name='+',"
            " db_constraint=False, null=True, db_column='the_room')),"
            "migrations.AlterUniqueTogether('Lesson', {('title', 'teacher')}),"
            "migrations.AddConstraint('Lesson', models.UniqueConstraint(fields=['title'],"
            " condition=models.Q(price__gt=0), name='once')),"
            "migrations.AddConstraint('Lesson', models.CheckConstraint(%s=models.Q(price__gte=0), name='dear')),"
            % ("condition" if __import__("django").VERSION >= (5, 1) else "check")
        )
    )
    title, price, seats, note, made, room, together, once, dear = app.operations
    assert title.before and title.after
    assert (title.before.type, title.after.type, title.after.length) == ("varchar(100)", "varchar(20)", 20)
    assert (title.before.unique, title.after.unique, title.before.family == title.after.family) == (False, True, True)
    assert price.after and (price.after.type, price.after.digits, price.after.decimals) == ("numeric(6, 2)", 6, 2)
    fills = [(o.after.fills, o.after.default) for o in (price, seats, note, made) if o.after]
    assert fills == [(False, False), (True, True), (True, False), (True, False)]
    assert room.after and (room.new_column, room.after.constraint, room.after.remote) == (
        "the_room",
        False,
        "lessons_teacher",
    )
    assert [t.columns for t in together.unique] == [("title", "teacher_id")]
    assert once.unique[0].columns == ("title",) and "price" in once.unique[0].where
    assert "price" in dear.check and dear.constraint == "dear"
    assert Link("lessons_lesson", "the_room", "lessons_teacher", "id", False) in app.links_after
    assert not [o.undescribed for o in app.operations if o.undescribed]


def test_a_function_that_asks_for_a_deleted_model_is_found(project: Make) -> None:
    shop = project(CREATE + DELETE + ", migrations.RunPython(late), migrations.RunPython(careful)")
    code(
        shop,
        "def late(apps, schema_editor):\n    Lesson = apps.get_model('lessons', 'Lesson')\n"
        "    apps.get_model('lessons.Session')\n"
        "def careful(apps, schema_editor):\n    try:\n        apps.get_model('lessons', 'Lesson')\n"
        "    except LookupError:\n        return\n    apps.get_model('lessons', 'Gone')\n",
    )
    *_, late, careful = read(shop).operations
    assert late.missing == ("lessons.Lesson",)
    assert careful.missing == ()


def test_loops_over_all_rows_are_found(project: Make) -> None:
    shop = project("migrations.RunPython(loop)")
    code(
        shop,
        "def loop(apps, schema_editor):\n    Lesson = apps.get_model('lessons', 'Lesson')\n"
        "    every = Lesson.objects.order_by('title')\n"
        "    for one in every.select_related('teacher'):\n        pass\n"
        "    for one in Lesson.objects.all().iterator():\n        pass\n"
        "    for one in Lesson.objects.filter(title='x'):\n        pass\n"
        "    for one in Lesson.objects.all()[:5]:\n        pass\n"
        "    [b for b in apps.get_model('lessons', 'Booking').objects.all()]\n",
    )
    (operation,) = read(shop).operations
    assert sorted((loop.table, loop.memory) for loop in operation.loops) == [
        ("lessons_booking", True),
        ("lessons_lesson", False),
        ("lessons_lesson", True),
    ]


def test_model_changes_without_a_migration_are_told_and_nothing_is_written(project: Make) -> None:
    shop = project("b")
    models(
        shop,
        "class Teacher(models.Model):\n    name = models.CharField(max_length=70)\n    age = models.IntegerField()",
    )
    before = {path: path.stat().st_mtime_ns for path in shop.folder.rglob("*.py")}
    app = read(shop)
    assert "lessons: Alter field name on teacher" in app.unmade
    assert "lessons: Add field age to teacher" in app.unmade
    assert {path: path.stat().st_mtime_ns for path in shop.folder.rglob("*.py")} == before


def test_links_by_content_type_and_number_are_told(project: Make) -> None:
    shop = project("b")
    path = shop.folder / "shop/lessons/models.py"
    path.write_text(
        path.read_text() + "from django.contrib.contenttypes.fields import GenericForeignKey\n"
        "class Note(models.Model):\n    kind = models.ForeignKey('contenttypes.ContentType', models.CASCADE)\n"
        "    key = models.PositiveIntegerField(db_column='the_key')\n    about = GenericForeignKey('kind', 'key')\n"
    )
    assert read(shop).generic == (("lessons_note", "kind_id", "the_key"),)


@pytest.mark.parametrize(
    "operations",
    [
        "migrations.DeleteModel('Nobody')",
        "migrations.RemoveField('Lesson', 'nothing'), migrations.DeleteModel('Booking')",
        "migrations.AlterField('Lesson', 'title', models.ManyToManyField('lessons.Teacher'))",
    ],
)
def test_what_does_not_fit_is_said_and_never_crashes(project: Make, operations: str) -> None:
    shop = project(operations)
    app = read(shop)
    assert len(app.operations) == len(operations.split("), "))
    if "ManyToMany" not in operations:
        assert app.broken.startswith("lessons.0002_session: ")
    assert app.models_before["lessons.lesson"] == "lessons_lesson"


def test_conflicts_and_an_inconsistent_history_are_said(project: Make) -> None:
    shop = project("b")
    folder = shop.folder / "shop/lessons/migrations"
    (folder / "0002_other.py").write_text((folder / "0002_session.py").read_text())
    app = read(shop)
    assert app.conflicts == {"lessons": ("0002_other", "0002_session")}
    (folder / "0002_other.py").unlink()
    shop.query("insert into django_migrations(app, name, applied) values ('lessons', '0003_late', now())")
    (folder / "0003_late.py").write_text(
        (folder / "0002_session.py").read_text().replace("0001_initial", "0002_session")
    )
    assert "0003_late" in read(shop).inconsistent


def test_a_squash_that_django_passes_over_is_said(project: Make) -> None:
    shop = project("b")
    folder = shop.folder / "shop/lessons/migrations"
    squashed = (folder / "0001_initial.py").read_text().replace(
        "dependencies", 'replaces = [("lessons", "0001_initial"), ("lessons", "0002_session")]\n    dependencies', 1
    )
    assert read(shop).skipped == {}
    (folder / "0001_squashed_0002_session.py").write_text(squashed)
    assert read(shop).skipped == {}
    (folder / "0001_initial.py").unlink()
    (folder / "0002_session.py").unlink()
    app = read(shop)
    assert (app.operations, app.skipped) == ((), {"lessons.0001_squashed_0002_session": ("lessons.0002_session",)})


def test_what_was_there_is_still_there(project: Make) -> None:
    shop = project("c")
    here = found(shop)
    assert {"system", "database", "conflicts", "applied", "unknown", "skipped", "pending"} <= here.keys()
    (pending,) = here["pending"]
    assert (pending["name"], len(pending["sha256"]), pending["atomic"]) == ("lessons.0002_session", 64, True)
    kinds = ["CreateModel", "AddField", *["RunSQL"] * 4, "RemoveField", "DeleteModel"]
    assert pending["operations"] == kinds
    assert [o["kind"] for o in here["operations"]] == kinds
    assert (COPY + SET).count("RunSQL") == 4


def test_it_writes_nothing_to_the_database(project: Make) -> None:
    shop = project("a")
    before = shop.query("select * from django_migrations")
    started = time.monotonic()
    found(shop)
    assert time.monotonic() - started < 30
    assert shop.query("select * from django_migrations") == before

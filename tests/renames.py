"""Writes Django projects in which a model Lesson is to become Session: models, rows, and what must hold afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.projects import MANAGE, SETTINGS, inventory


@dataclass(frozen=True)
class Shape:
    """One application: ``models.py`` of each app, SQL that fills it, and queries with the same answer before and after.

    ``renamed`` says what else than the class's name changes in a query or in the models.
    """

    models: dict[str, str]
    fill: str
    asks: tuple[str, ...]
    renamed: dict[str, str] = field(default_factory=dict)


LINKS = Shape(
    models={
        "lessons": """
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
class Tag(models.Model):
    word = models.CharField(max_length=20)
class Lesson(models.Model):
    title = models.CharField(max_length=100)
    repeats = models.ForeignKey("self", null=True, on_delete=models.SET_NULL)
    tags = models.ManyToManyField(Tag)
    alike = models.ManyToManyField("self")
    opens = models.ForeignKey(Tag, null=True, on_delete=models.SET_NULL, related_name="opened")
class Room(models.Model):
    lesson = models.OneToOneField(Lesson, on_delete=models.CASCADE)
class Course(models.Model):
    lessons = models.ManyToManyField(Lesson)
class Place(models.Model):
    lesson = models.ForeignKey(Lesson, on_delete=models.CASCADE)
    course = models.ForeignKey(Course, on_delete=models.CASCADE)
    class Meta:
        unique_together = [("lesson", "course")]
class Note(models.Model):
    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.PositiveBigIntegerField()
    about = GenericForeignKey()
""",
        "billing": """
from django.db import models
class Invoice(models.Model):
    lesson = models.ForeignKey("lessons.Lesson", on_delete=models.PROTECT, related_name="bills")
    cents = models.IntegerField()
""",
    },
    fill="""
insert into lessons_tag(word) select 'tag ' || n from generate_series(1, 5) n;
insert into lessons_lesson(id, title, repeats_id, opens_id)
    select n, 'Stunde ' || n, nullif(1 + (n * 7) % 300, n), 1 + n % 5 from generate_series(1, 300) n;
select setval(pg_get_serial_sequence('lessons_lesson', 'id'), 500);
insert into lessons_lesson_tags(lesson_id, tag_id) select n, 1 + n % 5 from generate_series(1, 300) n;
insert into lessons_lesson_alike(from_lesson_id, to_lesson_id) select n, n + 1 from generate_series(1, 299) n;
insert into lessons_room(lesson_id) select n from generate_series(300, 101, -1) n;
insert into lessons_course select from generate_series(1, 3) n;
insert into lessons_course_lessons(course_id, lesson_id) select 1 + n % 3, n from generate_series(1, 300) n;
insert into lessons_place(course_id, lesson_id) select 1 + n % 3, n from generate_series(1, 300) n;
insert into lessons_note(content_type_id, object_id)
    select c.id, n from django_content_type c, generate_series(1, 40) n
     where c.app_label = 'lessons' and c.model = 'lesson';
insert into billing_invoice(lesson_id, cents) select n, n * 100 from generate_series(1, 300) n;
""",
    asks=(
        "select id, title, repeats_id, opens_id from lessons_lesson order by id",
        "select id, lesson_id, tag_id from lessons_lesson_tags order by id",
        "select id, from_lesson_id, to_lesson_id from lessons_lesson_alike order by id",
        "select id, lesson_id from lessons_room order by id",
        "select id, course_id, lesson_id from lessons_course_lessons order by id",
        "select id, course_id, lesson_id from lessons_place order by id",
        "select id, lesson_id, cents from billing_invoice order by id",
        "select n.id, n.object_id, c.model = 'lesson' from lessons_note n join django_content_type c"
        " on c.id = content_type_id order by 1",
        "select nextval(pg_get_serial_sequence('lessons_lesson', 'id'))",
        "select nextval(pg_get_serial_sequence('lessons_lesson_tags', 'id'))",
    ),
    # A field's name stays, but the columns of a many-to-many table are called after the model.
    renamed={
        "lessons_lesson_tags(": "lessons_session_tags(",
        "id, lesson_id, tag_id": "id, session_id, tag_id",
        "from_lesson_id, to_lesson_id": "from_session_id, to_session_id",
        "course_id, lesson_id from lessons_course_lessons": "course_id, session_id from lessons_course_lessons",
        "c.model = 'lesson'": "c.model = 'session'",
    },
)

NAMES = Shape(
    models={
        "lessons": """
import uuid
from django.db import models
class LessonManager(models.Manager):
    use_in_migrations = True
class Lesson(models.Model):
    key = models.UUIDField(primary_key=True, default=uuid.uuid4, db_column="Der Schlüssel")
    title = models.CharField(max_length=100, unique=True)
    day = models.DateField()
    slot = models.IntegerField()
    facts = models.JSONField(default=dict, db_column="Fakten, alle")
    double = models.GeneratedField(expression=models.F("slot") * 2, output_field=models.IntegerField(), db_persist=True)
    objects = LessonManager()
    class Meta:
        db_table = "Alte Stunden"
        ordering = ["day"]
        unique_together = [("day", "slot")]
        indexes = [models.Index(fields=["day"], name="by_day"), models.Index(fields=["slot"])]
        constraints = [models.UniqueConstraint(fields=["slot", "title"], name="one_slot"),
                       models.CheckConstraint(condition=models.Q(slot__gt=0), name="positive")]
class Booking(models.Model):
    lesson = models.ForeignKey(Lesson, null=True, on_delete=models.SET_NULL)
    by_title = models.ForeignKey(Lesson, to_field="title", on_delete=models.CASCADE, related_name="titled")
"""
    },
    fill="""
insert into "Alte Stunden"("Der Schlüssel", title, day, slot, "Fakten, alle")
    select md5(n::text)::uuid, 'Stunde ' || n, date '2026-01-01' + n, n, jsonb_build_object('n', n)
      from generate_series(1, 300) n;
insert into lessons_booking(lesson_id, by_title_id)
    select nullif(md5(n::text)::uuid, md5('7')::uuid), 'Stunde ' || n from generate_series(1, 300) n;
""",
    asks=(
        'select "Der Schlüssel", title, day, slot, "Fakten, alle", double from "Alte Stunden" order by 1',
        "select id, lesson_id, by_title_id from lessons_booking order by 1",
        "select conname from pg_constraint where conname in ('one_slot', 'positive') order by 1",
        "select indexname from pg_indexes where indexname in ('by_day', 'one_slot') order by 1",
    ),
)

# A child of another model; a many-to-many field through a model of its own; one that is a through model itself; a key
# of two columns.
KINDS = Shape(
    models={
        "lessons": """
from django.db import models
class Event(models.Model):
    place = models.CharField(max_length=20)
class Pupil(models.Model):
    name = models.CharField(max_length=20)
class Teacher(models.Model):
    pupils = models.ManyToManyField(Pupil, through="Lesson")
class Lesson(Event):
    teacher = models.ForeignKey(Teacher, on_delete=models.CASCADE)
    pupil = models.ForeignKey(Pupil, on_delete=models.CASCADE, related_name="+")
    guests = models.ManyToManyField(Pupil, through="Visit", related_name="visited")
class Visit(models.Model):
    pk = models.CompositePrimaryKey("lesson", "pupil")
    lesson = models.ForeignKey(Lesson, on_delete=models.CASCADE)
    pupil = models.ForeignKey(Pupil, on_delete=models.CASCADE)
"""
    },
    fill="""
insert into lessons_event(place) select 'Raum ' || n from generate_series(1, 100) n;
insert into lessons_pupil(name) select 'Kind ' || n from generate_series(1, 20) n;
insert into lessons_teacher select from generate_series(1, 3);
insert into lessons_lesson(event_ptr_id, teacher_id, pupil_id)
    select n, 1 + n % 3, 1 + n % 20 from generate_series(1, 90) n;
insert into lessons_visit(lesson_id, pupil_id) select n, 1 + n % 7 from generate_series(1, 90) n;
""",
    asks=(
        "select id, place from lessons_event order by id",
        "select event_ptr_id, teacher_id, pupil_id from lessons_lesson order by 1",
        "select lesson_id, pupil_id from lessons_visit order by 1, 2",
    ),
)

MANY = Shape(
    models={
        "lessons": """
from django.db import models
class Lesson(models.Model):
    title = models.CharField(max_length=100)
class Booking(models.Model):
    lesson = models.ForeignKey(Lesson, null=True, on_delete=models.SET_NULL)
"""
    },
    fill="""
insert into lessons_lesson(title) select 'Stunde ' || n from generate_series(1, 26000) n;
delete from lessons_lesson where id % 26 = 0;
insert into lessons_booking(lesson_id) select id from lessons_lesson;
""",
    asks=(
        "select id, title from lessons_lesson order by id",
        "select id, lesson_id from lessons_booking order by id",
        "select nextval(pg_get_serial_sequence('lessons_lesson', 'id'))",
    ),
)


def write_rename(folder: Path, shape: Shape) -> None:
    """Write the project as it is before the rename; its first migrations are for ``makemigrations`` to write."""
    apps = list(shape.models)
    settings = SETTINGS.replace('"lessons"', ", ".join(f'"{app}"' for app in apps))
    files = {
        "tasks.py": "from ops.tasks import namespace\n__all__ = ['namespace']\n",
        "inventory.yaml": yaml.safe_dump(inventory({"checks": []})),
        "shop/settings.py": settings,
        "shop/manage.py": MANAGE,
    }
    for app in apps:
        files |= {f"shop/{app}/{name}": "" for name in ("__init__.py", "migrations/__init__.py")}
        files[f"shop/{app}/models.py"] = shape.models[app]
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def edit_models(folder: Path, shape: Shape, more: dict[str, str] | None = None) -> None:
    """Do to the models what the tool tells: another class name, and what ``more`` says."""
    for app in shape.models:
        path = folder / f"shop/{app}/models.py"
        text = re.sub(r"\bLesson\b", "Session", path.read_text())
        for before, after in (more or {}).items():
            text = text.replace(before, after)
        path.write_text(text)


def asked_now(shape: Shape, more: dict[str, str] | None = None) -> list[str]:
    """The shape's queries under the new names."""
    found = []
    for ask in shape.asks:
        for before, after in {**shape.renamed, **(more or {})}.items():
            ask = ask.replace(before, after)
        found.append(re.sub(r"\blessons_lesson(?=_|\b)", "lessons_session", ask))
    return found

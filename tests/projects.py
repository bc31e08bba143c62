"""Writes a small Django project with the incident's story under names of its own, in four variants.

a: create and delete, as ``makemigrations --noinput`` writes it; b: rename; c: copy in full; d: copy half.
"""

from __future__ import annotations

from pathlib import Path

import yaml

# What a masked clone of such a project needs: columns that Django's own tables have, and one of the application's.
DEFANG = {
    "mask": {
        "public.auth_user.username": "name",
        "public.auth_user.first_name": "name",
        "public.auth_user.last_name": "name",
        "public.auth_user.email": "email",
        "public.lessons_teacher.name": "name",
    }
}
SETTINGS = """
import os
from urllib.parse import unquote, urlsplit
url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": unquote(url.path[1:]), "HOST": url.hostname,
    "PORT": url.port, "USER": unquote(url.username), "PASSWORD": unquote(url.password or "")}}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "lessons"]
SECRET_KEY = "only for tests"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
"""

MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""

MODELS = """
from django.db import models
class Teacher(models.Model):
    name = models.CharField(max_length=50)
class Session(models.Model):
    title = models.CharField(max_length=100)
    teacher = models.ForeignKey(Teacher, on_delete=models.CASCADE)
class Booking(models.Model):
    session = models.ForeignKey(Session, null=True, on_delete=models.SET_NULL)
"""

FILL = """
from django.core.management.base import BaseCommand
from django.db import connection
class Command(BaseCommand):
    def handle(self, *args, **options):
        with connection.cursor() as cursor:
            cursor.execute("insert into lessons_teacher(name) select 'Frau ' || n from generate_series(1, 10) n")
            cursor.execute("insert into lessons_lesson(title, teacher_id) select 'Stunde ' || n, 1 + n % 10"
                           " from generate_series(1, 1000) n")
            cursor.execute("insert into lessons_booking(lesson_id) select n from generate_series(1, 1000) n")
"""

CHECK = """
from django.core.management.base import BaseCommand, CommandError
from lessons.models import Booking, Session
class Command(BaseCommand):
    def handle(self, *args, **options):
        if not Session.objects.exists() or Booking.objects.filter(session=None).exists():
            raise CommandError("sessions or their bookings are missing")
"""

INITIAL = """
import django.db.models.deletion
from django.db import migrations, models
class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel("Teacher", [("id", models.BigAutoField(primary_key=True)),
                                           ("name", models.CharField(max_length=50))]),
        migrations.CreateModel("Lesson", [("id", models.BigAutoField(primary_key=True)),
            ("title", models.CharField(max_length=100)),
            ("teacher", models.ForeignKey("lessons.teacher", django.db.models.deletion.CASCADE))]),
        migrations.CreateModel("Booking", [("id", models.BigAutoField(primary_key=True)),
            ("lesson", models.ForeignKey("lessons.lesson", django.db.models.deletion.SET_NULL, null=True))]),
    ]
"""

HEAD = """
import django.db.models.deletion as d
from django.db import migrations, models
class Migration(migrations.Migration):
    dependencies = [("lessons", "0001_initial")]
    operations = [%s]
"""

CREATE = """
        migrations.CreateModel("Session", [("id", models.BigAutoField(primary_key=True)),
            ("title", models.CharField(max_length=100)), ("teacher", models.ForeignKey("lessons.teacher", d.CASCADE))]),
        migrations.AddField("booking", "session", models.ForeignKey("lessons.session", d.SET_NULL, null=True)),"""

COPY = """
        migrations.RunSQL("insert into lessons_session(id, title, teacher_id) select id, title, teacher_id"
                          " from lessons_lesson %s"),
        migrations.RunSQL("update lessons_booking b set session_id = lesson_id"
                          " where exists (select from lessons_session s where s.id = b.lesson_id)"),
        migrations.RunSQL("set constraints all immediate"),"""

SET = """
        migrations.RunSQL("select setval('lessons_session_id_seq', (select max(id) from lessons_session))"),"""

DELETE = """
        migrations.RemoveField("booking", "lesson"), migrations.DeleteModel("Lesson")"""

# The guide's own loop: each copy gets a key of its own, and every link must lead to the right copy.
LOOP = (
    CREATE
    + """
        migrations.RunPython(copy), migrations.RunSQL("set constraints all immediate"),"""
    + DELETE
)

COPY_CODE = """
def copy(apps, schema_editor):
    Lesson, Session = apps.get_model("lessons", "Lesson"), apps.get_model("lessons", "Session")
    copies = {}
    for lesson in Lesson.objects.order_by("-title"):
        copies[lesson.pk] = Session.objects.create(title=lesson.title, teacher=lesson.teacher)
    for booking in apps.get_model("lessons", "Booking").objects.all():
        booking.session = copies[%s]
        booking.save()
"""

VARIANTS = {
    "a": CREATE + DELETE,
    "b": 'migrations.RenameModel("Lesson", "Session"), migrations.RenameField("booking", "lesson", "session")',
    "c": CREATE + COPY % "" + SET + DELETE,
    "d": CREATE + COPY % "where id %% 2 = 0".replace("%%", "%") + DELETE,
    "loop": LOOP,
    "loop-wrong-links": LOOP,
}


def migration(variant: str) -> str:
    """The source of the pending migration."""
    code = {
        "loop": COPY_CODE % "booking.lesson_id",
        "loop-wrong-links": COPY_CODE % "booking.lesson_id if booking.lesson_id > 500 else booking.lesson_id % 500 + 1",
    }.get(variant, "")
    return (HEAD % VARIANTS.get(variant, variant)).replace("class Migration", code + "class Migration")


def write_project(folder: Path, variant: str, target: dict[str, object]) -> None:
    """Write ``shop/`` (the application), ``inventory.yaml`` and a ``tasks.py`` of two lines into a folder.

    Args:
        variant: ``a``, ``b``, ``c`` or ``d``, or the operations of a migration as source.
        target: further keys of the production target.
    """
    app = folder / "shop" / "lessons"
    files = {
        folder / "tasks.py": "from ops.tasks import namespace\n__all__ = ['namespace']\n",
        folder / "inventory.yaml": yaml.safe_dump(inventory(target)),
        folder / "shop/settings.py": SETTINGS,
        folder / "shop/manage.py": MANAGE,
        app / "__init__.py": "",
        app / "models.py": MODELS,
        app / "migrations/__init__.py": "",
        app / "migrations/0001_initial.py": INITIAL,
        app / "migrations/0002_session.py": migration(variant),
        app / "management/__init__.py": "",
        app / "management/commands/__init__.py": "",
        app / "management/commands/fill.py": FILL,
        app / "management/commands/check_lessons_data.py": CHECK,
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def inventory(target: dict[str, object]) -> dict[str, object]:
    """The inventory of such a project."""
    production = {
        "database": "env:DATABASE_URL",
        "app": {"dir": "shop", "manage": ["python", "manage.py"]},
        "test": "shop-test",
        "checks": [["check_lessons_data"]],
        **target,
    }
    return {
        "all": {
            "vars": {"store": "backups"},
            "children": {
                "production": {"hosts": {"shop": production}},
                "test": {"hosts": {"shop-test": {"database": "env:TEST_DATABASE_URL"}}},
            },
        }
    }

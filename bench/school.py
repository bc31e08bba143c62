"""A music school of any size for the benches: a Django project of four large tables with keys and indexes, and a
pending RenameField. With ``tables``, there are that many small tables beside them."""

from __future__ import annotations

from pathlib import Path

from tests.projects import write_project

MODELS = """
from django.db import models
class Student(models.Model):
    name = models.CharField(max_length=80)
    email = models.CharField(max_length=80, unique=True)
    born = models.DateField(null=True)
class Lesson(models.Model):
    student = models.ForeignKey(Student, on_delete=models.CASCADE)
    token = models.UUIDField()
    title = models.CharField(max_length=100)
    remarks = models.TextField(blank=True)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    paid = models.BooleanField(default=False)
    begins = models.DateTimeField(db_index=True)
    extra = models.JSONField(default=dict)
class Booking(models.Model):
    lesson = models.ForeignKey(Lesson, on_delete=models.CASCADE)
    student = models.ForeignKey(Student, on_delete=models.CASCADE)
    booked = models.DateTimeField()
    attended = models.BooleanField(null=True)
class Visit(models.Model):
    session = models.IntegerField(db_index=True)
    path = models.CharField(max_length=50)
    status = models.IntegerField()
    hash = models.CharField(max_length=32)
    address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField(db_index=True)
"""
INITIAL = """
import django.db.models.deletion as d
from django.db import migrations, models
KEY = ("id", models.BigAutoField(primary_key=True))
class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Student", [KEY, ("name", models.CharField(max_length=80)),
            ("email", models.CharField(max_length=80, unique=True)), ("born", models.DateField(null=True))]),
        migrations.CreateModel("Lesson", [KEY, ("student", models.ForeignKey("lessons.student", d.CASCADE)),
            ("token", models.UUIDField()), ("title", models.CharField(max_length=100)),
            ("notes", models.TextField(blank=True)), ("price", models.DecimalField(max_digits=10, decimal_places=2)),
            ("paid", models.BooleanField(default=False)), ("begins", models.DateTimeField(db_index=True)),
            ("extra", models.JSONField(default=dict))]),
        migrations.CreateModel("Booking", [KEY, ("lesson", models.ForeignKey("lessons.lesson", d.CASCADE)),
            ("student", models.ForeignKey("lessons.student", d.CASCADE)), ("booked", models.DateTimeField()),
            ("attended", models.BooleanField(null=True))]),
        migrations.CreateModel("Visit", [KEY, ("session", models.IntegerField(db_index=True)),
            ("path", models.CharField(max_length=50)), ("status", models.IntegerField()),
            ("hash", models.CharField(max_length=32)), ("address", models.GenericIPAddressField(null=True)),
            ("at", models.DateTimeField(db_index=True))]),
    ]
"""
PENDING = 'migrations.RenameField("lesson", "notes", "remarks")'
CHECK = """
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
class Command(BaseCommand):
    def handle(self, *args, **options):
        for model in apps.get_app_config("lessons").get_models():
            if not model.objects.count():
                raise CommandError(f"{model._meta.db_table} is empty")
"""
# Foreign keys hold by construction, and are not checked row by row.
FILL = """
SET session_replication_role = replica;
INSERT INTO lessons_student SELECT n, 'Student ' || md5(n::text), 'student' || n || '@example.org',
  CASE WHEN n % 7 > 0 THEN date '1950-01-01' + n % 20000 END FROM generate_series(1, {unit}) n;
INSERT INTO lessons_lesson SELECT n, 1 + n * 7919::bigint % {unit}, md5(n::text)::uuid, 'Lesson number ' || n,
  CASE WHEN n % 3 = 0 THEN repeat('scales in e flat ', n % 60) ELSE '' END, ((n % 100000) / 100.0)::numeric(10, 2),
  n % 2 = 0, timestamptz '2016-01-01' + n * interval '2 min',
  jsonb_build_object('room', n % 40, 'tags', ARRAY[n % 7, n % 11], 'by', md5((n % 999)::text))
  FROM generate_series(1, 3 * {unit}) n;
INSERT INTO lessons_booking SELECT n, 1 + n * 6101::bigint % (3 * {unit}), 1 + n * 3571::bigint % {unit},
  timestamptz '2016-01-01' + n * interval '90 s', (ARRAY[true, false, NULL])[1 + n % 3]
  FROM generate_series(1, 4 * {unit}) n;
INSERT INTO lessons_visit SELECT n, n % 50000, '/page/' || n % 300, 200 + n % 5, md5(n::text),
  inet '10.0.0.0' + n % 65536, timestamptz '2026-01-01' + n * interval '1 s' FROM generate_series(1, 3 * {unit}) n;
SELECT setval(pg_get_serial_sequence(t, 'id'), {unit} * m) FROM (VALUES ('lessons_student', 1), ('lessons_lesson', 3),
  ('lessons_booking', 4), ('lessons_visit', 3)) of (t, m);
SET session_replication_role = origin;
"""
# Every so many in each thousand, all over the table.
CHANGE = "UPDATE lessons_lesson SET paid = NOT paid, price = price + 1 WHERE id * 7919 %% 1000 < %(thousandths)s"


def write_school(folder: Path) -> None:
    """Write the project, with an inventory that always freezes production for a release."""
    write_project(folder, PENDING, {"freeze": "always"})
    app = folder / "shop" / "lessons"
    (app / "models.py").write_text(MODELS)
    (app / "migrations/0001_initial.py").write_text(INITIAL)
    (app / "management/commands/check_lessons_data.py").write_text(CHECK)


def fill(rows: int) -> str:
    """Return the SQL that fills the four tables with so many rows in all."""
    return FILL.format(unit=max(rows // 11, 1))

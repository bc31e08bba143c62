"""Step 4 of 4: delete Lesson, but only when lessons and sessions are equal and every booking is linked."""

import django.db.models.deletion
from django.db import migrations, models

from lessons.copy_sql import copy_rows, rows_not_copied

# The lock keeps the OLD release from changing a lesson between the guard's look and the deletion.
GUARD = f"""
    LOCK TABLE lessons_lesson, lessons_session, lessons_booking IN ACCESS EXCLUSIVE MODE;
    DO $guard$
    DECLARE
        lessons bigint := (SELECT count(*) FROM ({rows_not_copied("lessons_lesson", "lessons_session")}) AS missing);
        sessions bigint := (SELECT count(*) FROM ({rows_not_copied("lessons_session", "lessons_lesson")}) AS surplus);
        bookings bigint := (SELECT count(*) FROM lessons_booking WHERE session_id IS DISTINCT FROM lesson_id);
    BEGIN
        IF lessons + sessions + bookings > 0 THEN
            RAISE EXCEPTION 'Lesson is not deleted: without a match are % lessons, % sessions, % bookings',
                lessons, sessions, bookings
                USING HINT = 'Copy again: python ../manage.py migrate lessons 0002, then migrate.';
        END IF;
    END
    $guard$;
"""


class Migration(migrations.Migration):
    """Reversible: backwards it rebuilds Lesson from Session and links the bookings before their column is NOT NULL."""

    dependencies = [("lessons", "0004_point_bookings_to_sessions")]

    operations = [
        # Nothing to take back: the guard only looks.
        migrations.RunSQL(GUARD, reverse_sql=migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="booking",
            name="session",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="lessons.session"),
        ),
        # Only for the way back: the column returns nullable, is filled, and is NOT NULL after that.
        migrations.AlterField(
            model_name="booking",
            name="lesson",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to="lessons.lesson"),
        ),
        migrations.RunSQL(
            migrations.RunSQL.noop,
            reverse_sql="UPDATE lessons_booking SET lesson_id = session_id",
        ),
        migrations.RemoveField(model_name="booking", name="lesson"),
        migrations.RunSQL(
            migrations.RunSQL.noop,
            reverse_sql=copy_rows("lessons_session", "lessons_lesson"),
        ),
        migrations.DeleteModel(name="Lesson"),
    ]

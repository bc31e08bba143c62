"""Step 3 of 4: give every booking the session with its lesson's id; booking.lesson stays for now.

The new column is nullable until step 4, so that the OLD release, which does not know it, can still book.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible: booking.lesson still holds every link."""

    dependencies = [("lessons", "0003_copy_lessons_to_sessions")]

    operations = [
        migrations.AddField(
            model_name="booking",
            name="session",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to="lessons.session"),
        ),
        migrations.RunSQL(
            "UPDATE lessons_booking SET session_id = lesson_id",
            # Nothing to take back: the column goes away with the reverse of AddField.
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]

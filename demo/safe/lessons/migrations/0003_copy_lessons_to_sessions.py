"""Step 2 of 4: copy every lesson to a session with the same id, in one statement."""

from django.db import migrations

from lessons.copy_sql import copy_rows


class Migration(migrations.Migration):
    """Reversible: before step 4 no release writes sessions, so all of them are copies and can be made again."""

    dependencies = [("lessons", "0002_create_session")]

    operations = [
        migrations.RunSQL(copy_rows("lessons_lesson", "lessons_session"), reverse_sql="DELETE FROM lessons_session"),
    ]

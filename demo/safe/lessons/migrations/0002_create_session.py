"""Step 1 of 4: create Session beside Lesson.

Steps 1 to 3 only add to the database, so the OLD release still reads and books lessons while they run. It cannot
delete a contract whose sessions it does not know: the database refuses that, and nothing is lost.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible: dropping the new table loses nothing, as all lessons are still in the old one."""

    dependencies = [("lessons", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Session",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("date", models.DateField()),
                ("start_time", models.TimeField()),
                ("duration_minutes", models.PositiveSmallIntegerField()),
                ("room", models.CharField(max_length=50)),
                ("notes", models.TextField(blank=True)),
                ("price", models.DecimalField(decimal_places=2, max_digits=8)),
                ("contract", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="lessons.contract")),
            ],
        ),
    ]

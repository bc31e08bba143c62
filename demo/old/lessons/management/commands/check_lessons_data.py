"""`python ../manage.py check_lessons_data`: is the data still there after a migration?"""

from school.data_check import DataCheckCommand


class Command(DataCheckCommand):
    """The check for this release's model."""

    model_name = "lesson"

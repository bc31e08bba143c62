"""The logic of `check_lessons_data`, for a model named Lesson (old release) or Session (new releases)."""

from typing import Any, ClassVar

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError


def count_rows(model_name: str) -> dict[str, int]:
    """Return the numbers of the report by their label, in the order in which they are printed."""
    contracts = apps.get_model("lessons", "Contract").objects
    bookings = apps.get_model("lessons", "Booking").objects
    missing = {f"{model_name}__isnull": True}
    return {
        "contracts": contracts.count(),
        f"{model_name}s": apps.get_model("lessons", model_name).objects.count(),
        "bookings": bookings.count(),
        f"contracts without any {model_name}": contracts.filter(**missing).count(),
        f"bookings without a {model_name}": bookings.filter(**missing).count(),
    }


def find_problems(counts: dict[str, int], model_name: str) -> list[str]:
    """Return one line for each thing that no healthy music school has."""
    problems = [f"{count} {label}" for label, count in counts.items() if " without " in label and count]
    if counts["contracts"] and not counts[f"{model_name}s"]:
        problems.insert(0, f"no {model_name}s at all")
    return problems


class DataCheckCommand(BaseCommand):
    """Print a few counts and exit with 1 if lessons are missing; each release names its model."""

    model_name: ClassVar[str]
    help = "Check that contracts and bookings still have their lessons (exit 1: data is missing)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the counts, then the verdict in the last line."""
        try:
            counts = count_rows(self.model_name)
        except ProgrammingError as error:
            reason = str(error).splitlines()[0]
            raise CommandError(f"FAILED: this release does not fit the database: {reason}") from error
        for label, count in counts.items():
            self.stdout.write(f"{count:>8,}  {label}")
        problems = find_problems(counts, self.model_name)
        if problems:
            raise CommandError("FAILED: " + "; ".join(problems))
        self.stdout.write("OK: no data is missing." if counts["contracts"] else "OK, but there are no contracts yet.")

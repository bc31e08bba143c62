"""What a failure of ``manage.py`` means: whether the same call fails again, and whether the history is at fault."""

from __future__ import annotations

import pytest

from ops.application.manage import fails_again, of_migrations
from ops.application.probe import unfit

FITS = {"conflicts": {}, "unknown": [], "skipped": {}, "inconsistent": ""}
CHAINED = """Traceback (most recent call last):
  File "x.py", line 1, in execute
psycopg.errors.UniqueViolation: duplicate key value violates unique constraint "x"
DETAIL:  Key (a)=(1) already exists.

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "manage.py", line 4, in <module>
django.db.utils.{0}: could not create unique index "x"
DETAIL:  Key (a)=(1) is duplicated.
"""


def ended_by(error: str) -> str:
    return f"Traceback (most recent call last):\n  File 'm.py', line 4, in <module>\n{error}\n"


@pytest.mark.parametrize(
    ("errors", "again"),
    [
        (CHAINED.format("IntegrityError"), True),
        (CHAINED.format("OperationalError"), False),
        (ended_by("django.db.utils.OperationalError: canceling statement due to lock timeout"), False),
        (ended_by("django.db.utils.ProgrammingError: relation \"x\" does not exist"), True),
        (ended_by("KeyError: 'x'"), True),
        (ended_by("AssertionError"), True),
        (ended_by("OSError: [Errno 28] No space left on device"), False),
        ("psql: error: connection refused", False),
        ("", False),
    ],
)
def test_what_comes_of_code_or_data_fails_again(errors: str, again: bool) -> None:
    assert fails_again(errors) is again


def test_a_broken_history_is_not_an_application_that_does_not_start() -> None:
    name = "django.db.migrations.exceptions.InconsistentMigrationHistory"
    assert of_migrations(ended_by(f"{name}: Migration a.0002 is applied before its dependency a.0001"))
    assert not of_migrations(ended_by("ModuleNotFoundError: No module named 'shop'"))


def test_what_does_not_fit_is_said_with_what_to_do() -> None:
    assert unfit(FITS, "manage.py") is None
    said = "InconsistentMigrationHistory: Migration a.0002 is applied before its dependency a.0001."
    words, hint = unfit({**FITS, "inconsistent": said}, "manage.py") or ("", "")
    assert "are inconsistent: Migration a.0002 is applied before" in words and "manage.py showmigrations" in hint
    words, hint = unfit({**FITS, "skipped": {"a.0001_all": ["a.0003_more"]}}, "manage.py") or ("", "")
    assert "a.0001_all was never applied" in words and "a.0003_more" in words and "restore the files of" in hint

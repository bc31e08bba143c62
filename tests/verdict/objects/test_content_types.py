"""Which model a content type meant before the release: as production's rows say."""

from __future__ import annotations

import pytest

from ops.application.operations import Application
from ops.verdict.fingerprint import Fingerprint, Table
from ops.verdict.objects.content_types import Types, models_of


@pytest.mark.parametrize(
    ("table", "said", "types", "meant"),
    [
        ("lessons_teacher", {"lessons.teacher": "lessons_teacher"}, ["lessons.teacher"], "lessons.teacher"),
        ("lessons_teacher", {"crm.teacher": "lessons_teacher"}, ["lessons.teacher"], "lessons.teacher"),
        ("people", {"crm.teacher": "people"}, ["lessons.teacher"], "lessons.teacher"),
        ("people", {"crm.teacher": "people"}, ["lessons.teacher", "old.teacher"], "crm.teacher"),
        ("lessons_teacher", {}, ["lessons.teacher"], "lessons.teacher"),
        ("a_b_c", {}, ["a_b.c"], "a_b.c"),
        ("a_b_c", {}, [], None),
    ],
    ids=[
        "as told",
        "an edited past",
        "db_table and an edited past",
        "which is not sure",
        "not told",
        "two ways",
        "none",
    ],
)
def test_the_past_is_what_production_s_rows_say(table: str, said: dict[str, str], types: list[str], meant: str) -> None:
    before = Fingerprint({f"public.{table}": Table(f"public.{table}", 1, 1, ())})
    plan = Application(models_before=said, models_after={"crm.teacher": table})
    found = models_of(plan, Types(dict(enumerate(types))), before)
    assert {its: label for label, its in found.items()}.get(table) == meant

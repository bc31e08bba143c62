"""A release with Django's own operations: each lesson becomes a part of the one booking that led to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Project

pytestmark = pytest.mark.slow

JOIN = """
migrations.AddField("booking", "title", models.CharField(max_length=100, null=True)),
migrations.AddField("booking", "teacher", models.ForeignKey("lessons.teacher", d.CASCADE, null=True)),
migrations.RunSQL("update lessons_booking b set (title, teacher_id) = (select l.title, l.teacher_id "
                  "from lessons_lesson l where l.id = {0})"),
migrations.RunSQL("set constraints all immediate"),
migrations.RemoveField("booking", "lesson"), migrations.DeleteModel("Lesson")"""


def test_one_to_one_rows_are_joined(project: Callable[..., Project]) -> None:
    shop = project(JOIN.format("b.lesson_id"), checks=[])
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    (lesson,) = [t for t in done.outcome["verdict"]["tables"] if t["table"] == "public.lessons_lesson"]
    assert (lesson["verdict"], lesson["to"]) == ("moved", "public.lessons_booking")


def test_rows_joined_by_the_wrong_number_are_refused(project: Callable[..., Project]) -> None:
    shop = project(JOIN.format("case when b.lesson_id in (7, 8) then 15 - b.lesson_id else b.lesson_id end"), checks=[])
    before = shop.fingerprint()
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 5, done.out + done.err
    assert "2 values of public.lessons_lesson.title have changed" in done.outcome["reason"]
    assert "RenameModel" not in done.outcome["hint"]
    assert shop.fingerprint() == before

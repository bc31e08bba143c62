"""Which earlier code reads what an operation drops."""

from __future__ import annotations

from typing import Any

import pytest

from ops.application.operations import Application, Field, Names, Operation
from ops.release.hazards.data_loss import remove_after_copy, remove_without_copy
from ops.release.hazards.rule import Place


class Counts:
    """A production in which each table has rows, and each column values."""

    def rows(self, table: str) -> int:
        return 40

    def filled(self, table: str, column: str) -> int:
        return 40


LINKS = Operation(
    migration="school.0002", index=1, kind="RemoveField", app="school", acts_as="RemoveField", model="course",
    model_name="Course", table="school_course_teachers", field="teachers",
    before=Field(name="teachers", kind="ManyToManyField", many=True, remote="school_teacher"),
)  # fmt: skip
TITLE = Operation(
    migration="school.0002", index=1, kind="RemoveField", app="school", acts_as="RemoveField", model="course",
    model_name="Course", table="school_course", field="title", column="title",
    before=Field(name="title", kind="CharField", column="title", type="varchar(9)"),
)  # fmt: skip
READS = [
    (LINKS, "RunSQL", "INSERT INTO school_post SELECT course_id, teacher_id FROM school_course_teachers", True),
    (LINKS, "RunSQL", 'INSERT INTO school_post SELECT c.course_id FROM "school_course_teachers" c', True),
    (LINKS, "RunPython", "apps.get_model('school', 'Course_teachers').objects.all()", True),
    (LINKS, "RunPython", "for c in apps.get_model('school', 'Course').objects.all(): c.teachers.all()", True),
    (LINKS, "RunPython", "for t in apps.get_model('school', 'Teacher').objects.all(): t.course_set.all()", True),
    (LINKS, "RunSQL", "UPDATE school_course SET title = 'of the teachers'", False),
    (LINKS, "RunPython", "apps.get_model('school', 'Course').objects.update(title='x')", False),
    (LINKS, "RunPython", "apps.get_model('school', 'Room').objects.update(teachers=2)", False),
    (TITLE, "RunSQL", "INSERT INTO school_old SELECT * FROM school_course", True),
    (TITLE, "RunSQL", "INSERT INTO school_old SELECT c.* FROM school_course c", True),
    (TITLE, "RunPython", "for row in apps.get_model('school', 'Course').objects.values(): Old(**row).save()", True),
    (TITLE, "RunSQL", "INSERT INTO school_old SELECT title FROM school_course", True),
    (TITLE, "RunSQL", "SELECT count(*), 2 * id FROM school_course", False),
    (TITLE, "RunSQL", "INSERT INTO school_old SELECT * FROM school_room", False),
]


@pytest.mark.parametrize(("removed", "kind", "code", "reads"), READS)
def test_code_that_names_what_is_dropped_may_read_it(removed: Operation, kind: str, code: str, reads: bool) -> None:
    earlier = Operation(migration="school.0002", index=0, kind=kind, opaque=True, code=code)
    production: Any = Counts()
    place = Place(removed, Names(), Application(operations=(earlier, removed)), production, (earlier,), ())
    assert (list(remove_after_copy(place)), list(remove_without_copy(place))) != ([], [])
    assert bool(list(remove_after_copy(place))) is reads
    assert bool(list(remove_without_copy(place))) is not reads

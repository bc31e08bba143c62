"""What is told of a wrong release, beside its numbers."""

from __future__ import annotations

import pytest

from ops.application.operations import Application, Link
from ops.release.measuring.attribution import better, name_operations
from ops.verdict.explain import as_declared, explain, sentences
from ops.verdict.model import ColumnVerdict, TableVerdict, Verdict
from tests.releases import harness
from tests.releases.case import bad, fine, op
from tests.releases.counts import LINKS
from tests.releases.crossed import NAME, PERSON
from tests.releases.generic import COMMENTS
from tests.releases.harness import Releases, known
from tests.releases.merges import HELPER, HELPERS, SECOND

CROSSED = NAME.format("first", "last", "last, first")
EMPTY, OTHER = "referenced no row before", "reference other rows"


@pytest.mark.parametrize(
    ("migration", "changed", "note"),
    [
        ("UPDATE lesson SET room_id = 1 WHERE room_id IS NULL", 6, f"they {EMPTY}"),
        ("UPDATE lesson SET room_id = 1 WHERE id IN (3, 7)", 2, f"1 of them {EMPTY}, and the others {OTHER}"),
        ("UPDATE lesson SET room_id = 1 WHERE id = 7", 1, f"they {OTHER}"),
    ],
)
def test_a_link_that_was_null_led_to_no_other_row(
    migration: str, changed: int, note: str, releases: Releases
) -> None:
    (lesson,) = releases.verdict(bad("told", migration, "links", None, schema=LINKS)).refused
    (room,) = [column for column in lesson.columns if column.changed]
    assert (room.column, room.changed, room.note) == ("room_id", changed, note)


def test_a_parent_of_other_models_is_not_to_be_renamed() -> None:
    plan = known([op("CreateModel", "eatery"), op("DeleteModel", "place")])
    gone = plan.operations[1].model_copy(update={"model_name": "Place", "app": "school"})
    links = [Link(table, "place_ptr_id", "place", "id", True) for table in ("restaurant", "shop")]
    plan = Application(
        operations=(plan.operations[0], gone),
        links_before=tuple(links),
        models_before={"school.restaurant": "restaurant", "school.shop": "shop"},
    )
    verdict = Verdict([TableVerdict("public.place", "lost", 60, 0, lost=60)])
    name_operations(verdict, plan)
    said = better(verdict, plan)
    assert "into each model that inherits from it (school.restaurant, school.shop)" in said
    assert "write migrations.RenameModel" not in said


def test_crossed_columns_are_named(releases: Releases) -> None:
    (person,) = releases.verdict(bad("told", CROSSED, "crossed", None, schema=PERSON)).refused
    assert sentences(person) == [
        f"29 values of public.person.{name} are missing in public.name.{name}: public.name.{other} has them"
        for name, other in (("first", "last"), ("last", "first"))
    ]


def test_a_model_and_a_field_that_nothing_succeeds_are_to_be_left_out() -> None:
    gone = known([op("DeleteModel", "legacy"), op("RemoveField", "person", "note")])
    models = {"model_name": "Legacy", "app": "crm"}, {"model_name": "Person", "app": "crm"}
    plan = Application(
        operations=tuple(o.model_copy(update=m) for o, m in zip(gone.operations, models, strict=True))
    )
    person = TableVerdict("public.person", "lost", 5, 5, columns=[ColumnVerdict("note", "lost", lost=4)])
    legacy = TableVerdict("public.legacy", "lost", 3, 0, lost=3)
    assert better(Verdict([person]), plan) == (
        "copy the lost data before RemoveField crm.Person, or write migrations.RenameField in its place"
    )
    assert better(Verdict([legacy, person]), plan) == (
        "copy the lost data before DeleteModel crm.Legacy, RemoveField crm.Person, "
        "or write migrations.RenameModel in its place"
    )


COMMENTED = """
CREATE TABLE django_content_type (id int PRIMARY KEY, app_label text, model text);
INSERT INTO django_content_type VALUES (1, 'school', 'lesson'), (2, 'school', 'teacher');
CREATE TABLE comment (id int PRIMARY KEY, content_type_id int REFERENCES django_content_type, object_id int);
INSERT INTO comment SELECT n, 1 + n % 2, 1 + n % 30 FROM generate_series(1, 40) n;
"""


def test_links_to_a_model_into_which_pairs_are_merged_are_unchanged(
    releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {f"school.{name}": name for name in ("lesson", "teacher", "comment")}
    plan = known([op("RunSQL", code=HELPER)])
    plan = plan.model_copy(update={"models_before": models, "models_after": models})
    monkeypatch.setattr(harness, "known", lambda _: plan)
    case = fine("told", HELPER.format("h.teacher_id", ""), "merged", schema=HELPERS + COMMENTED, plan=[])
    assert releases.verdict(case).refused == []
    two = HELPERS + COMMENTED + SECOND
    case = bad("told", HELPER.format("min(h.teacher_id)", ""), "merged", None, schema=two, plan=[])
    (table,) = releases.verdict(case).refused
    assert (table.table, table.lost, table.lost_values) == ("public.lesson_helpers", 2, 0)


def test_the_code_that_changed_values_is_named_and_not_the_removal_beside_it() -> None:
    code = {"code": "UPDATE person SET note = upper(note)"}
    plan = known([op("RunSQL", **code), op("RemoveField", "person", "note")])
    columns = [ColumnVerdict("note", "changed", changed=4)]
    changed = TableVerdict("public.person", "changed", 5, 5, changed=4, columns=columns)
    lost = TableVerdict("public.person", "lost", 5, 5, columns=[ColumnVerdict("note", "lost", lost=4)])
    name_operations(Verdict([changed]), plan)
    name_operations(Verdict([lost]), plan)
    assert (changed.by, changed.columns[0].by) == ("school.0002_next: RunSQL", "school.0002_next: RunSQL")
    assert lost.columns[0].by == "school.0002_next: RemoveField"
    assert explain("shop", Verdict([changed]))[1] == "correct school.0002_next: RunSQL"


def test_pairs_that_are_lost_are_to_be_copied_before_their_field_is_removed() -> None:
    many = {"name": "helpers", "kind": "ManyToManyField", "many": True, "remote": "teacher"}
    gone = known([op("RunSQL", code="SELECT FROM lesson_helpers"), op("RemoveField", "lesson_helpers", before=many)])
    words = {"model_name": "Lesson", "app": "school", "field": "helpers"}
    plan = Application(operations=(gone.operations[0], gone.operations[1].model_copy(update=words)))
    pairs = TableVerdict("public.lesson_helpers", "lost", 42, 60, "public.lesson", lost=2)
    assert better(Verdict([pairs]), plan) == "copy the lost data before RemoveField school.Lesson.helpers"


def test_rows_that_go_are_not_looked_for_in_what_django_fills_itself(releases: Releases) -> None:
    schema = COMMENTS + """CREATE TABLE school_bin (id int PRIMARY KEY, name varchar(255) NOT NULL, price int);
        INSERT INTO school_bin SELECT n, 'B' || n, n FROM generate_series(1, 4) n;"""
    migration = """DROP TABLE school_bin; INSERT INTO auth_permission (name, content_type_id, codename)
        SELECT 'Can ' || n, 3, 'c' || n FROM generate_series(1, 40) n;"""
    (table,) = releases.verdict(bad("told", migration, "gone", None, schema=schema)).refused
    assert sentences(table) == [
        "4 of 4 rows of public.school_bin are lost (for example 1, 2, 3, 4): "
        "the table is dropped, and no other table has these rows"
    ]


def test_what_is_declared_is_counted() -> None:
    columns = [ColumnVerdict("email", "declared", changed=7), ColumnVerdict("fax", "declared", lost=1)]
    person = TableVerdict("public.person", "declared", 9, 9, changed=7, columns=columns)
    assert as_declared(person) == ["public.person.email (7 values changed)", "public.person.fax (1 value lost)"]
    assert as_declared(TableVerdict("public.bin", "declared", 9, 0, lost=9)) == ["public.bin (9 rows lost)"]

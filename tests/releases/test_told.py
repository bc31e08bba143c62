"""What is told of a wrong release, beside its numbers."""

from __future__ import annotations

import pytest

from ops.application.operations import Application, Link
from ops.release.measuring.attribution import better, name_operations
from ops.verdict.explain import as_declared, sentences
from ops.verdict.model import ColumnVerdict, TableVerdict, Verdict
from tests.releases.case import bad, op
from tests.releases.counts import LINKS
from tests.releases.crossed import NAME, PERSON
from tests.releases.generic import COMMENTS
from tests.releases.harness import Releases, known

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
    assert better(Verdict([person]), plan).endswith("or, if only the name changed, write migrations.RenameField")
    assert better(Verdict([legacy, person]), plan) == (
        "copy the lost data before DeleteModel crm.Legacy, RemoveField crm.Person, or remove that operation; "
        "or, if only the name changed, write migrations.RenameModel"
    )


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

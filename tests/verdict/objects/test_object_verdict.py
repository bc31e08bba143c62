"""What is no table: what hung on tables, sequences and large objects before and after, and what is declared of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.core.errors import InventoryError
from ops.verdict.expect.expectations import load
from ops.verdict.expect.expectations_draft import draft, text
from ops.verdict.expect.expectations_match import Declared, declare
from ops.verdict.explain import explain
from ops.verdict.model import ObjectVerdict, Verdict
from ops.verdict.objects.database_objects import Catalog, Counter, Hanging, lost_objects
from ops.verdict.objects.dependent_objects import Went, compared
from ops.verdict.objects.object_verdict import judge_objects

PENDING = ["lessons.0007_drop"]
ONE, TWO = "public.one", "public.two"


def catalog(*hanging: Hanging, table: str = ONE, oid: int = 1, **more: object) -> Catalog:
    return Catalog({table: hanging}, {table: oid}, {table}, **more)  # type: ignore[arg-type]


def counters(*found: Counter, lagging: tuple[tuple[str, str], ...] = ()) -> Catalog:
    return Catalog(counters={one.name: one for one in found}, lagging=set(lagging))


def test_what_hung_on_a_table_is_found_by_name_or_by_definition_and_once() -> None:
    audit, other = Hanging("trigger", "audit", "f 7 O"), Hanging("trigger", "log", "f 7 O")
    disabled = Hanging("trigger", "audit", "f 7 D")
    assert compared([audit], [audit], {}) == ([], [])
    assert compared([audit], [other], {}) == ([], []), "the same under another name"
    assert compared([audit, other], [other], {}) == ([audit], [])
    assert compared([audit], [disabled], {}) == ([], [disabled]), "it is there, and disabled"


def policy(using: str) -> Hanging:
    return Hanging("policy", "mine", f"r t USING {using}")


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("((title)::text <> 'x'::text)", "(title <> 'x'::text)", True),
        ("(lesson_id > 0)", "(session_id > 0)", True),
        ("(lesson_id > 0)", "(teacher_id > 0)", False),
        ("(EXISTS ( SELECT 1 FROM one WHERE (one.id = 3)))", "(EXISTS ( SELECT 1 FROM two WHERE (two.id = 3)))", True),
        ("(a OR (b AND c))", "((a OR b) AND c)", False),
        ("(title <> 'x'::text)", "(title <> 'y'::text)", False),
        ("(f(a) AND b)", "(f(b) AND b)", False),
    ],
)
def test_definitions_are_the_same_but_for_what_was_renamed_and_for_casts(before: str, after: str, same: bool) -> None:
    names = {"lesson_id": "session_id", "one": "two"}
    changed = [] if same else [policy(after)]
    assert compared([policy(before)], [policy(after)], names) == ([], changed)


def test_what_a_library_or_the_code_itself_does_to_a_table_that_stays_is_told() -> None:
    went, old, new = {ONE: Went((ONE,))}, catalog(policy("(a)")), catalog()
    silent = judge_objects(went, old, new, Catalog())
    meant = judge_objects(went, old, new, Catalog(), lambda kind, name: (kind, name) == ("policy", "mine"))
    assert [(one.what, one.lost, one.against) for one in silent] == [(f"policies on {ONE}", 1, True)]
    assert [(one.lost, one.against) for one in meant] == [(1, False)]


def test_large_objects_are_counted_by_number_and_content() -> None:
    before = [(1, "a", 5), (2, "b", 5), (3, "c", 5), (5, "e", 5)]
    after = [(2, "b", 5), (3, "x", 5), (4, "d", 5)]
    assert lost_objects(iter(before), iter(after)) == (4, 2, 1)


def test_what_a_table_that_stays_the_same_loses_is_no_loss_of_a_copy() -> None:
    grant = Hanging("grant", "SELECT to reader")
    went = {ONE: Went((ONE,))}
    assert judge_objects(went, catalog(grant), catalog(), catalog(grant)) == []
    anew = judge_objects(went, catalog(grant), catalog(oid=2), catalog(grant))
    assert [(one.what, one.lost) for one in anew] == [(f"grants on {ONE}", 1)]
    assert anew[0].fix == f'GRANT SELECT ON {ONE} TO "reader"'


def test_what_new_tables_are_granted_by_default_is_not_missing() -> None:
    grant = Hanging("grant", "SELECT to reader")
    production = catalog(grant, defaults={"public": frozenset({"SELECT to reader"})})
    assert judge_objects({ONE: Went((TWO,))}, catalog(), catalog(table=TWO, oid=2), production) == []


def test_a_sequence_that_somebody_uses_may_go_back_as_far_as_its_keys_allow() -> None:
    used = Counter("public.s", 9, columns=((ONE, "id", True),), last=50)
    back = judge_objects({}, counters(used), counters(Counter("public.s", 9, columns=used.columns, last=40)), Catalog())
    assert [one.against for one in back] == [False]
    own = Counter("public.s", 9, last=50)
    back = judge_objects({}, counters(own), counters(Counter("public.t", 9, last=40)), Catalog())
    assert [(one.against, one.fix) for one in back] == [(True, "SELECT setval('public.t', 50)")]


@pytest.mark.parametrize(("step", "statement"), [(1, "START WITH 51"), (-2, "INCREMENT BY -2 START WITH 48")])
def test_a_sequence_that_is_gone_is_made_anew_by_one_statement(step: int, statement: str) -> None:
    (gone,) = judge_objects({}, counters(Counter("public.s", 9, step, last=50)), Catalog(), Catalog())
    assert (gone.against, gone.fix) == (True, f"CREATE SEQUENCE public.s {statement}")


def test_a_sequence_that_was_behind_before_is_not_this_release_s() -> None:
    used = Counter("public.s", 9, columns=((ONE, "id", True),), last=50)
    late = counters(used, lagging=((ONE, "id"),))
    assert judge_objects({}, late, late, Catalog()) == []
    found = judge_objects({}, counters(used), late, Catalog())
    assert [(one.verdict, one.declarable) for one in found] == [("behind", False)]


def test_a_key_without_a_sequence_where_there_was_one_is_told() -> None:
    old, went = counters(Counter("public.s", 9, columns=((ONE, "id", True),))), {ONE: Went((TWO,), {"id": "id"})}
    found = judge_objects(went, old, Catalog(), Catalog())
    assert [one.what for one in found if one.against] == [f'column {TWO}."id"']
    assert not any(one.against for one in judge_objects({}, old, Catalog(), Catalog())), "its table went, too"


def held(folder: Path, content: str, *objects: ObjectVerdict) -> Declared:
    path = folder / "migrations.expect.yaml"
    path.write_text(content)
    return declare(Verdict([], objects=list(objects)), load(path, "migrations.expect.yaml"), PENDING, PENDING)


def lost(count: int) -> ObjectVerdict:
    return ObjectVerdict("large objects", "lost", before=60, lost=count)


def test_declared_objects_may_be_lost_and_no_more(tmp_path: Path) -> None:
    written = "lessons.0007_drop: [{object: large objects, lost: 50, why: agreed}]"
    found = lost(50)
    fine = held(tmp_path, written, found)
    assert (fine.objections, fine.left.against, found.verdict) == ([], [], "declared")
    more = held(tmp_path, written, lost(51))
    assert more.objections == ["migrations.expect.yaml:1: large objects: 51 lost, at most 50 are declared: 1 too many"]
    nothing = held(tmp_path, written)
    assert nothing.objections == [
        "migrations.expect.yaml:1: lessons.0007_drop declares large objects as lost, but that did not happen"
    ]


def test_what_is_refused_is_drafted_and_explained(tmp_path: Path) -> None:
    behind = ObjectVerdict(
        "sequence public.s", "behind", changed=1, note="it is behind", declarable=False, fix="SELECT 1"
    )
    found = held(tmp_path, "", lost(1), behind)
    drafted = draft(found.left, load(None), PENDING)
    assert '- object: large objects\n    lost: 1.9 %\n    why: ""' in text(drafted), "more may be made meanwhile"
    assert "sequence" not in text(drafted), "nothing declares that inserts may fail"
    message, hint = explain("shop", found.left)
    assert "large objects: of 60, 1 is lost" in message
    assert "sequence public.s: it is behind; SELECT 1" in message
    assert hint == 'add   migrations.RunSQL("""SELECT 1""")   to the migrations'


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{object: large objects, table: a, lost: 1, why: x}", "an object can have only `lost` and `changed`"),
        ("{object: large objects, column: a, lost: 1, why: x}", "an object can have only `lost` and `changed`"),
        ("{table: a, differs: 1, why: x}", "`differs` counts values of a column"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, entry: str, said: str) -> None:
    with pytest.raises(InventoryError) as caught:
        held(tmp_path, f"lessons.0007_drop: [{entry}]")
    assert said in caught.value.message

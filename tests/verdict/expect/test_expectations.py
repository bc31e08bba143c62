"""Declarations: what a file says, and what it covers of a verdict; drafts that accept nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.errors import USAGE, InventoryError
from ops.verdict.expect.expectations import Expectations, find, load, parts
from ops.verdict.expect.expectations_draft import draft, text, write
from ops.verdict.expect.expectations_match import Declared, declare
from ops.verdict.expect.limits import Limit
from ops.verdict.expect.limits import drafted as drafted_amount
from ops.verdict.explain import explain
from ops.verdict.model import ColumnVerdict, TableVerdict, Verdict

PENDING = ["lessons.0007_drop", "lessons.0008_price"]
KNOWN = ["lessons.0001_initial", "lessons.0006_old", *PENDING]


def table(name: str, verdict: str, rows: int = 1000, **fields: object) -> TableVerdict:
    return TableVerdict(f"public.{name}", verdict, rows, 0 if verdict == "removed" else rows, **fields)  # type: ignore[arg-type]


def written(folder: Path, content: str) -> Path:
    path = folder / "migrations.expect.yaml"
    path.write_text(content)
    return path


def expectations(folder: Path, content: str) -> Expectations:
    return load(written(folder, content), "shop/migrations.expect.yaml")


def held(folder: Path, content: str, *tables: TableVerdict) -> Declared:
    return declare(Verdict(list(tables)), expectations(folder, content), PENDING, KNOWN)


DROPPED = """# reviewed
lessons.0007_drop:
  - table: lessons_note      # goes
    lost: 120
    why: moved to the wiki
  - table: lessons_booking
    column: code
    lost: 1_000
    why: nobody reads it
lessons.0008_price:
  - {table: public.lessons_booking, column: price, changed: 250, why: rounded to cents}
"""


def story(**amounts: int) -> list[TableVerdict]:
    """What the file above declares, as it happened."""
    price, code = amounts.get("price", 250), amounts.get("code", 1000)
    return [
        table("lessons_note", "lost", amounts.get("note", 120), lost=amounts.get("note", 120)),
        table(
            "lessons_booking",
            "lost",
            changed=amounts.get("rows", price),
            columns=[
                ColumnVerdict("code", "lost", lost=code),
                ColumnVerdict("price", "changed", "price", changed=price),
            ],
        ),
        table("lessons_teacher", "unchanged"),
    ]


# --- the file --------------------------------------------------------------------------------------------------------


def test_entries_have_table_column_amounts_and_line(tmp_path: Path) -> None:
    found = expectations(tmp_path, DROPPED)
    note, code, price = found.entries
    assert (note.migration, note.table, note.column) == ("lessons.0007_drop", ("public", "lessons_note"), "")
    assert (note.amounts, note.why, note.where) == ({"lost": 120}, "moved to the wiki", "shop/migrations.expect.yaml:3")
    assert (code.column, code.amounts) == ("code", {"lost": 1000})
    assert (price.table, price.amounts) == (("public", "lessons_booking"), {"changed": 250})
    assert len(found.digest) == 64


def test_without_a_file_nothing_is_declared(tmp_path: Path) -> None:
    assert find(tmp_path, ["python", "manage.py"]) is None
    assert load(None) == Expectations()


def test_an_empty_file_declares_nothing(tmp_path: Path) -> None:
    assert expectations(tmp_path, "# only a comment\n").entries == ()


def test_it_is_found_in_the_folder_and_beside_the_manage_that_is_named(tmp_path: Path) -> None:
    app = tmp_path / "safe"
    app.mkdir()
    beside = written(tmp_path, "")
    assert find(app, ["python", "manage.py"]) is None
    assert find(app, ["python", "../manage.py"]) == beside
    assert find(app, ["python", str(tmp_path / "manage.py")]) == beside
    inside = written(app, "")
    assert find(app, ["python", "../manage.py"]) == inside


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("a.0001:\n  - table: x\n    lost: 1\n    why: ''", 4, "`why` is empty"),
        ("a.0001:\n  - table: x\n    lost: 1\n    why: ' … '", 4, "`why` is empty"),
        ("a.0001:\n  - table: x\n    lost: 1", 2, "`why` is missing"),
        ("a.0001:\n  - table: x\n    why: y", 2, "has no amount"),
        ("a.0001:\n  - table: x\n    lost: 0\n    why: y", 3, "`lost`"),
        ("a.0001:\n  - table: x\n    lost: -3\n    why: y", 3, "`lost`"),
        ("a.0001:\n  - table: x\n    lost: '3'\n    why: y", 3, "`lost`"),
        ("a.0001:\n  - table: x\n    lost: true\n    why: y", 3, "`lost`"),
        ("a.0001:\n  - table: x\n    lost: most\n    why: y", 3, "`lost` is not an amount"),
        ("a.0001:\n  - table: x\n    changed: 0 %\n    why: y", 3, "`changed` is not an amount"),
        ("a.0001:\n  - table: x\n    changed: 101 %\n    why: y", 3, "`changed` is not an amount"),
        ("a.0001:\n  - table: x\n    losst: 3\n    why: y", 3, "`losst` is an unknown key"),
        ("a.0001:\n  - table: a.b.c\n    lost: 3\n    why: y", 2, "`table` is not a table name"),
        ("a.0001:\n  - lost: 3\n    why: y", 2, "`table` is missing"),
        ("a.0001:\n  - table: x\n    column: ''\n    lost: 3\n    why: y", 3, "`column`"),
        ("a.0001:\n  - table: x\n    column: c\n    duplicated: 3\n    why: y", 4, "`duplicated` counts rows"),
        ("a.0001:\n  table: x", 1, "should be a list"),
        ("\na.0001:", 2, "should be a list"),
        ("a.0001: [x]", 1, "should be a mapping"),
        ("0001_initial: [{table: x, lost: 1, why: y}]", 1, "is not a migration name"),
        ("- a", 1, "should be a mapping"),
        ("a.0001:\n\t- x", 2, "not YAML"),
        ("a.0001:\n  - {table: x, lost: 1, why: y}\na.0001: []", 3, "is given twice"),
        ("a.0001:\n  - {table: x, lost: 1, why: y}\n  - {table: public.x, lost: 2, why: z}", 3, "is given twice"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_the_way_out(tmp_path: Path, content: str, line: int, said: str) -> None:
    with pytest.raises(InventoryError) as caught:
        expectations(tmp_path, content)
    assert said in caught.value.message
    assert f"migrations.expect.yaml:{line}: " in caught.value.message, caught.value.message
    assert caught.value.hint and caught.value.exit_code == USAGE


def test_a_file_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    (tmp_path / "migrations.expect.yaml").mkdir()
    path = find(tmp_path, ["manage.py"])
    with pytest.raises(InventoryError, match="cannot be read") as caught:
        load(path)
    assert "OPS_INVENTORY" not in caught.value.hint


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("x", ("public", "x")),
        ("crm.x", ("crm", "x")),
        ('public."Lesson"', ("public", "Lesson")),
        ("public.Lesson", ("public", "Lesson")),
        ('"a.b"', ("public", "a.b")),
        ('"a""b".c', ('a"b', "c")),
        ("Schülerin", ("public", "Schülerin")),
        ("", None),
        ("x.", None),
        (".x", None),
        ("a.b.c", None),
        ('"', None),
    ],
)
def test_names_are_read_as_sql_and_people_write_them(name: str, found: tuple[str, str] | None) -> None:
    assert parts(name) == found


# --- matching --------------------------------------------------------------------------------------------------------


def test_what_is_declared_is_no_loss(tmp_path: Path) -> None:
    tables = story()
    found = held(tmp_path, DROPPED, *tables)
    assert found.objections == [] and found.warnings == []
    assert found.left.refused == []
    assert [t.verdict for t in tables] == ["declared", "declared", "unchanged"]
    assert [c.verdict for c in tables[1].columns] == ["declared", "declared"]
    assert tables[0].lost == 120 and tables[1].columns[0].lost == 1000, "the counts stay"


def test_less_than_declared_is_no_loss_either(tmp_path: Path) -> None:
    found = held(tmp_path, DROPPED, *story(note=3, code=1, price=1))
    assert found.objections == [] and found.left.refused == []


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("note", "public.lessons_note: 121 rows lost, at most 120 are declared: 1 too many"),
        ("code", "public.lessons_booking.code: 1,001 values lost, at most 1,000 are declared: 1 too many"),
        ("price", "public.lessons_booking.price: 251 values changed, at most 250 are declared: 1 too many"),
    ],
)
def test_more_than_declared_is_refused_with_how_much(tmp_path: Path, what: str, said: str) -> None:
    most = {"note": 120, "code": 1000, "price": 250}[what]
    found = held(tmp_path, DROPPED, *story(**{what: most + 1}))
    assert len(found.objections) == 1 and said in found.objections[0]
    assert "shop/migrations.expect.yaml:" in found.objections[0]
    assert len(found.left.refused) == 1


def test_rows_that_no_declared_column_accounts_for_are_left(tmp_path: Path) -> None:
    found = held(tmp_path, DROPPED, *story(rows=251))
    assert found.objections == []
    assert [(t.table, t.verdict, t.changed) for t in found.left.refused] == [("public.lessons_booking", "changed", 251)]


def test_another_column_of_a_declared_table_is_left(tmp_path: Path) -> None:
    tables = story()
    tables[1].columns.append(ColumnVerdict("note", "lost", lost=7))
    found = held(tmp_path, DROPPED, *tables)
    assert [(t.table, t.lost_values) for t in found.left.refused] == [("public.lessons_booking", 7)]
    assert tables[1].verdict == "lost"


@pytest.mark.parametrize(("others", "rows"), [([60], 60), ([60, 5], 0)])
def test_beside_a_declared_column_only_the_others_count(tmp_path: Path, others: list[int], rows: int) -> None:
    """How many rows two columns change together is not known; neither is whose keys were noted."""
    columns = [ColumnVerdict("price", "changed", changed=250)]
    columns += [ColumnVerdict(f"note{n}", "changed", changed=count) for n, count in enumerate(others)]
    content = "lessons.0008_price: [{table: lessons_booking, column: price, changed: all, why: rounded}]"
    found = held(tmp_path, content, table("lessons_booking", "changed", changed=250, columns=columns, sample=["7"]))
    (left,) = found.left.refused
    assert (left.changed, left.changed_values, left.sample) == (rows, sum(others), [])
    said = explain("shop", found.left)[0]
    assert f"{sum(others)} {'rows' if rows else 'values'} would be changed" in said and "for example" not in said


def test_rows_may_be_declared_whatever_their_columns(tmp_path: Path) -> None:
    content = "lessons.0008_price: [{table: lessons_booking, changed: 250, why: rounded}]"
    changed = table("lessons_booking", "changed", changed=250, columns=[ColumnVerdict("price", "changed", changed=250)])
    assert held(tmp_path, content, changed).left.refused == []
    more = table("lessons_booking", "changed", changed=251, columns=[ColumnVerdict("price", "changed", changed=251)])
    assert len(held(tmp_path, content, more).left.refused) == 1


def test_a_changed_column_needs_a_declaration_of_its_own(tmp_path: Path) -> None:
    content = "lessons.0008_price: [{table: lessons_booking, lost: 5, why: x}]"
    odd = table("lessons_booking", "lost", lost=5, columns=[ColumnVerdict("price", "changed", changed=9)])
    found = held(tmp_path, content, odd)
    assert [c.changed for c in found.left.tables[0].columns] == [9] and odd.verdict == "lost"


def test_rows_too_many_are_declared_too(tmp_path: Path) -> None:
    content = "lessons.0008_price: [{table: lessons_booking, duplicated: 5, why: on purpose}]"
    assert held(tmp_path, content, table("lessons_booking", "changed", duplicated=5)).objections == []
    assert held(tmp_path, content, table("lessons_booking", "changed", duplicated=6)).objections


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ([], "lessons.0007_drop declares public.lessons_note, but production has no such table"),
        ([table("lessons_notes", "unchanged")], "but production has no such table; do you mean public.lessons_notes?"),
        ([table("lessons_note", "unchanged")], "declares public.lessons_note as lost, but that did not happen"),
        ([table("lessons_note", "moved", to="public.wiki")], "that did not happen: all rows are in public.wiki"),
    ],
)
def test_what_did_not_happen_is_refused_by_name_and_line(tmp_path: Path, tables: list[TableVerdict], said: str) -> None:
    content = "lessons.0007_drop:\n\n  - {table: lessons_note, lost: 1, why: x}"
    found = held(tmp_path, content, *tables)
    assert len(found.objections) == 1 and said in found.objections[0]
    assert found.objections[0].startswith("shop/migrations.expect.yaml:3: ")


def test_a_column_that_did_not_change_is_refused(tmp_path: Path) -> None:
    content = "lessons.0008_price: [{table: lessons_booking, column: price, changed: 1, why: x}]"
    said = held(tmp_path, content, table("lessons_booking", "changed", changed=4)).objections
    assert len(said) == 1 and "but that column did not change (4 rows of the table changed)" in said[0]
    other = table("lessons_booking", "lost", columns=[ColumnVerdict("price", "lost", lost=3)])
    assert "price as changed, but that did not happen" in held(tmp_path, content, other).objections[0]


def test_what_went_and_held_nothing_went_as_declared(tmp_path: Path) -> None:
    empty = [table("lessons_note", "removed", 0), *story()[1:]]
    empty[1].columns[0] = ColumnVerdict("code", "removed")
    found = held(tmp_path, DROPPED, *empty)
    assert found.objections == [] and found.left.refused == []
    assert found.allowed["public.lessons_note"].rows["lost"] == Limit(count=120)


def test_other_releases_are_ignored_and_unknown_migrations_told(tmp_path: Path) -> None:
    content = "lessons.0006_old: [{table: gone, lost: 1, why: x}]\nlessons.0007_drpo: [{table: y, lost: 1, why: x}]"
    found = held(tmp_path, content, table("lessons_note", "lost", lost=5))
    assert found.objections == []
    assert found.warnings == [
        "shop/migrations.expect.yaml:2: there is no migration lessons.0007_drpo; do you mean lessons.0007_drop?"
    ]
    assert len(found.left.refused) == 1


def test_two_migrations_add_up(tmp_path: Path) -> None:
    content = "\n".join(f"{name}: [{{table: lessons_note, lost: 60, why: x}}]" for name in PENDING)
    assert held(tmp_path, content, table("lessons_note", "lost", lost=120)).objections == []
    assert len(held(tmp_path, content, table("lessons_note", "lost", lost=121)).objections) == 1


def test_quoted_and_foreign_names_are_found(tmp_path: Path) -> None:
    content = "lessons.0007_drop: [{table: crm.Lesson, lost: 5, why: x}]"
    other = TableVerdict('crm."Lesson"', "lost", 5, 0, lost=5)
    found = held(tmp_path, content, other)
    assert found.objections == [] and found.left.refused == []


# --- drafts ----------------------------------------------------------------------------------------------------------


DROP, CODE, PRICE = (f"{name}: X" for name in (PENDING[0], PENDING[0], PENDING[1]))


def blamed(note: str = DROP, code: str = CODE, price: str = PRICE) -> Verdict:
    """The story, with what did it."""
    tables = story()
    tables[0].by, tables[1].columns[0].by, tables[1].columns[1].by = note, code, price
    return Verdict(tables)


def test_a_draft_declares_exactly_what_is_refused_and_accepts_nothing(tmp_path: Path) -> None:
    drafted = draft(blamed(), Expectations(), PENDING)
    path = tmp_path / "migrations.expect.yaml"
    write(path, drafted)
    with pytest.raises(InventoryError, match="`why` is empty"):
        load(path)
    path.write_text(path.read_text().replace('why: ""', 'why: "agreed"'))
    found = declare(Verdict(story()), load(path), PENDING, KNOWN)
    assert found.objections == [] and found.left.refused == []
    assert [(d.migration, d.column, d.amounts, d.sure) for d in drafted] == [
        ("lessons.0007_drop", "", {"lost": "all"}, True),
        ("lessons.0007_drop", "code", {"lost": "all"}, True),
        ("lessons.0008_price", "price", {"changed": "28 %"}, True),
    ]


def column(name: str, verdict: str, rows: int, there: bool = True, **amounts: int) -> TableVerdict:
    """A table of so many rows with something said of one column."""
    found = table("lessons_booking", verdict, rows, columns=[ColumnVerdict(name, verdict, "", **amounts)])  # type: ignore[arg-type]
    found.mapping = {name: name} if there else {}
    return found


# What happened in a rehearsal, and in the next one, before which eleven rows were written.
DRAFTED: dict[str, tuple[TableVerdict, TableVerdict]] = {
    "a table that goes": (table("lessons_note", "lost", 450, lost=450), table("lessons_note", "lost", 461, lost=461)),
    "a table that goes and held nothing": (
        table("lessons_note", "lost", 9, lost=9),
        table("lessons_note", "removed", 0),
    ),
    "some rows of a table": (
        table("lessons_note", "lost", 900, lost=450),
        table("lessons_note", "lost", 911, lost=461),
    ),
    "rows with other content": (
        table("lessons_note", "changed", 450, changed=450),
        table("lessons_note", "changed", 461, changed=461),
    ),
    "some rows with other content": (
        table("lessons_note", "changed", 1000, changed=450),
        table("lessons_note", "changed", 1011, changed=461),
    ),
    "rows that are there twice": (
        table("lessons_note", "changed", 1000, duplicated=300),
        table("lessons_note", "changed", 1011, duplicated=311),
    ),
    "a column that goes": (column("x", "lost", 1000, False, lost=7), column("x", "lost", 1011, False, lost=18)),
    "some values of a column": (column("x", "lost", 1000, lost=450), column("x", "lost", 1011, lost=461)),
    "other values of a column": (column("x", "changed", 450, changed=450), column("x", "changed", 461, changed=461)),
    "some other values of a column": (
        column("x", "changed", 1000, changed=450),
        column("x", "changed", 1011, changed=461),
    ),
    "a purge that found nothing this time": (
        table("lessons_note", "lost", 1000, lost=30),
        table("lessons_note", "unchanged", 1000),
    ),
}


@pytest.mark.parametrize("kind", DRAFTED)
def test_a_draft_of_every_kind_holds_in_the_release_that_follows(tmp_path: Path, kind: str) -> None:
    first, second = DRAFTED[kind]
    assert first.refused, "there is something to draft"
    path = tmp_path / "migrations.expect.yaml"
    write(path, draft(Verdict([first]), Expectations(), PENDING))
    path.write_text(path.read_text().replace('why: ""', 'why: "agreed"'))
    for rehearsed in (first, second):
        found = declare(Verdict([rehearsed]), load(path), PENDING, KNOWN)
        assert found.objections == [] and found.left.refused == []


@pytest.mark.parametrize(
    ("amount", "rows", "allowed"),
    [(450, 9, 450), ("all", 450, 450), ("5 %", 450, 23), ("5%", 0, 0), ("0.002 %", 1_000_000, 20), ("10 %", 1000, 100)],
)
def test_an_amount_is_a_count_a_share_or_all(amount: int | str, rows: int, allowed: int) -> None:
    limit = Limit.read(amount)
    assert limit and limit.of(rows) == allowed


def test_what_a_share_does_not_cover_is_told_as_rows(tmp_path: Path) -> None:
    content = "lessons.0007_drop: [{table: lessons_note, lost: 5 %, why: x}]"
    said = held(tmp_path, content, table("lessons_note", "lost", 1000, lost=51)).objections
    assert said == [
        "shop/migrations.expect.yaml:1: public.lessons_note: 51 rows lost, at most 50 are declared (5 % of 1,000): "
        "1 too many"
    ]


@given(rows=st.integers(1, 10**9), data=st.data())
def test_a_drafted_amount_covers_what_was_found_and_a_little_more(rows: int, data: st.DataObject) -> None:
    found = data.draw(st.integers(1, rows))
    limit = Limit.read(drafted_amount(found, rows))
    assert limit and limit.lasting and found <= limit.of(rows) <= max(1.3 * found, found + 1)


@pytest.mark.parametrize(
    ("by", "names", "migration", "sure"),
    [
        ("", PENDING, PENDING[1], False),
        ("", PENDING[:1], PENDING[0], True),
        (f"{PENDING[0]}: RunPython", PENDING, PENDING[0], True),
        (f"{PENDING[0]}: RunPython or {PENDING[1]}: RunSQL", PENDING, PENDING[1], False),
        (f"{PENDING[0]}: RunPython or {PENDING[0]}: RunSQL …", PENDING, PENDING[0], False),
        (f"other.{PENDING[0]}: RunPython", PENDING, PENDING[1], False),
    ],
)
def test_where_nobody_knows_which_migration_it_was_the_draft_says_so(
    by: str, names: list[str], migration: str, sure: bool
) -> None:
    drafted = draft(blamed(by, by, by), Expectations(), names)
    assert {(d.migration, d.sure) for d in drafted} == {(migration, sure)}
    assert text(drafted).count("check the migration: other pending migrations") == (0 if sure else 3)


def test_a_draft_keeps_what_a_person_wrote(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "# head\nlessons.0007_drop:   # beside\n- table: x   # of x\n  lost: 1\n  why: 'because'\n# of old\n"
        "lessons.0006_old:\n  - {table: y, lost: 2, why: z}\n# end\n",
    )
    path.chmod(0o644)
    drafted = draft(blamed(), load(path), PENDING)
    write(path, drafted)
    content = path.read_text()
    for kept in ("# head", "# beside", "# of x", "'because'", "# of old\nlessons.0006_old:", "# end"):
        assert kept in content, content
    assert path.stat().st_mode & 0o777 == 0o644
    path.write_text(content.replace('why: ""', "why: agreed"))
    assert {(e.migration, e.table[1]) for e in load(path).entries} == {
        ("lessons.0007_drop", "x"),
        ("lessons.0007_drop", "lessons_note"),
        ("lessons.0007_drop", "lessons_booking"),
        ("lessons.0008_price", "lessons_booking"),
        ("lessons.0006_old", "y"),
    }


@pytest.mark.parametrize("content", ["", "# a comment\n", "{}\n", "lessons.0007_drop: [{table: y, lost: 2, why: z}]\n"])
def test_a_draft_goes_into_any_file(tmp_path: Path, content: str) -> None:
    path = written(tmp_path, content)
    write(path, draft(blamed(), load(path), PENDING[:1]))
    path.write_text(path.read_text().replace('why: ""', "why: agreed"))
    assert len(load(path).entries) == 3 + ("table" in content)


def test_what_was_exceeded_is_for_a_person_to_raise(tmp_path: Path) -> None:
    found = held(tmp_path, DROPPED, *story(note=121))
    assert draft(found.left, expectations(tmp_path, DROPPED), PENDING) == []

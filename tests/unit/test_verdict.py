"""The verdict over databases in memory: what is unchanged, moved, changed or lost."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.fingerprint import Column, Fingerprint, Pair, Table
from ops.judge import judge
from ops.verdict import SAMPLES, Pairs, TableVerdict, Verdict, difference

Row = dict[str, object]
Database = dict[str, list[Row]]


def kind(table: list[Row], column: str) -> str:
    found = {type(row[column]).__name__ for row in table if row[column] is not None} or {"str"}
    return found.pop()


def digest(values: list[object]) -> int:
    # Not Python's own hash of a tuple: sums of those are equal where two rows exchange a value.
    return int.from_bytes(hashlib.sha256(repr(values).encode()).digest()[:8], "big", signed=True)


class Memory:
    """A ``Look`` at tables that are lists of rows."""

    def __init__(self, before: Database, after: Database) -> None:
        self.sides = {"before": before, "after": after}

    def hash(self, row: Row, columns: Pairs) -> int:
        return digest([row[pair.name] for pair in columns])

    def checksum(self, side: str, table: str, columns: Pairs) -> tuple[int, int] | None:
        rows = self.sides[side][table]
        if any(kind(rows, pair.name) != pair.read_as for pair in columns if rows):
            return None
        return len(rows), sum(self.hash(row, columns) for row in rows)

    def hashes(self, side: str, table: str, columns: Pairs) -> Iterator[int]:
        return iter(sorted(self.hash(row, columns) for row in self.sides[side][table]))

    def filled(self, side: str, table: str, column: str) -> int:
        return sum(row[column] is not None for row in self.sides[side][table])

    def keys(self, side: str, table: str, columns: Pairs, hashes: Sequence[int]) -> list[str]:
        rows = self.sides[side][table]
        return [str(row["id"]) for row in rows if not hashes or self.hash(row, columns) in hashes][:SAMPLES]

    def fingerprint(self, side: str) -> Fingerprint:
        found = Fingerprint(complete=True)
        for name, rows in self.sides[side].items():
            names = sorted(rows[0]) if rows else ["id"]
            columns = tuple(Column(column, kind(rows, column), kind(rows, column)) for column in names)
            checksum = self.checksum(side, name, [Pair(column.name, column.read_as) for column in columns])
            found.tables[name] = Table(name, *(checksum or (0, 0)), columns)
        return found


def verdict(before: Database, after: Database) -> Verdict:
    look = Memory(before, after)
    return judge(look.fingerprint("before"), look.fingerprint("after"), look)


def table(before: Database, after: Database, name: str = "lesson") -> TableVerdict:
    return next(table for table in verdict(before, after).tables if table.table == name)


def rows(count: int = 10, **columns: str) -> list[Row]:
    """Rows with an id and columns made of ``%d``."""
    return [{"id": n} | {name: text % n for name, text in columns.items()} for n in range(1, count + 1)]


def renamed(table: list[Row], **names: str) -> list[Row]:
    return [{names.get(name, name): value for name, value in row.items()} for row in table]


def without(table: list[Row], *names: str) -> list[Row]:
    return [{name: value for name, value in row.items() if name not in names} for row in table]


LESSONS = rows(title="Stunde %d", place="Raum %d")


# --- difference ------------------------------------------------------------------------------------------------------

hashes = st.lists(st.integers(-4, 4) | st.integers(-(2**63), 2**63 - 1)).map(sorted)


@given(hashes, hashes)
def test_difference_is_that_of_multisets(before: list[int], after: list[int]) -> None:
    missing = Counter(before) - Counter(after)
    extra = Counter(after) - Counter(before)
    assert difference(iter(before), iter(after)) == (
        missing.total(),
        extra.total(),
        sorted(missing.elements())[:SAMPLES],
    )


# --- kept tables -----------------------------------------------------------------------------------------------------


def test_what_did_not_change_is_unchanged() -> None:
    found = verdict({"lesson": LESSONS}, {"lesson": list(reversed(LESSONS))})
    assert [(table.table, table.verdict) for table in found.tables] == [("lesson", "unchanged")]
    assert (found.refused, found.lost_rows, found.lost_values) == ([], 0, 0)


def test_an_added_column_is_no_change() -> None:
    found = table({"lesson": without(LESSONS, "place")}, {"lesson": LESSONS})
    assert (found.verdict, [(c.column, c.verdict) for c in found.columns]) == ("unchanged", [("place", "added")])


def test_a_renamed_column_is_moved() -> None:
    found = table({"lesson": LESSONS}, {"lesson": renamed(LESSONS, place="room")})
    assert (found.verdict, found.refused, found.mapping["place"]) == ("unchanged", False, "room")
    assert [(c.column, c.verdict, c.to) for c in found.columns] == [("place", "moved", "room")]


def test_two_columns_that_exchanged_their_names_are_changed() -> None:
    found = table({"lesson": LESSONS}, {"lesson": renamed(LESSONS, place="title", title="place")})
    assert (found.verdict, found.changed, found.refused) == ("changed", 10, True)


def test_a_dropped_column_loses_its_values() -> None:
    some = [{**row, "place": None} if row["id"] == 1 else row for row in LESSONS]
    found = table({"lesson": some}, {"lesson": without(LESSONS, "place")})
    assert (found.verdict, found.lost, found.lost_values, found.refused) == ("lost", 0, 9, True)
    assert [(c.column, c.verdict, c.lost) for c in found.columns] == [("place", "lost", 9)]


def test_a_dropped_column_without_a_value_loses_nothing() -> None:
    empty = [{**row, "place": None} for row in LESSONS]
    found = table({"lesson": empty}, {"lesson": without(LESSONS, "place")})
    assert (found.verdict, found.refused) == ("unchanged", False)
    assert [(c.column, c.verdict) for c in found.columns] == [("place", "removed")]


def test_a_column_that_was_created_anew_and_empty_has_lost_its_values() -> None:
    some = [{**row, "place": None} if row["id"] != 1 else row for row in LESSONS]
    found = table({"lesson": some}, {"lesson": [{**row, "room": None} for row in without(LESSONS, "place")]})
    assert (found.verdict, found.lost_values, found.refused) == ("lost", 1, True)


def test_a_value_swapped_between_two_rows_is_a_change() -> None:
    after = [dict(row) for row in LESSONS]
    after[2]["title"], after[7]["title"] = after[7]["title"], after[2]["title"]
    found = table({"lesson": LESSONS}, {"lesson": after})
    assert (found.verdict, found.lost, found.changed, found.refused) == ("changed", 0, 2, True)
    assert found.sample == ["3", "8"]


def test_a_value_swapped_between_two_rows_of_a_renamed_column_is_no_clean_move() -> None:
    after = renamed(LESSONS, place="room")
    after[2]["room"], after[7]["room"] = after[7]["room"], after[2]["room"]
    assert table({"lesson": LESSONS}, {"lesson": after}).refused


def test_a_value_that_became_null_is_a_change() -> None:
    found = table({"lesson": LESSONS}, {"lesson": [{**LESSONS[0], "title": None}, *LESSONS[1:]]})
    assert (found.verdict, found.changed, found.sample) == ("changed", 1, ["1"])


def test_added_rows_are_not_refused() -> None:
    found = table({"lesson": LESSONS}, {"lesson": rows(15, title="Stunde %d", place="Raum %d")})
    assert (found.verdict, found.rows_before, found.rows_after, found.refused) == ("unchanged", 10, 15, False)


def test_deleted_rows_are_lost() -> None:
    found = table({"lesson": LESSONS}, {"lesson": LESSONS[3:]})
    assert (found.verdict, found.lost, found.sample, found.refused) == ("lost", 3, ["1", "2", "3"], True)


def test_a_duplicate_that_goes_is_lost() -> None:
    found = table({"lesson": [*LESSONS, LESSONS[0]]}, {"lesson": LESSONS})
    assert (found.lost, found.refused) == (1, True)


@pytest.mark.parametrize("name", ["public.django_content_type", "public.auth_permission"])
def test_djangos_own_tables_may_change_but_not_lose(name: str) -> None:
    changed = [{**LESSONS[0], "title": "session"}, *LESSONS[1:]]
    assert table({name: LESSONS}, {name: changed}, name).verdict == "changed"
    assert not verdict({name: LESSONS}, {name: changed}).refused
    assert verdict({name: LESSONS}, {name: LESSONS[1:]}).refused


# --- gone tables -----------------------------------------------------------------------------------------------------


def test_a_renamed_table_is_moved() -> None:
    found = verdict({"lesson": LESSONS}, {"session": LESSONS, "tag": rows(3)})
    moved, added = found.tables
    assert (moved.table, moved.verdict, moved.to, moved.refused) == ("lesson", "moved", "session", False)
    assert (added.table, added.verdict) == ("tag", "added")


def test_a_renamed_table_with_a_renamed_column_is_moved() -> None:
    found = table({"lesson": LESSONS}, {"session": renamed(LESSONS, place="room")})
    assert (found.verdict, found.to, found.refused) == ("moved", "session", False)
    assert found.mapping == {"id": "id", "title": "title", "place": "room"}


def test_columns_of_the_same_type_are_told_apart_by_their_values() -> None:
    found = table({"lesson": LESSONS}, {"session": renamed(LESSONS, title="a", place="b")})
    assert (found.refused, found.mapping) == (False, {"id": "id", "title": "a", "place": "b"})


def test_a_name_that_another_column_took_over_is_no_move() -> None:
    assert table({"lesson": LESSONS}, {"session": renamed(LESSONS, title="place", place="title2")}).refused


def test_a_table_that_was_copied_into_a_larger_one_is_moved() -> None:
    found = table({"lesson": LESSONS}, {"event": rows(12, title="Stunde %d", place="Raum %d")})
    assert (found.verdict, found.to, found.rows_after, found.refused) == ("moved", "event", 12, False)


def test_half_a_copy_loses_the_other_half() -> None:
    found = verdict({"lesson": LESSONS}, {"session": LESSONS[::2]})
    assert (found.lost_rows, len(found.refused)) == (5, 1)
    assert (found.refused[0].verdict, found.refused[0].to) == ("lost", "session")
    assert found.refused[0].sample == ["2", "4", "6", "8", "10"]


def test_a_table_that_is_created_anew_and_empty_has_lost_its_rows() -> None:
    found = verdict({"lesson": LESSONS}, {"session": []})
    assert (found.lost_rows, found.refused[0].to, found.tables[-1].verdict) == (10, "", "added")


def test_a_dropped_table_is_lost_and_an_empty_one_removed() -> None:
    found = {table.table: table for table in verdict({"lesson": LESSONS, "old": []}, {}).tables}
    assert (found["lesson"].lost, found["lesson"].refused, found["old"].verdict) == (10, True, "removed")
    assert found["lesson"].sample == ["1", "2", "3", "4", "5"]
    assert not found["old"].refused


def test_a_table_moved_without_one_of_its_columns_loses_that_columns_values() -> None:
    found = table({"lesson": LESSONS}, {"session": without(LESSONS, "place")})
    assert (found.verdict, found.to, found.lost, found.lost_values) == ("lost", "session", 0, 10)


@pytest.mark.parametrize("order", [("x", "y"), ("y", "x")])
def test_two_gone_tables_of_the_same_shape_find_each_its_own(order: tuple[str, str]) -> None:
    before = {"a": rows(10, name="A %d"), "b": rows(10, name="B %d")}
    after = {name: before["a" if name == "x" else "b"] for name in order}
    found = {table.table: table.to for table in verdict(before, after).tables if table.verdict == "moved"}
    assert found == {"a": "x", "b": "y"}


def test_a_new_table_is_the_destination_of_one_old_table_only() -> None:
    found = verdict({"a": LESSONS, "b": LESSONS}, {"x": LESSONS})
    assert [(table.verdict, table.to) for table in found.tables] == [("moved", "x"), ("lost", "")]
    assert found.lost_rows == 10


def test_the_json_form_counts_what_the_tables_say() -> None:
    data = verdict({"lesson": LESSONS, "tag": LESSONS}, {"session": LESSONS[::2], "tag": LESSONS}).data()
    assert data["lost_rows"] == 5
    assert isinstance(data["tables"], list)
    keys = {"table", "verdict", "to", "rows_before", "rows_after", "lost", "changed", "columns", "sample", "mapping"}
    assert [entry.keys() for entry in data["tables"]] == [keys] * 2
    assert [entry["to"] for entry in data["tables"]] == ["session", None]


# --- properties ------------------------------------------------------------------------------------------------------

cells = st.none() | st.sampled_from(["a", "b"])


@st.composite
def migrations(draw: st.DrawFn) -> tuple[Database, Database]:
    """Two tables, and what a migration that renames, drops, adds, swaps and overwrites makes of them."""
    before: Database = {}
    after: Database = {}
    for name in ("one", "two"):
        old: list[Row] = [{"id": n, "p": draw(cells), "q": draw(cells)} for n in range(draw(st.integers(1, 4)))]
        to = dict(zip("pq", draw(st.permutations("pqxy")), strict=False)) if draw(st.booleans()) else {}
        new = renamed(old, **to)
        for edit in draw(st.lists(st.sampled_from(["column", "row", "set", "swap", "add"]), max_size=2)):
            column = draw(st.sampled_from([key for key in new[0] if key != "id"] if new else ["p"]))
            row, other = draw(st.sampled_from(new or [{}])), draw(st.sampled_from(new or [{}]))
            if edit == "column" and len(new[:1] and new[0]) > 2:
                new = without(new, column)
            elif edit == "row":
                new = [kept for kept in new if kept is not row]
            elif edit == "set" and row:
                row[column] = draw(cells)
            elif edit == "swap" and row:
                row[column], other[column] = other[column], row[column]
            elif edit == "add" and new:
                new = [*new, {**new[0], "id": 99}]
        before[name] = old
        after[draw(st.sampled_from([name, "other", "another"]))] = new
    return before, after


@given(migrations())
def test_what_is_not_refused_is_found_whole(databases: tuple[Database, Database]) -> None:
    before, after = databases
    for found in verdict(before, after).tables:
        if found.refused or found.verdict == "added":
            continue
        old, new = before[found.table], after[found.to or found.table]
        assert {name for row in old for name, value in row.items() if value is not None} <= found.mapping.keys()
        arrived = Counter(tuple(row[to] for to in found.mapping.values()) for row in new)
        assert Counter(tuple(row[name] for name in found.mapping) for row in old) <= arrived


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=6), st.permutations(["x", "y"]))
def test_a_rename_of_everything_is_never_refused(values: list[tuple[object, object]], names: list[str]) -> None:
    before: list[Row] = [{"id": number, "p": p, "q": q} for number, (p, q) in enumerate(values)]
    assert not verdict({"lesson": before}, {"session": renamed(before, p=names[0], q=names[1])}).refused


def test_an_exact_copy_is_taken_before_a_larger_table_that_holds_the_rows_too() -> None:
    small, large = rows(2, title="Stunde %d"), rows(10, title="Stunde %d")
    judged = verdict({"a": small, "b": large}, {"x": large, "y": small})
    assert {found.table: (found.verdict, found.to) for found in judged.tables} == {
        "a": ("moved", "y"),
        "b": ("moved", "x"),
    }

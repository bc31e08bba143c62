"""What a rollback would set aside, in a person's words; and what is taken off of what was named before."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ops.core.errors import OpsError
from ops.recovery.rollback.loss import SHOWN, Loss, TableLoss, around, differences, every_change, glance, read
from ops.recovery.rollback.row_changes import DELETED, INSERTED, UPDATED, Change, Since, counterparts
from ops.recovery.rollback.written_since import Named
from ops.release.certificate import Moved
from ops.verdict.fingerprint import Column, Fingerprint, Table


def table(name: str, rows: int = 1, checksum: int = 1, *columns: str) -> Table:
    return Table(name, rows, checksum, tuple(Column(c, "bigint", "bigint") for c in columns or ("id",)), ("id",))


def database(*tables: Table, **more: object) -> Fingerprint:
    return Fingerprint({one.name: one for one in tables}, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            TableLoss(
                table="public.s",
                inserted=3,
                updated=2,
                deleted=1,
                keys={"inserted": ["1001", "1002", "1003"], "updated": ["7", "8"], "deleted": ["9"]},
                newest="2026-11-25 03:12",
            ),
            "public.s: 3 rows inserted (keys 1001, 1002, 1003; newest 2026-11-25 03:12 UTC), 2 updated (keys 7, 8), "
            "1 deleted (key 9)",
        ),
        (TableLoss(table="public.s", inserted=1), "public.s: 1 row inserted"),
        (
            TableLoss(table="public.s", deleted=6000, keys={"deleted": ["1", "2"]}),
            "6,000 rows deleted (for example 1, 2)",
        ),
        (
            TableLoss(table="public.s", updated=1, newest="2026-01-01 00:00"),
            "1 row updated (newest 2026-01-01 00:00 UTC)",
        ),
        (TableLoss(table="public.s", was="public.l", deleted=1), "public.s (in the backup: public.l): 1 row deleted"),
        (TableLoss(table="public.s", only="live", inserted=2), "a table that the backup does not have, with 2 rows"),
        (TableLoss(table="public.s", only="backup", deleted=1), "a table that only the backup has, with 1 row"),
        (TableLoss(table="s", columns={"live": {"note": 0}}), "s: note: a column that the backup does not have"),
    ],
)
def test_a_table_in_a_sentence(found: TableLoss, said: str) -> None:
    assert found.sentence.endswith(said)


def test_the_largest_tables_are_told_and_the_others_counted() -> None:
    found = Loss(backup="b", tables=[TableLoss(table=f"t{n:02}", inserted=n + 1) for n in range(SHOWN + 2)])
    said = found.sentences()
    assert said[0] == f"t{SHOWN + 1}: {SHOWN + 2} rows inserted"
    assert said[-1] == "and 2 more tables: 3 rows inserted"


def test_what_is_no_row_is_told_too() -> None:
    old = database(sequences={"s": (5, 1), "gone": (1, 1)}, large_objects=(1, 7), schema="x")
    new = database(sequences={"s": (9, 1), "new": (1, 1)}, large_objects=(1, 8), schema="y")
    found = around(old, new, "b")
    assert not found.nothing
    assert found.sentences() == [
        "sequences with another value: s (at 9, in the backup at 5)",
        "sequences only live: new",
        "sequences only in the backup: gone",
        "large objects: 1, in the backup 1, of other content",
        "the schema differs",
    ]
    assert around(old, old, "b").nothing


@pytest.mark.parametrize("other", [{"sequences": {"s": (9, 1)}}, {"large_objects": (1, 8)}, {"schema": "y"}])
def test_each_thing_that_differs_alone_is_something(other: dict[str, object]) -> None:
    old = {"sequences": {"s": (5, 1)}, "large_objects": (1, 7), "schema": "x"}
    assert around(database(**old), database(**old), "b").nothing
    assert not around(database(**old), database(**old | other), "b").nothing
    assert not Loss(backup="b", tables=[TableLoss(table="t")]).nothing


def rows(monkeypatch: pytest.MonkeyPatch, *found: Change) -> None:
    monkeypatch.setattr("ops.recovery.rollback.loss.changes", lambda *_: iter(found))


def test_the_newest_moment_and_each_key_are_of_all_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (pair,) = counterparts(database(table("t")), database(table("t", 2, 2)))
    moments = ["2026-11-24 10:00", "2026-11-24 12:00", "", "2026-11-24 11:00"]
    rows(monkeypatch, *(Change(INSERTED, n, n, str(10 - n), moment, True) for n, moment in enumerate(moments)))
    found = differences(cast(Any, SimpleNamespace()), pair, tmp_path / "loss/0.jsonl")
    assert found and (found.inserted, found.newest) == (4, "2026-11-24 12:00")
    assert found.keys == {INSERTED: ["7", "8", "9", "10"]}
    assert [key for _, _, _, key in every_change(tmp_path / "loss/0.jsonl")] == ["10", "9", "8", "7"]


def test_a_column_that_one_side_only_has_is_a_difference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (pair,) = counterparts(database(table("t", 2, 1, "id", "old")), database(table("t", 2, 2, "id", "new")))
    rows(monkeypatch)
    counts = {("before", "old"): (3, 1), ("after", "new"): None}
    look = SimpleNamespace(checksum=lambda side, sources: counts[side, sources[0].pairs[0].name])
    found = differences(cast(Any, look), pair, tmp_path / "loss/0.jsonl")
    assert found and found.rows == 0 and found.columns == {"backup": {"old": 3}, "live": {"new": 0}}
    # Where only what was written since is counted, that is no news.
    assert differences(cast(Any, look), pair, tmp_path / "loss/0.jsonl", keep=lambda change: change) is None


def test_a_glance_tells_rows_and_where() -> None:
    old, new = database(table("a", 3), table("b")), database(table("a", 4, 2), table("c", 2))
    assert glance(old, new) == [
        "a: 4 rows live, 3 in the backup",
        "b: 1 row, only in the backup",
        "c: 2 rows, only live",
    ]
    assert glance(old, old) == []


def test_renamed_tables_are_matched_and_two_in_one_are_not() -> None:
    old, new = database(table("a"), table("b"), table("c")), database(table("d"), table("b"))
    pairs = counterparts(old, new, [Moved(table="a", to=("d",))])
    assert [(p.before and p.before.name, p.after and p.after.name) for p in pairs] == [
        ("a", "d"),
        ("b", "b"),
        ("c", None),
    ]
    merged = counterparts(old, new, [Moved(table="a", to=("d",)), Moved(table="c", to=("d",))])
    names = [(p.before and p.before.name, p.after and p.after.name) for p in merged]
    assert names == [("a", None), ("b", "b"), ("c", None), (None, "d")]


def change(what: str, hash_: int, row: int, recent: bool = True) -> Change:
    return Change(what, hash_, row, str(hash_), "", recent)


def test_what_was_named_is_taken_off_and_what_changed_again_is_not() -> None:
    named = Named(iter([(INSERTED, 1, 10, "1"), (UPDATED, 2, 20, "2"), (DELETED, 3, 0, "3"), (INSERTED, 5, 50, "5")]))
    assert named.keep(change(INSERTED, 1, 10)) is None
    assert named.keep(change(UPDATED, 2, 21)) == change(UPDATED, 2, 21)
    assert named.keep(change(DELETED, 3, 0)) is None
    assert named.keep(change(DELETED, 4, 0, recent=False)) == change(DELETED, 4, 0, recent=False)
    again = named.keep(change(INSERTED, 5, 51))
    assert again and again.what == UPDATED
    assert named.keep(change(INSERTED, 6, 60, recent=False)) is None, "an old row that the live one has changed since"


def test_of_equal_rows_as_many_are_taken_off_as_were_named() -> None:
    named = Named(iter([(INSERTED, 1, 10, ""), (INSERTED, 1, 10, "")]))
    assert [named.keep(change(INSERTED, 1, 10)) is None for _ in range(3)] == [True, True, False]


def test_a_moment_as_the_server_counts_it() -> None:
    since = Since.read(f"{2**32 + 5}:{2**32 + 9}:{2**32 + 5},{2**32 + 7}\n")
    assert (since.recent, since.old) == ("age('5'::xid)", "age(x.xmin) > age('9'::xid)")


def test_files_are_read_back_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    keys = tmp_path / "0.jsonl"
    keys.write_text(json.dumps([INSERTED, -5, 7, "Ä\n1"]) + "\n")
    assert list(every_change(keys)) == [(INSERTED, -5, 7, "Ä\n1")]
    (tmp_path / "loss.json").write_text("{")
    with pytest.raises(OpsError, match="the preview is missing or damaged"):
        read(tmp_path / "loss.json")

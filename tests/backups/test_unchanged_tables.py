"""Which tables need not be dumped again, and where the rows of the others are found in an archive's list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.backups.unchanged_tables import entries, misplaced, reused, unchanged
from ops.infra.stores.base_tables import LargeTable
from ops.verdict.fingerprint import Column, Fingerprint, Table

LIST = """;
; Selected TOC Entries:
;
220; 1259 101 TABLE public a shop
3001; 0 101 TABLE DATA public a shop
3002; 0 102 TABLE DATA public a b shop
3003; 0 103 TABLE DATA odd "quoted" shop
3004; 2606 101 CONSTRAINT public a a_pkey shop
""".splitlines()
A, AB, QUOTED = (
    LargeTable("public.a", "101", "public", "a", 5),
    LargeTable('public."a b"', "102", "public", "a b"),
    LargeTable('odd."""quoted"""', "103", "odd", '"quoted"'),
)


def test_an_entry_is_found_by_its_oid_and_its_name() -> None:
    tables = [A, AB, QUOTED]
    assert entries(LIST, tables) == {one.name: line for one, line in zip(tables, LIST[4:7], strict=True)}
    assert entries(LIST, [LargeTable("public.a", "999", "public", "a")]) == {}, "made anew"
    assert entries(LIST, [LargeTable("public.c", "101", "public", "c")]) == {}, "another one has its oid"


COLUMNS = (Column("n", "integer", "integer"),)


@pytest.mark.parametrize(
    ("new", "excluded", "same"),
    [
        (Table("public.a", 3, 77, COLUMNS), (), True),
        (Table("public.a", 4, 77, COLUMNS), (), False),
        (Table("public.a", 3, 78, COLUMNS), (), False),
        (Table("public.a", 3, 77, (Column("n", "bigint", "bigint"),)), (), False),
        (Table("public.a", 3, 77, COLUMNS), ("public.a",), False),
    ],
)
def test_a_table_is_unchanged_if_rows_and_columns_are_and_the_backup_has_its_rows(
    new: Table, excluded: tuple[str, ...], same: bool
) -> None:
    old = Fingerprint(tables={"public.a": Table("public.a", 3, 77, COLUMNS)}, excluded=dict.fromkeys(excluded, 3))
    assert bool(unchanged(old, Fingerprint(tables={"public.a": new}), [A])) is same
    assert unchanged(Fingerprint(), Fingerprint(tables={"public.a": new}), [A]) == []
    assert unchanged(old, Fingerprint(), [A]) == []


def test_rows_that_are_missing_or_there_twice_are_found(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n".join(LIST))
    (tmp_path / "base").mkdir()
    based = tmp_path / "base/tables.jsonl"
    assert misplaced(tmp_path, ["public.lost"]) == [], "there is no other backup"
    based.write_text(json.dumps(vars(LargeTable("public.c", "9", "public", "c", 2_000_000))))
    names = ["public.a", 'public."a b"', 'odd."""quoted"""', "public.c"]
    assert misplaced(tmp_path, names) == []
    assert misplaced(tmp_path, [*names, "public.lost"]) == ["public.lost"]
    based.write_text(json.dumps(vars(A)))
    assert misplaced(tmp_path, names) == ["public.a", "public.c"]
    assert reused(tmp_path, "b1") == "1 table (0.0 MB) unchanged since b1: rows taken from there"

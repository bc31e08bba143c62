"""Where a salvage brings rows to, and how it locks: without a database."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ops.recovery.salvage.column_mapping import homes
from ops.recovery.salvage.insert import lock
from ops.recovery.salvage.live_catalog import LiveColumn, LiveLink, LiveTable
from ops.verdict.fingerprint import Column, Fingerprint, Table

LESSON = Table(
    "public.lesson",
    3,
    1,
    tuple(Column(name, type_, type_) for name, type_ in (("id", "bigint"), ("title", "text"), ("teacher", "bigint"))),
    ("id",),
    {"teacher": ("public.teacher", "id")},
)
TEACHER = Table("public.teacher", 1, 1, (Column("id", "bigint", "bigint"),), ("id",))
OLD = Fingerprint({one.name: one for one in (LESSON, TEACHER)})


def live(
    name: str, key: str = "id", leads: str = "public.teacher", types: str = "bigint text bigint", **more: str
) -> LiveTable:
    names = ["id", "title", "teacher"][: len(types.split())]
    columns = [(one, type_) for one, type_ in zip(names, types.split(), strict=True)] + list(more.items())
    made = [LiveColumn(name=one, type=kind, not_null=True, filled=False, generated=False) for one, kind in columns]
    links = [LiveLink(columns=("teacher",), to=leads, to_columns=("id",))] if leads else []
    return LiveTable(
        name=name, partitioned=False, partitions=(), columns=tuple(made), key=(key,), uniques=(), links=tuple(links),
        sequences=(), triggers=(),
    )  # fmt: skip


FITS = live("public.session")
HERE = live("public.teacher", leads="", types="bigint")


def test_rows_go_into_the_one_new_table_that_fits() -> None:
    found = homes(OLD, {one.name: one for one in (FITS, HERE)}, {})
    assert found.tables == {"public.lesson": "public.session", "public.teacher": "public.teacher"}
    assert found.how["public.lesson"] == "the one new table that its columns fit"


@pytest.mark.parametrize(
    "other",
    [
        live("public.session", key="title"),
        live("public.session", leads="public.session"),
        live("public.session", leads=""),
        live("public.session", leads="", types="bigint text"),
        live("public.session", types="bigint integer bigint"),
        live("public.session", room="bigint"),
    ],
    ids=["another key", "a link elsewhere", "no link", "no column", "a narrower type", "a column that needs a value"],
)
def test_a_new_table_that_does_not_fit_is_never_guessed(other: LiveTable) -> None:
    found = homes(OLD, {one.name: one for one in (other, HERE)}, {})
    assert found.tables == {"public.teacher": "public.teacher"} and found.several == {"public.lesson": []}


def test_two_that_fit_are_told_and_none_is_taken() -> None:
    other = live("public.hour")
    found = homes(OLD, {one.name: one for one in (FITS, other, HERE)}, {})
    assert "public.lesson" not in found.tables
    assert found.several == {"public.lesson": ["public.session", "public.hour"]}
    assert homes(OLD, {"public.hour": other}, {"public.lesson": "public.hour"}).how == {"public.lesson": "as requested"}


def test_tables_are_locked_in_one_order_by_everybody() -> None:
    """Two salvages at once would else wait for one another."""
    said: list[bytes] = []

    class Session:
        """Notes what it is told."""

        def execute(self, text: bytes) -> SimpleNamespace:
            said.append(text)
            return SimpleNamespace(rowcount=0)

    names = [f"public.{letter}" for letter in "kdagcebfhji"]
    lock(cast(Any, Session()), [*names, *names])
    assert said == [f"LOCK TABLE {', '.join(sorted(names))} IN SHARE ROW EXCLUSIVE MODE".encode()]

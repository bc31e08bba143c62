"""A release with hash partitions by an enum: the clone has its rows in other partitions than production."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.support.project import Project

pytestmark = pytest.mark.slow
Make = Callable[..., Project]
SPREAD = """
CREATE TYPE color AS ENUM ('c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7', 'c8');
CREATE TABLE h (c color, n int, PRIMARY KEY (c, n)) PARTITION BY HASH (c);
CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE h2 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO h SELECT ('c' || 1 + n % 8)::color, n FROM generate_series(1, 400) n;
"""
WHERE = "SELECT c::text, tableoid::regclass::text FROM h GROUP BY 1, 2 ORDER BY 1"
ADDED = 'migrations.RunSQL("ALTER TABLE h ADD more int NOT NULL DEFAULT 7")'
TIDIED = 'migrations.RunSQL("DELETE FROM h WHERE n > 390")'
RETYPED = 'migrations.RunSQL("ALTER TABLE h ADD name text; UPDATE h SET name = c::text")'


def spread(shop: Project) -> list[tuple[str, str]]:
    for statement in SPREAD.split(";\n"):
        if statement.strip():
            shop.query(statement)
    return shop.query(WHERE)


@pytest.mark.parametrize("operation", [ADDED, RETYPED], ids=["a column", "a column that is filled"])
def test_rows_that_lie_in_other_partitions_of_the_clone_stop_no_release(project: Make, operation: str) -> None:
    shop = project(operation, checks=[], freeze="always")
    before = spread(shop)
    done = shop.inv("release", "--confirm=shop")
    test = re.search(r"/([^/?]+)(?:\?|$)", shop.test)
    assert test and shop.query(WHERE, test[1]) != before, "the clone has them in other partitions"
    assert done.code == 0, done.out + done.err
    assert shop.query(WHERE) == before and shop.query("SELECT count(*) FROM h") == [(400,)]


def test_rows_that_are_lost_there_are_still_refused(project: Make) -> None:
    shop = project(TIDIED, checks=[], freeze="always")
    spread(shop)
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 5 and "public.h" in done.out, done.out + done.err
    assert shop.query("SELECT count(*) FROM h") == [(400,)]

"""Generated columns that are computed after a salvage's rows are restored, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops.core.errors import StepFailed
from ops.core.records import dump_records
from ops.recovery.salvage.generated_columns import Computed, compute, loosen, of_failed, read
from ops.verdict.databases import settings
from ops.verdict.fingerprint import Column, Table
from ops.verdict.row_hash import Pair, row_hash
from tests.support.client import Client

PRINTED = """pg_restore: error: could not execute query: ERROR:  function public.plain(integer) does not exist
Command was: CREATE TABLE public.lost (
    id integer,
    "n ""x" integer GENERATED ALWAYS AS (
CASE
    WHEN (id = 1) THEN public.plain((id + 1))
    ELSE length(') STORED'::text)
END) STORED NOT NULL,
    m text DEFAULT 'GENERATED ALWAYS AS ('::text,
    half numeric(9,2) GENERATED ALWAYS AS (((id)::numeric / (2)::numeric))
)
PARTITION BY RANGE (id);

pg_restore: error: could not execute query: ERROR:  type "public.far" does not exist
Command was: CREATE TABLE public.other (
    id integer GENERATED ALWAYS AS (public.plain(1)) STORED
);
"""


def test_the_columns_of_a_table_that_could_not_be_created_are_read_from_its_statement() -> None:
    one, two = of_failed(PRINTED, ["public.lost", "public.third"])
    assert (one.table, one.column, two.column) == ("public.lost", 'n "x', "half")
    assert one.expression.startswith("(\nCASE\n") and one.expression.endswith("STORED'::text)\nEND)")
    assert two.expression == "(((id)::numeric / (2)::numeric))"


MADE = """
CREATE SCHEMA s; CREATE TABLE s.rate (n int); INSERT INTO s.rate VALUES (3);
CREATE FUNCTION s.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE FUNCTION s.deep(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN twice(i) + 1; END';
CREATE FUNCTION s.rated(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i * n FROM rate; END';
CREATE FUNCTION s.wrong(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i / (i - 1); END';
CREATE TABLE plain (id int, d int GENERATED ALWAYS AS (id + 1) STORED NOT NULL);
CREATE TABLE p (id int, d int GENERATED ALWAYS AS (s.deep(id)) STORED NOT NULL CHECK (d IS NOT NULL),
                CONSTRAINT sure CHECK (d > id)) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p (CHECK (d > 0)) FOR VALUES FROM (0) TO (9);
CREATE TABLE r (id int, x int GENERATED ALWAYS AS (s.deep(id)) STORED, y int GENERATED ALWAYS AS (s.rated(id)) STORED);
CREATE TABLE w (id int, x int GENERATED ALWAYS AS (s.wrong(id)) STORED NOT NULL);
"""
ROWS = (("p1", "(1), (2)"), ("r", "(1), (2)"), ("w", "(4), (5)"), ("plain", "(1)"))


def _table(connection: psycopg.Connection[Any], name: str, *columns: str) -> Table:
    hashed = row_hash([Pair(column, "integer") for column in columns])
    row = connection.execute(f"SELECT count(*), sum({hashed}) FROM {name} x".encode()).fetchone()
    assert row is not None
    return Table(f"public.{name}", *map(int, row), tuple(Column(one, "integer", "integer") for one in columns))


def _fill(connection: psycopg.Connection[Any]) -> None:
    for name, rows in ROWS:
        connection.execute(f"INSERT INTO public.{name} (id) VALUES {rows}".encode())


def test_columns_are_computed_with_productions_path_and_compared_with_the_backup(
    client: Client, named: Callable[..., str]
) -> None:
    with client.connect(named("computed", MADE)) as connection:
        connection.execute("SET search_path = s, public")
        _fill(connection)
        of = {"p1": "d id", "r": "id x y", "w": "id x"}
        tables = {one.name: one for one in (_table(connection, name, *text.split()) for name, text in of.items())}
        connection.execute("TRUNCATE p, r, w, plain; UPDATE rate SET n = 5")
        connection.execute(settings())
        found = loosen(connection)
        assert [(one.table, one.column) for one in found] == [
            ("public.p", "d"), ("public.r", "x"), ("public.r", "y"), ("public.w", "x"), ("public.p1", "d")
        ]  # fmt: skip
        connection.execute("SET search_path = ''")
        _fill(connection)
        connection.execute("UPDATE public.w SET id = 1 WHERE id = 4")
        done = compute(connection, [*found, Computed("public.gone", "x", "1")], tables, "s, public")
        assert [(one.table, one.column, bool(one.why)) for one in done] == [
            ("public.r", "x", True), ("public.r", "y", True), ("public.w", "x", True), ("public.p1", "d", False)
        ]  # fmt: skip
        assert "reads other tables" in done[1].why and done[2].why == "division by zero"
        assert connection.execute("SELECT id, d FROM public.p ORDER BY 1").fetchall() == [(1, 3), (2, 5)]


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "columns"
    assert read(file) == []
    file.write_text(dump_records([Computed("public.t", 'a "b', "(1)", "why")]))
    assert read(file) == [Computed("public.t", 'a "b', "(1)", "why")]
    file.write_text("{")
    with pytest.raises(StepFailed):
        read(file)

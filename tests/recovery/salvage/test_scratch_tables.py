"""A salvage's tables, completed where pg_restore could not make them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ops.core.errors import StepFailed
from ops.recovery.salvage.scratch_tables import complete
from ops.verdict.fingerprint import Column, Table
from tests.support.client import Client

PRINTED = """pg_restore: error: could not execute query: ERROR:  extension "far" is not available
DETAIL:  Could not open extension control file.
Command was: CREATE EXTENSION IF NOT EXISTS far WITH SCHEMA public;

pg_restore: error: could not execute query: ERROR:  type "public.far" does not exist
LINE 3:     f public.far
Command was: CREATE TABLE public.lost (
    id integer,
    f public.far
);
"""


def test_a_needed_table_has_its_columns_or_ends_it_with_the_cause(client: Client, named: Callable[..., str]) -> None:
    with client.connect(named("scratch", "CREATE TABLE there (id int)")) as connection:
        key = Column("id", "integer", "integer")
        there = Table("public.there", 0, 0, (key,))
        plain = Table('public."A b"', 0, 0, (key, Column('n"', "numeric(9,2)", "numeric")))
        lost = Table("public.lost", 0, 0, (key, Column("f", "public.far", "text")))
        assert complete(connection, "shop", [there], "") == ""
        said = complete(connection, "shop", [there, plain], PRINTED)
        assert said == 'left out, since no row needs it: extension far; restored with their columns only: public."A b"'
        assert connection.execute('SELECT "n""" FROM public."A b"').fetchall() == []
        with pytest.raises(StepFailed) as error:
            complete(connection, "shop", [lost], PRINTED)
        assert "public.lost can't be restored: extension far: the server does not have the extension far" in str(error)

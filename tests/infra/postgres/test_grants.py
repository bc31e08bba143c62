"""What grants a right that is missing can be typed as it is."""

from __future__ import annotations

import pytest

from ops.infra.postgres.grants import grant


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("must be owner of database lessons\nSTATEMENT: x", 'ALTER DATABASE "lessons" OWNER TO "ops"'),
        ('permission denied for database "a b"\nDETAIL: y', 'GRANT CONNECT ON DATABASE "a b" TO "ops"'),
        ("must be owner of table t\n", 'make "ops" the owner of "t", or a member of the owner'),
        ("permission denied for sequence s", 'GRANT pg_read_all_data TO "ops"'),
        ("relation t does not exist", ""),
    ],
)
def test_the_statement_names_what_the_server_named_and_no_more(said: str, typed: str) -> None:
    assert grant("ops", f"ERROR:  {said}") == (f"{typed}   (docs/how-to/rights.md)" if typed else "")

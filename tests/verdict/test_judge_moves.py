"""Moves that well-known applications make in their releases, and the like that lose something."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from ops.verdict.accounting.judge import judge
from ops.verdict.databases import Databases
from tests.support.client import Client
from tests.verdict.accounting.test_judge import Judged, Migrate, columns, counts
from tests.verdict.accounting.test_judge import migrate as migrate  # noqa: PLC0414

PAGES = """
CREATE TABLE page (id int PRIMARY KEY); INSERT INTO page SELECT generate_series(1, 9);
CREATE TABLE revision (id int PRIMARY KEY, page_id int REFERENCES page);
INSERT INTO revision SELECT n, 1 + n % 9 FROM generate_series(1, 113) n
"""
GENERIC = """
ALTER TABLE revision ADD object_id varchar(255); UPDATE revision SET object_id = ({0})::text;
ALTER TABLE revision DROP page_id; ALTER TABLE revision RENAME TO entry
"""
QUERIES = """
CREATE TABLE query (id int PRIMARY KEY, text text UNIQUE);
INSERT INTO query SELECT n, 'q' || n FROM generate_series(1, 25) n;
CREATE TABLE pick (id int PRIMARY KEY, query_id int NOT NULL REFERENCES query);
INSERT INTO pick SELECT n, n FROM generate_series(1, 25) n
"""
COPIED = """
CREATE TABLE search (id int PRIMARY KEY, text text); INSERT INTO search SELECT id, {0} FROM query;
ALTER TABLE pick DROP CONSTRAINT pick_query_id_fkey; ALTER TABLE pick ADD FOREIGN KEY (query_id) REFERENCES search
"""
JSON = TEXTS = "CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL); INSERT INTO t VALUES "
JSON += """(1, '{"n": 1, "a": "ü"}'), (2, '{"l":[1, null], "f": 1.50}'), (3, '""')"""
TO_JSON = "ALTER TABLE t ALTER v TYPE jsonb USING v::jsonb"
TO_STRING = "ALTER TABLE t ALTER v TYPE jsonb USING "
EXCHANGED = "CASE id WHEN 1 THEN to_jsonb('\"abc\"'::text) ELSE to_jsonb('abc'::text) END"
AGAIN = "ALTER TABLE t RENAME v TO w; ALTER TABLE t ADD v jsonb"
CASES = {
    "JSON in a text": (JSON, TO_JSON, False),
    "JSON in a text, and changed": (JSON, TO_JSON + """ || '{"x": 1}'""", True),
    "JSON in a text, renamed": (JSON, TO_JSON + "; ALTER TABLE t RENAME v TO w", False),
    "a text as a JSON string": (TEXTS + "(1, 'abc'), (2, 'ü \"q\"')", TO_STRING + "to_jsonb(v)", False),
    "texts as JSON strings, exchanged": (TEXTS + "(1, 'abc'), (2, '\"abc\"')", TO_STRING + EXCHANGED, True),
    "a name used again": (TEXTS + "(1, 'a'), (2, 'b')", AGAIN, False),
    "a link made generic": (PAGES, GENERIC.format("page_id"), False),
    "a link made generic, shifted": (PAGES, GENERIC.format("page_id % 9 + 1"), True),
    "links to a copy": (QUERIES, COPIED.format("text"), False),
    "links to a copy of other content": (QUERIES, COPIED.format("'q' || (26 - id)"), True),
}


@pytest.mark.parametrize("name", CASES)
def test_a_move_is_told_from_a_loss(migrate: Migrate, name: str) -> None:
    school, migration, refused = CASES[name]
    judged = migrate(migration, school)
    assert any(table.refused for table in judged.values()) is refused, judged


@pytest.fixture
def in_place(client: Client, named: Callable[..., str]) -> Callable[[str, str], Judged]:
    """Judges a migration of a database of which the other side is a copy of its files, as in a rehearsal."""
    number = count()

    def run(school: str, migration: str) -> Judged:
        after = named(f"after{next(number)}", school)
        before = after + "_was"
        client.ask(f"CREATE DATABASE {before} TEMPLATE {after}")
        client.ask(migration, after)
        found = client.fingerprint(before), client.fingerprint(after)
        with client.connect(before) as one, client.connect(after) as two:
            verdict = judge(*found, Databases({"before": one, "after": two}))
        return {table.table.removeprefix("public."): table for table in verdict.tables}

    return run


FLAGS = """CREATE TABLE kept (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, paid bool, sent bool);
INSERT INTO t SELECT n, false, false FROM generate_series(1, 9) n"""


def test_a_rename_in_place_is_known_by_the_servers_own_numbers(in_place: Callable[[str, str], Judged]) -> None:
    judged = in_place(FLAGS, "ALTER TABLE t RENAME paid TO settled; ALTER TABLE t RENAME TO u")
    assert counts(judged["t"]) == ("moved", 0, 0, 0, False)
    assert columns(judged["t"]) == {"paid": ("moved", "settled", 0)}


def test_a_flag_dropped_and_an_equal_one_added_is_no_rename(in_place: Callable[[str, str], Judged]) -> None:
    judged = in_place(FLAGS, "ALTER TABLE t DROP paid; ALTER TABLE t ADD settled bool DEFAULT false")
    assert counts(judged["t"]) == ("lost", 0, 0, 9, True)


def test_two_columns_that_exchange_their_names_keep_their_values(in_place: Callable[[str, str], Judged]) -> None:
    school = FLAGS + "; UPDATE t SET paid = true WHERE id < 5"
    swap = "ALTER TABLE t RENAME paid TO x; ALTER TABLE t RENAME sent TO paid; ALTER TABLE t RENAME x TO sent"
    assert not in_place(school, swap)["t"].refused
    assert in_place(school, "UPDATE t SET paid = sent, sent = paid")["t"].refused

"""Values that are written another way: proved in every row, named with the rule, and held against production."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ops.release.certificate import moves
from ops.release.production.production_check import hold, losses, objections
from ops.verdict.accounting.judge import judge
from ops.verdict.databases import Databases
from ops.verdict.expect.limits import Allowed, Limit
from ops.verdict.explain import sentences
from ops.verdict.model import ColumnVerdict, Verdict
from tests.support.client import Client
from tests.support.tiers import quick

BEFORE = """
CREATE TABLE course (id int PRIMARY KEY, price numeric(10, 2), fee numeric, minutes int, at timestamp, seen timestamptz,
    tags varchar(50), codes text, words text, remark varchar(20) NOT NULL, hint text, data text, gone text NOT NULL,
    kind text NOT NULL, floor varchar(5), due text, badge text, memo text);
INSERT INTO course SELECT n, CASE WHEN n % 9 > 0 THEN n / 4.0 END, n * 1.50, n,
    timestamp '2026-01-05 08:00' + n * interval '1 day', timestamptz '2026-01-05 08:00+00' + n * interval '7 h',
    CASE n % 4 WHEN 0 THEN '' WHEN 1 THEN 'a' ELSE 'a, b' || n END, n || ',' || n + 1,
    CASE WHEN n % 5 > 0 THEN 'x;y' || n END,
    CASE WHEN n % 3 > 0 THEN 'r' || n ELSE '' END, CASE WHEN n % 3 > 0 THEN 'h' || n END,
    CASE WHEN n % 3 > 0 THEN '{"b": 1, "a":' || n || '}' ELSE '' END, '', 'k' || n % 2,
    CASE WHEN n % 3 > 0 THEN n::text ELSE '' END, CASE WHEN n % 3 > 0 THEN (date '2026-01-01' + n)::text ELSE '' END,
    CASE WHEN n % 3 > 0 THEN upper(md5(n::text)) ELSE '' END, CASE n % 3 WHEN 0 THEN '' WHEN 1 THEN 'm' || n END
    FROM generate_series(1, 300) n;
CREATE TABLE other (id int PRIMARY KEY, note text); INSERT INTO other SELECT n, 'n' || n FROM generate_series(1, 20) n;
"""
WRITTEN_ANEW = """
ALTER TABLE course ALTER price TYPE int USING price * 100, ADD fee_cents int,
    ADD seconds bigint, ALTER at TYPE timestamptz USING at AT TIME ZONE 'Europe/Berlin',
    ALTER tags TYPE text[] USING string_to_array(tags, ', '),
    ALTER codes TYPE int[] USING string_to_array(codes, ',')::int[],
    ALTER words TYPE jsonb USING to_jsonb(string_to_array(words, ';')),
    ALTER remark DROP NOT NULL, ALTER data TYPE jsonb USING nullif(data, '')::jsonb, DROP gone,
    ALTER floor TYPE int USING nullif(floor, '')::int, ALTER due TYPE date USING nullif(due, '')::date,
    ALTER badge TYPE uuid USING nullif(badge, '')::uuid;
UPDATE course SET fee_cents = fee * 100, seconds = minutes * 60, remark = nullif(remark, ''), hint = coalesce(hint, '');
ALTER TABLE course DROP fee, DROP minutes;
"""
RULES = {
    "price": ("", "× 100"),
    "fee": ("fee_cents", "× 100"),
    "minutes": ("seconds", "× 60"),
    "at": ("", "in the time zone Europe/Berlin"),
    "tags": ("", "a list, split at `,`"),
    "codes": ("", "a list, split at `,`"),
    "words": ("", "a list, split at `;`"),
    "remark": ("", "NULL for an empty text"),
    "hint": ("", "an empty text for NULL"),
    "data": ("", "JSON, and NULL for an empty text"),
    "floor": ("", "NULL for an empty text"),
    "due": ("", "NULL for an empty text"),
    "badge": ("", "NULL for an empty text"),
    "gone": ("", "it had only one empty value"),
}
# One row that a rule does not cover, beside all the others that it does; and what looks like a rule and is none.
DAMAGES = {
    "one price": ("UPDATE course SET price = price + 1 WHERE id = 7", "price"),
    "one fee": ("UPDATE course SET fee_cents = NULL WHERE id = 7", "fee"),
    "one moment": ("UPDATE course SET at = at + interval '1 h' WHERE id = 7", "at"),
    "one item": ("UPDATE course SET tags = '{a}' WHERE id = 7", "tags"),
    "one floor": ("UPDATE course SET floor = NULL WHERE id = 7", "floor"),
    "one day": ("UPDATE course SET due = due + 1 WHERE id = 7", "due"),
    "one remark": ("UPDATE course SET remark = NULL WHERE id = 7", "remark"),
    "one object": ("UPDATE course SET data = '{}' WHERE id = 7", "data"),
    "one badge": ("UPDATE course SET badge = NULL WHERE id = 7", "badge"),
    "two rows": ("UPDATE course SET seconds = 60 * (17 - id) WHERE id IN (8, 9)", "minutes"),
}
# Of each damage: the values that are lost or changed, and those for which the rule holds.
EXCEPTIONS = {
    "one price": (0, 1, 266), "one fee": (1, 0, 299), "one moment": (0, 1, 299), "one item": (0, 1, 299),
    "one floor": (1, 0, 299), "one day": (0, 1, 299), "one remark": (1, 0, 299), "one object": (0, 1, 299),
    "one badge": (1, 0, 299), "two rows": (0, 2, 298),
}  # fmt: skip
LIKELY = {
    "a moment without its zone": (
        "ALTER TABLE course ALTER seen TYPE timestamp USING seen AT TIME ZONE 'Asia/Tokyo'", "seen"
    ),
    "a hundred times the fee, in its old place": ("UPDATE course SET fee = fee * 100", "fee"),
    "lower case": ("UPDATE course SET kind = upper(kind)", "kind"),
    "a default for NULL that other rows had": ("UPDATE course SET hint = 'h1' WHERE hint IS NULL", "hint"),
    "an empty text where there were both": (
        "UPDATE course SET words = '' WHERE words = 'x;y1'; UPDATE course SET words = NULL WHERE words = ''",
        "words",
    ),
    "NULL for empty texts where there were both": ("UPDATE course SET memo = NULL WHERE memo = ''", "memo"),
    "empty texts for NULL where there were both": ("UPDATE course SET memo = '' WHERE memo IS NULL", "memo"),
    "a number for a text with zeros before it": (
        "UPDATE course SET floor = NULL WHERE floor = ''; ALTER TABLE course ALTER floor TYPE int "
        "USING CASE WHEN floor::int < 10 THEN 0 ELSE floor::int END",
        "floor",
    ),
    "a column of one value": ("ALTER TABLE course DROP kind", "kind"),
}


class Course:
    """The two databases, and what is said of the columns of the table."""

    def __init__(self, client: Client, before: str, after: str, folder: Path, schema: str = BEFORE) -> None:
        self.client, self.before, self.after, self.folder, self.schema = client, before, after, folder, schema
        client.ask(schema, before)
        self.old = client.fingerprint(before)

    def migrated(self, migration: str) -> dict[str, ColumnVerdict]:
        """Migrate a copy; what became of each column of which there is anything to say."""
        self.client.ask(f"DROP SCHEMA public CASCADE; CREATE SCHEMA public; {self.schema}; {migration}", self.after)
        self.new = self.client.fingerprint(self.after)
        with self.client.connect(self.before) as one, self.client.connect(self.after) as two:
            self.verdict: Verdict = judge(self.old, self.new, Databases({"before": one, "after": two}))
        table = next(table for table in self.verdict.tables if table.table == "public.course")
        return {column.column: column for column in table.columns if column.verdict != "added"}

    def on_production(self, damage: str = "", **declared: dict[str, Limit]) -> list[str]:
        """What a frozen promotion says where production becomes what the copy became, or that and some damage."""
        certificate: Any = SimpleNamespace(
            moves=moves(self.verdict, self.old, self.new, {"public.course": Allowed({}, declared)}),
            schema_after=self.new.schema,
            schema_parts_after={},
            sources={},
            since=None,
        )
        self.client.ask(damage or "SELECT 1", self.after)
        new = self.client.fingerprint(self.after)
        with self.client.connect(self.before) as one, self.client.connect(self.after) as two:
            before = Databases({"before": one})
            held = hold(certificate, self.old, before, self.folder)
            return losses(certificate, before) + objections(certificate, held, new, Databases({"after": two}))


@pytest.fixture(scope="module")
def course(client: Client, shared: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Course:
    return Course(client, shared("plain"), shared("anew"), tmp_path_factory.mktemp("hashes"))


def test_what_is_written_another_way_is_named_with_its_rule_and_promoted(course: Course) -> None:
    columns = course.migrated(WRITTEN_ANEW)
    assert {name: (c.to, c.note) for name, c in columns.items() if c.verdict == "re-expressed"} == RULES
    assert course.verdict.refused == []
    assert course.on_production() == []


@pytest.mark.parametrize("damage", quick(DAMAGES, "one price"))
def test_one_row_beside_the_rule_is_found(course: Course, damage: str) -> None:
    statement, column = DAMAGES[damage]
    columns = course.migrated(f"{WRITTEN_ANEW} {statement}")
    found, table = columns[column], course.verdict.refused[0]
    assert (found.lost, found.changed, found.held) == EXCEPTIONS[damage]
    assert (found.to, found.rule) == RULES[column]
    assert (table.lost, table.lost_values, table.changed) == (0, found.lost, found.changed)
    assert f"the other {found.held} are re-expressed ({found.rule})" in " ".join(sentences(table))


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_declared_exceptions_are_accepted_on_production_and_no_more(course: Course, damage: str) -> None:
    statement, column = DAMAGES[damage]
    found = course.migrated(f"{WRITTEN_ANEW} {statement}")[column]
    kind, limit = "lost" if found.lost else "changed", Limit(count=found.lost + found.changed)
    assert course.on_production(**{column: {kind: limit}}) == []
    (said,) = course.on_production(statement.replace("id = 7", "id = 14").replace("(8, 9)", "(10, 7)"),
                                   **{column: {kind: limit}})
    assert f"the declared limit is {limit.count} of" in said


@pytest.mark.slow
def test_rules_hold_beside_deleted_rows(course: Course) -> None:
    columns = course.migrated(f"{WRITTEN_ANEW} DELETE FROM course WHERE id > 290")
    assert {name: (c.to, c.note) for name, c in columns.items() if c.verdict == "re-expressed"} == RULES
    assert [(t.lost, t.changed, t.lost_values) for t in course.verdict.refused] == [(10, 0, 0)]


@pytest.mark.slow
def test_texts_that_are_no_values_of_the_new_type_are_the_only_exceptions(
    course: Course, shared: Callable[..., str]
) -> None:
    schema = f"{BEFORE} UPDATE course SET data = 'n/a' WHERE id IN (7, 8);"
    here = Course(course.client, shared("unreadable"), course.after, course.folder, schema)
    to_json = "ALTER data TYPE jsonb USING CASE WHEN data LIKE '{%' THEN data::jsonb END"
    found = here.migrated(f"ALTER TABLE course {to_json}")["data"]
    assert (found.lost, found.changed, found.held, found.rule) == (2, 0, 298, RULES["data"][1])


UNDER_A_NEW_NAME = """
ALTER TABLE course ADD payload jsonb, ADD storey int, ADD payable date, ADD token uuid;
UPDATE course SET payload = nullif(data, '')::jsonb, storey = nullif(floor, '')::int, payable = nullif(due, '')::date,
    token = nullif(badge, '')::uuid;
"""
DROPS = "ALTER TABLE course DROP data, DROP floor, DROP due, DROP badge;"
NEW_NAMES = {"data": "payload", "floor": "storey", "due": "payable", "badge": "token"}


@pytest.mark.slow
def test_empty_texts_become_null_in_a_column_of_another_name_and_type(course: Course) -> None:
    columns = course.migrated(UNDER_A_NEW_NAME + DROPS)
    found = {name: (c.to, c.note) for name, c in columns.items() if c.verdict == "re-expressed"}
    assert found == {name: (to, RULES[name][1]) for name, to in NEW_NAMES.items()}
    assert course.on_production() == []
    damage = "UPDATE course SET token = NULL WHERE id = 7; UPDATE course SET payload = '{}' WHERE id IN (7, 8);"
    columns = course.migrated(f"{UNDER_A_NEW_NAME} {damage} {DROPS}")
    assert [(columns[n].lost, columns[n].changed, columns[n].held) for n in ("badge", "data")] == [
        (1, 0, 299), (0, 2, 298),
    ]  # fmt: skip


@pytest.mark.slow
def test_one_row_beside_the_rule_is_found_on_production(course: Course) -> None:
    course.migrated(WRITTEN_ANEW)
    for statement, _ in DAMAGES.values():
        assert course.on_production(statement) == ["public.course does not have all rows of public.course unchanged"]
        course.migrated(WRITTEN_ANEW)


@pytest.mark.parametrize("likely", quick(LIKELY, "a column of one value"))
def test_what_is_only_likely_is_no_rule(course: Course, likely: str) -> None:
    statement, column = LIKELY[likely]
    assert course.migrated(statement)[column].verdict in ("lost", "changed")
    assert [table.table for table in course.verdict.refused] == ["public.course"]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE course SET data = NULL WHERE id = 7", "public.course.data never had NULL in the rehearsal; 1 row"),
        ("UPDATE course SET hint = '' WHERE id = 7", "public.course.hint never had an empty text in the rehearsal"),
    ],
)
def test_what_could_not_be_told_apart_after_is_refused_before_production_is_migrated(
    course: Course, statement: str, said: str
) -> None:
    course.migrated(WRITTEN_ANEW)
    certificate: Any = SimpleNamespace(moves=moves(course.verdict, course.old, course.new, {}), since=None)
    with course.client.connect(course.before) as one, one.transaction(force_rollback=True):
        one.execute(statement.encode())
        (found,) = losses(certificate, Databases({"before": one}))
    assert said in found

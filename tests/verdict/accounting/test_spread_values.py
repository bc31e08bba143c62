"""Values that are spread over several columns or rows: proved in every row, counted where some are lost, held against
production."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ops.verdict.explain import sentences
from tests.release.production.test_production_check import Course
from tests.support.client import Client
from tests.support.tiers import quick

BEFORE = """
CREATE TABLE django_content_type (id int PRIMARY KEY, app_label text, model text);
INSERT INTO django_content_type VALUES (1, 'school', 'room'), (2, 'school', 'desk');
CREATE TABLE school_room (id int PRIMARY KEY, label text);
CREATE TABLE school_desk (id int PRIMARY KEY, label text);
INSERT INTO school_room SELECT n, 'r' || n FROM generate_series(1, 60) n;
INSERT INTO school_desk SELECT n, 'd' || n FROM generate_series(1, 60) n;
CREATE TABLE course (id int PRIMARY KEY, held timestamptz, local timestamp, data jsonb, name text, first_day date,
    last_day date, tags varchar(20)[], words text, content_type_id int REFERENCES django_content_type, object_id int);
INSERT INTO course SELECT n, CASE WHEN n % 7 > 0 THEN timestamptz '2026-03-01 08:00+00' + n * interval '7 h' END,
    timestamp '2026-01-05 08:00:00.5' + n * interval '61 min',
    jsonb_build_object('zipCode', 10000 + n, 'city', 'C' || n % 5) || CASE WHEN n % 4 > 0
        THEN jsonb_build_object('street', 'S' || n) ELSE '{}' END,
    'Anna' || n || CASE WHEN n % 6 > 0 THEN ' Blum' || n % 9 ELSE '' END, date '2026-01-01' + n,
    CASE WHEN n % 5 > 0 THEN date '2026-01-02' + n + n % 3 END,
    CASE n % 3 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY['b' || n, 'a'] ELSE ARRAY['a'] END, 'w' || n || ';x;y' || n % 3,
    CASE WHEN n % 8 > 0 THEN 1 + n % 2 END, CASE WHEN n % 8 > 0 THEN 1 + n % 60 END FROM generate_series(1, 200) n;
"""
SPREAD = """
ALTER TABLE course ADD day date, ADD clock time, ADD held_on date, ADD held_at time, ADD zip_code int,
    ADD city varchar(20) DEFAULT '', ADD street varchar(50) NOT NULL DEFAULT '', ADD first text, ADD last text,
    ADD days daterange, ADD room_id int REFERENCES school_room, ADD desk_id int REFERENCES school_desk;
UPDATE course SET day = local::date, clock = local::time, held_on = (held AT TIME ZONE 'Asia/Tokyo')::date,
    held_at = (held AT TIME ZONE 'Asia/Tokyo')::time, zip_code = (data ->> 'zipCode')::int, city = data ->> 'city',
    street = coalesce(data ->> 'street', ''), first = split_part(name, ' ', 1), last = split_part(name, ' ', 2),
    days = daterange(first_day, last_day, '[]'), room_id = CASE content_type_id WHEN 1 THEN object_id END,
    desk_id = CASE content_type_id WHEN 2 THEN object_id END;
CREATE TABLE tag (id serial PRIMARY KEY, course_id int NOT NULL REFERENCES course, name text, position int);
INSERT INTO tag (course_id, name, position) SELECT c.id, t.name, t.n FROM course c,
    unnest(c.tags) WITH ORDINALITY AS t(name, n) ORDER BY t.name;
CREATE TABLE word (id serial PRIMARY KEY, text text);
INSERT INTO word (text) SELECT DISTINCT unnest(string_to_array(words, ';')) FROM course;
CREATE TABLE course_words (id serial PRIMARY KEY, course_id int REFERENCES course, word_id int REFERENCES word);
INSERT INTO course_words (course_id, word_id) SELECT c.id, word.id FROM course c, unnest(string_to_array(c.words, ';'))
    WITH ORDINALITY AS t(text, n) JOIN word USING (text) ORDER BY c.id, t.n;
"""
DROP = """ALTER TABLE course DROP held, DROP local, DROP data, DROP name, DROP first_day, DROP last_day, DROP tags,
    DROP words, DROP content_type_id, DROP object_id;"""
RULES = {
    "held": ("held_on, held_at", "its day and its time in the time zone Asia/Tokyo"),
    "local": ("day, clock", "its day and its time"),
    "data": ("city, street, zip_code", "its keys as columns, an empty text for a missing key"),
    "name": ("first, last", "joined by a blank"),
    "first_day": ("days", "the lower bound"),
    "last_day": ("days", "the last value of the range"),
    "tags": ("public.tag.name", "a list as rows"),
    "words": ("public.word.text", "a list, split at `;` as rows"),
    "content_type_id": ("room_id, desk_id", "a generic link as foreign keys"),
    "object_id": ("room_id, desk_id", "a generic link as foreign keys"),
}
# What one row lacks, and how many values of which column that are.
DAMAGES = {
    "an hour": ("UPDATE course SET clock = clock + interval '1 h' WHERE id = 8", {"local": 1}),
    "a day": ("UPDATE course SET held_on = held_on + 1 WHERE id IN (8, 9)", {"held": 2}),
    "a street": ("UPDATE course SET street = '' WHERE id IN (9, 10, 11)", {"data": 3}),
    "a last name": ("UPDATE course SET last = 'B' WHERE id = 8", {"name": 1}),
    "a bound": ("UPDATE course SET days = daterange(first_day, last_day, '[)') WHERE id = 9", {"last_day": 1}),
    "a tag": ("DELETE FROM tag WHERE id = 9", {"tags": 1}),
    "the order": ("UPDATE tag SET position = 3 - position WHERE course_id = 7", {"tags": 1}),
    "a word": ("DELETE FROM course_words WHERE id = 9", {"words": 1}),
    "a link": ("UPDATE course SET room_id = desk_id, desk_id = NULL WHERE id = 9",
               {"content_type_id": 1, "object_id": 1}),
}  # fmt: skip
CROSSED = "UPDATE course SET first = last, last = first"


@pytest.fixture(scope="module")
def course(client: Client, shared: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Course:
    return Course(client, shared("whole"), shared("spread"), tmp_path_factory.mktemp("hashes"), BEFORE)


def test_a_value_that_is_spread_is_read_back_in_every_row(course: Course) -> None:
    columns = course.migrated(SPREAD + DROP)
    said = {name: (c.to, c.note) for name, c in columns.items() if c.verdict == "re-expressed"}
    assert {name: (", ".join(sorted(to.split(", "))), note) if name == "data" else (to, note)
            for name, (to, note) in said.items()} == RULES  # fmt: skip
    assert course.verdict.refused == []
    assert course.on_production() == []


@pytest.mark.parametrize("damage", quick(DAMAGES, "a street", "a tag", "a link"))
def test_values_that_a_rule_does_not_give_back_are_counted(course: Course, damage: str) -> None:
    statement, lost = DAMAGES[damage]
    columns = course.migrated(f"{SPREAD} {statement}; {DROP}")
    assert {name: c.lost for name, c in columns.items() if c.lost} == lost
    (table,) = course.verdict.refused
    assert all("missing in" in said for said in sentences(table))


# What is said of keys within JSON: where they went, or that they are gone within the column that stays.
PLACES = """ALTER TABLE course ADD zip_code int, ADD city text; UPDATE course SET zip_code = (data ->> 'zipCode')::int,
    city = data ->> 'city'; """
MAP = """UPDATE course SET data = data || jsonb_build_object('user' || id, id) WHERE id < 4; """
KEYS = {
    "no column": (f"{PLACES} ALTER TABLE course DROP data", "its keys as columns; no column for street (150 rows)"),
    "not copied": (
        f"{PLACES} UPDATE course SET zip_code = NULL WHERE id < 4; ALTER TABLE course ADD street text; "
        "UPDATE course SET street = data ->> 'street'; ALTER TABLE course DROP data",
        "its keys as columns; of its keys zipCode → zip_code (3 lost)",
    ),
    "within": (
        "UPDATE course SET data = data || '{\"city\": 1}' WHERE id < 20; UPDATE course SET data = data - 'street' "
        "WHERE id < 30",
        "of its keys street (22 lost), city (19 changed)",
    ),
    "in another column": (
        "ALTER TABLE course ADD kept jsonb; UPDATE course SET kept = data - 'street'; ALTER TABLE course DROP data",
        "of its keys street (150 lost)",
    ),
}


@pytest.mark.parametrize("case", quick(KEYS, "no column", "within"))
def test_keys_within_json_that_are_lost_are_named_with_their_columns(course: Course, case: str) -> None:
    statement, said = KEYS[case]
    assert course.migrated(statement)["data"].note == said
    assert any(said in sentence for table in course.verdict.refused for sentence in sentences(table))


# JSON whose keys became columns of another table, which leads to the row or to which it leads, or rows.
LINKED = """CREATE TABLE place (id serial PRIMARY KEY, course_id int UNIQUE REFERENCES course, city text, street text,
    zip_code int); INSERT INTO place (course_id, city, street, zip_code) SELECT id, data ->> 'city', data ->> 'street',
    (data ->> 'zipCode')::int FROM course WHERE data IS NOT NULL ORDER BY id DESC; {0} ALTER TABLE course DROP data"""
SHARED = """CREATE TABLE place (id serial PRIMARY KEY, city text, street text, zip_code int); INSERT INTO place (city,
    street, zip_code) SELECT DISTINCT data ->> 'city', data ->> 'street', (data ->> 'zipCode')::int FROM course;
    ALTER TABLE course ADD place_id int REFERENCES place; UPDATE course SET place_id = p.id FROM place p WHERE
    (data ->> 'zipCode')::int = p.zip_code; {0} ALTER TABLE course DROP data"""
NAMED = """CREATE TABLE attribute (id serial PRIMARY KEY, course_id int REFERENCES course, key text,
    value {1}); INSERT INTO attribute (course_id, key, value) SELECT c.id, e.key, {2} FROM course c, jsonb_each(data) e
    WHERE true {0}; ALTER TABLE course DROP data"""
TEXT, AS_JSON = ("text", "e.value #>> '{}'"), ("jsonb", "e.value")
ELSEWHERE = {
    "a table that leads there": (
        LINKED.format(""),
        ("re-expressed", 0, "its keys as columns"),
    ),
    "a table that leads there, one city gone": (
        LINKED.format("UPDATE place SET city = NULL WHERE id < 4;"),
        ("lost", 3, "its keys as columns; of its keys city → public.place.city (3 lost)"),
    ),
    "a table that it leads to": (SHARED.format(""), ("re-expressed", 0, "its keys as columns")),
    "a table that it leads to, some of another one": (
        SHARED.format("UPDATE course SET place_id = place_id % 200 + 1 WHERE id < 4;"), ("lost", 3, "others"),
    ),
    "rows": (NAMED.format("", *TEXT), ("re-expressed", 0, "its keys as rows, as texts")),
    "rows of JSON": (NAMED.format("", *AS_JSON), ("re-expressed", 0, "its keys as rows")),
    "rows, a key left out": (
        NAMED.format("AND key <> 'street'", *TEXT),
        ("lost", 150, "its keys as rows, as texts; of its keys street → public.attribute.value (150 lost)"),
    ),
    "rows, one key twice": (
        NAMED.format("; INSERT INTO attribute (course_id, key, value) VALUES (7, 'city', 'X')", *TEXT),
        ("lost", 1, "its keys as rows, as texts"),
    ),
}


@pytest.mark.parametrize("case", quick(ELSEWHERE, "a table that leads there", "rows", "rows, a key left out"))
def test_json_whose_keys_are_in_another_table_is_read_back(course: Course, case: str) -> None:
    statement, said = ELSEWHERE[case]
    found = course.migrated(statement)["data"]
    if said[2] == "others":
        assert found.lost == said[1]
        return
    assert (found.verdict, found.lost, found.note) == said
    assert said[1] or course.on_production() == []


# A table without a key, whose rows other columns tell apart.
STOCK = """CREATE TABLE course (sku text, amount int, seen timestamp, day date, clock time);
    INSERT INTO course SELECT 'S' || n, n % 7, timestamp '2025-03-30 01:30' + n * interval '7 h', date '2026-01-01' + n,
    time '08:00' + n * interval '7 min' FROM generate_series(1, 100) n; """
BERLIN = "ALTER TABLE course ALTER seen TYPE timestamptz USING seen AT TIME ZONE 'America/New_York'; "
JOINED = """ALTER TABLE course ADD at timestamp; UPDATE course SET at = day + {0};
    ALTER TABLE course DROP day, DROP clock"""
WITHOUT_KEY = {
    "zone": (BERLIN, {"seen": "in the time zone America/New_York"}),
    "moment": (JOINED.format("clock"), {"day": "the day of a moment", "clock": "the time of a moment"}),
}


@pytest.fixture(scope="module")
def stock(client: Client, shared: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Course:
    return Course(client, shared("stock"), shared("stocked"), tmp_path_factory.mktemp("stock"), STOCK)


@pytest.mark.parametrize("case", quick(WITHOUT_KEY, "zone"))
def test_rows_without_a_key_are_told_apart_by_their_other_columns(case: str, stock: Course) -> None:
    statement, said = WITHOUT_KEY[case]
    columns = stock.migrated(statement)
    assert {name: column.note for name, column in columns.items() if column.verdict == "re-expressed"} == said
    assert (stock.verdict.refused, stock.on_production()) == ([], [])
    damage = "UPDATE course SET {0} = {0} + interval '1 h' WHERE amount = 3 AND sku < 'S2'"
    assert stock.on_production(damage.format("seen" if case == "zone" else "at"))


def test_rows_that_are_alike_but_for_what_is_written_another_way_are_no_proof(
    client: Client, shared: Callable[..., str], tmp_path: Path
) -> None:
    alike = f"{STOCK} UPDATE course SET sku = '', amount = 1, seen = '2025-01-01'"
    course = Course(client, shared("twin"), shared("twins"), tmp_path, alike)
    columns = course.migrated(WITHOUT_KEY["moment"][0])
    assert {name: columns[name].lost for name in ("day", "clock")} == {"day": 100, "clock": 100}


def test_a_time_that_is_no_part_of_the_moment_is_lost(stock: Course) -> None:
    columns = stock.migrated(JOINED.format("time '00:00'"))
    assert (columns["day"].verdict, columns["clock"].lost) == ("re-expressed", 100)


def test_json_that_is_null_has_no_row(client: Client, shared: Callable[..., str], tmp_path: Path) -> None:
    null = "UPDATE course SET data = NULL WHERE id % 5 = 0"
    course = Course(client, shared("null"), shared("nulled"), tmp_path, f"{BEFORE}{null}")
    said = {case: course.migrated(ELSEWHERE[case][0])["data"].note for case in ("a table that leads there", "rows")}
    assert said == {
        "a table that leads there": "its keys as columns, nothing for NULL",
        "rows": "its keys as rows, as texts, nothing for NULL",
    }


# JSON in a text, with an empty text for nothing.
AS_TEXT = """ALTER TABLE course ALTER data TYPE text;
    UPDATE course SET data = CASE WHEN id % 6 = 0 THEN '' ELSE data END;"""
TO_COLUMNS = """ALTER TABLE course ADD zip_code int, ADD city text, ADD street text; UPDATE course SET
    zip_code = (nullif(data, '')::json ->> 'zipCode')::int, city = nullif(data, '')::json ->> 'city',
    street = nullif(data, '')::json ->> 'street';"""


def test_json_in_a_text_becomes_columns(client: Client, shared: Callable[..., str], tmp_path: Path) -> None:
    course = Course(client, shared("text"), shared("texts"), tmp_path, f"{BEFORE}{AS_TEXT}")
    found = course.migrated(f"{TO_COLUMNS} ALTER TABLE course DROP data")["data"]
    assert (found.verdict, found.note) == ("re-expressed", "its keys as columns, nothing for NULL")
    assert course.on_production() == []
    forgotten = "UPDATE course SET street = NULL WHERE id IN (7, 9);"
    found = course.migrated(f"{TO_COLUMNS} {forgotten} ALTER TABLE course DROP data")["data"]
    assert (found.lost, found.note) == (
        2, "its keys as columns, nothing for NULL; of its keys street → street (2 lost)"
    )


def test_a_key_that_few_rows_have_is_not_named(client: Client, shared: Callable[..., str], tmp_path: Path) -> None:
    """It may be a value: a map by user."""
    mail = "UPDATE course SET data = data || jsonb_build_object('anna@example.org', id) WHERE id < 9; "
    course = Course(client, shared("map"), shared("mapped"), tmp_path, f"{BEFORE}{mail}{MAP}")
    drop = "UPDATE course SET data = data - 'anna@example.org' - 'user1' - 'user2' - 'user3'"
    assert course.migrated(drop)["data"].note == "of its keys some rare keys"


def test_a_number_without_its_content_type_is_counted(
    client: Client, shared: Callable[..., str], tmp_path: Path
) -> None:
    half = "UPDATE course SET object_id = 900 + id WHERE content_type_id IS NULL"
    course = Course(client, shared("half"), shared("halved"), tmp_path, f"{BEFORE}{half}")
    columns = course.migrated(SPREAD + DROP)
    assert (columns["content_type_id"].verdict, columns["object_id"].lost) == ("re-expressed", 25)


def test_names_that_are_crossed_are_lost(course: Course) -> None:
    assert course.migrated(f"{SPREAD} {CROSSED}; {DROP}")["name"].lost == 200


def test_one_row_beside_a_rule_is_found_on_production(course: Course) -> None:
    course.migrated(SPREAD + DROP)
    assert course.on_production("DELETE FROM tag WHERE id = 9") == [
        "public.course does not have all rows of public.course unchanged"
    ]

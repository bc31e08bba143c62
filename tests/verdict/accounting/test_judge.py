"""The verdict on two real databases: the one before the migration, and the same after it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ops.verdict.accounting.judge import judge
from ops.verdict.databases import Databases
from ops.verdict.fingerprint import Fingerprint
from ops.verdict.model import TableVerdict
from tests.support.client import Client

SCHOOL = """
CREATE TABLE teacher (id int PRIMARY KEY, name varchar(50));
INSERT INTO teacher SELECT n, 'Frau ' || n FROM generate_series(1, 10) n;
CREATE TABLE lesson (
    id int PRIMARY KEY, title varchar(50), room varchar(50), price numeric(10, 2), at timestamptz, teacher_id int
);
INSERT INTO lesson SELECT n, 'Stunde ' || n, 'Raum ' || n % 7, n / 8.0,
    timestamptz '2026-03-01 00:00+00' + n * interval '1 h', 1 + n % 10 FROM generate_series(1, 200) n;
CREATE TABLE booking (id int PRIMARY KEY, lesson_id int REFERENCES lesson, paid bool);
INSERT INTO booking SELECT n, CASE WHEN n % 4 > 0 THEN n END, n % 3 = 0 FROM generate_series(1, 200) n;
"""

Judged = dict[str, TableVerdict]
Migrate = Callable[..., Judged]


@pytest.fixture(scope="module")
def migrate(client: Client, shared: Callable[..., str]) -> Migrate:
    """Judges a migration of the school, or of other tables. Only what is not unchanged comes back."""
    before, after = shared("before"), shared("after")
    fresh = "DROP SCHEMA IF EXISTS other CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public"
    former: dict[str, Fingerprint] = {}

    def run(migration: str, school: str = SCHOOL) -> Judged:
        if school not in former:
            client.ask(f"{fresh}; {school}", before)
            former.clear()
            former[school] = client.fingerprint(before)
        client.ask(f"{fresh}; {school}; {migration}", after)
        found = former[school], client.fingerprint(after)
        with client.connect(before) as one, client.connect(after) as two:
            verdict = judge(*found, Databases({"before": one, "after": two}))
        said = {table.table.removeprefix("public."): table for table in verdict.tables}
        assert verdict.lost_rows == sum(table.lost for table in said.values())
        return {name: table for name, table in said.items() if (table.verdict, table.columns) != ("unchanged", [])}

    return run


def counts(table: TableVerdict) -> tuple[str, int, int, int, bool]:
    """The verdict, rows lost, rows changed, values lost, and whether it stands against a promotion."""
    return table.verdict, table.lost, table.changed, table.lost_values, table.refused


def only(judged: Judged, name: str) -> TableVerdict:
    """The one table of which there is anything to say."""
    assert list(judged) == [name]
    return judged[name]


def columns(table: TableVerdict) -> dict[str, tuple[str, str, int]]:
    """What became of the columns."""
    return {column.column: (column.verdict, column.to, column.lost) for column in table.columns}


def test_nothing_is_said_where_nothing_was_done(migrate: Migrate) -> None:
    assert migrate("SELECT 1") == {}


def test_a_renamed_table_is_moved(migrate: Migrate) -> None:
    lesson = only(migrate("ALTER TABLE lesson RENAME TO session"), "lesson")
    assert counts(lesson) == ("moved", 0, 0, 0, False)
    assert (lesson.to, lesson.rows_before, lesson.rows_after) == ("public.session", 200, 200)


def test_a_renamed_table_with_quotes_in_its_name_is_moved(migrate: Migrate) -> None:
    judged = migrate('ALTER TABLE lesson RENAME title TO "Name ""%"" x"; ALTER TABLE lesson RENAME TO "Lektiön ""1"""')
    assert counts(only(judged, "lesson")) == ("moved", 0, 0, 0, False)
    assert judged["lesson"].to == 'public."Lektiön ""1"""'
    assert judged["lesson"].mapping["title"] == 'Name "%" x'


def test_a_table_moved_into_another_schema_is_moved(migrate: Migrate) -> None:
    lesson = only(migrate("CREATE SCHEMA other; ALTER TABLE lesson SET SCHEMA other"), "lesson")
    assert (*counts(lesson), lesson.to) == ("moved", 0, 0, 0, False, "other.lesson")


def test_a_renamed_column_is_moved(migrate: Migrate) -> None:
    lesson = only(migrate("ALTER TABLE lesson RENAME title TO name"), "lesson")
    assert counts(lesson) == ("unchanged", 0, 0, 0, False)
    assert columns(lesson) == {"title": ("moved", "name", 0)}


def test_renamed_columns_of_one_type_are_told_apart(migrate: Migrate) -> None:
    lesson = only(migrate("ALTER TABLE lesson RENAME title TO b; ALTER TABLE lesson RENAME room TO a"), "lesson")
    assert counts(lesson) == ("unchanged", 0, 0, 0, False)
    assert columns(lesson) == {"title": ("moved", "b", 0), "room": ("moved", "a", 0)}


def test_a_renamed_table_with_a_renamed_column_is_moved(migrate: Migrate) -> None:
    judged = migrate("ALTER TABLE lesson RENAME TO session; ALTER TABLE session RENAME title TO name;"
                     "ALTER TABLE booking RENAME lesson_id TO session_id")
    assert counts(judged["lesson"]) == ("moved", 0, 0, 0, False)
    assert columns(judged["lesson"]) == {"title": ("moved", "name", 0)}
    assert counts(judged["booking"]) == ("unchanged", 0, 0, 0, False)
    assert columns(judged["booking"]) == {"lesson_id": ("moved", "session_id", 0)}


COPY = "ALTER TABLE booking DROP CONSTRAINT booking_lesson_id_fkey; CREATE TABLE session (LIKE lesson INCLUDING ALL);"


def test_a_full_copy_with_the_same_ids_is_moved(migrate: Migrate) -> None:
    copied = "INSERT INTO session SELECT * FROM lesson ORDER BY title"
    lesson = only(migrate(f"{COPY} {copied}; DROP TABLE lesson"), "lesson")
    assert (*counts(lesson), lesson.to) == ("moved", 0, 0, 0, False, "public.session")


def test_a_partial_copy_loses_the_rest(migrate: Migrate) -> None:
    copied = "INSERT INTO session SELECT * FROM lesson WHERE id > 60"
    lesson = only(migrate(f"{COPY} {copied}; DROP TABLE lesson"), "lesson")
    assert counts(lesson) == ("lost", 60, 0, 0, True)
    assert lesson.to == "public.session"
    assert 1 <= len(lesson.sample) <= 5
    assert {int(key) for key in lesson.sample} <= set(range(1, 61))


def test_a_copy_of_other_values_is_changed_in_those_rows(migrate: Migrate) -> None:
    changed = "UPDATE session SET title = 'x' WHERE id <= 30"
    lesson = only(migrate(f"{COPY} INSERT INTO session SELECT * FROM lesson; {changed}; DROP TABLE lesson"), "lesson")
    assert counts(lesson) == ("changed", 0, 30, 0, True)


def test_a_copy_with_values_swapped_between_two_rows_changes_both(migrate: Migrate) -> None:
    swapped = "UPDATE session SET title = CASE id WHEN 1 THEN 'Stunde 2' ELSE 'Stunde 1' END WHERE id <= 2"
    lesson = only(migrate(f"{COPY} INSERT INTO session SELECT * FROM lesson; {swapped}; DROP TABLE lesson"), "lesson")
    assert (*counts(lesson), lesson.sample) == ("changed", 0, 2, 0, True, ["1", "2"])


NEW_IDS = f"""{COPY} INSERT INTO session SELECT 1000 - id, title, room, price, at, teacher_id FROM lesson;
DROP TABLE lesson;"""


@pytest.mark.parametrize("named_anew", ["", "; ALTER TABLE booking RENAME lesson_id TO session_id"])
def test_a_copy_under_new_ids_is_accepted_where_every_link_follows(migrate: Migrate, named_anew: str) -> None:
    judged = migrate(f"{NEW_IDS} UPDATE booking SET lesson_id = 1000 - lesson_id {named_anew}")
    assert (*counts(judged["lesson"]), judged["lesson"].to) == ("moved", 0, 0, 0, False, "public.session")
    assert columns(judged["lesson"])["id"] == ("renumbered", "id", 0)
    assert counts(judged["booking"]) == ("unchanged", 0, 0, 0, False)
    assert columns(judged["booking"])["lesson_id"][0] == "repointed"


@pytest.mark.parametrize(
    ("links", "said"),
    {
        "": ("lost", 0, 0, 150, True),
        "UPDATE booking SET lesson_id = 799 + lesson_id": ("changed", 0, 150, 0, True),
        "UPDATE booking SET lesson_id = 1000 - CASE id WHEN 1 THEN 2 ELSE lesson_id END": ("changed", 0, 1, 0, True),
        "UPDATE booking SET lesson_id = CASE WHEN id > 10 THEN 1000 - lesson_id END": ("lost", 0, 0, 8, True),
    }.items(),
    ids=["left as they were", "in another order", "one to another row", "some to none"],
)
def test_a_copy_under_new_ids_is_refused_where_links_do_not_follow(
    migrate: Migrate, links: str, said: tuple[str, int, int, int, bool]
) -> None:
    assert counts(migrate(NEW_IDS + links)["booking"]) == said


@pytest.mark.parametrize(
    ("follow", "refused"),
    [("1000 - lesson_id", False), ("CASE lesson_id WHEN 2 THEN 999 ELSE 1000 - lesson_id END", True)],
)
def test_equal_rows_under_new_ids_are_told_apart_by_what_leads_to_them(
    migrate: Migrate, follow: str, refused: bool
) -> None:
    twins = SCHOOL + "UPDATE lesson SET title = 'x', room = 'y', price = 1, at = 'today', teacher_id = 1 WHERE id <= 2"
    judged = migrate(f"{NEW_IDS} UPDATE booking SET lesson_id = {follow}", twins)
    assert any(table.refused for table in judged.values()) is refused


TREE = """
CREATE TABLE tree (id int PRIMARY KEY, name text, above int REFERENCES tree);
INSERT INTO tree SELECT n, 'n' || n, CASE WHEN n > 1 THEN n / 2 END FROM generate_series(1, 9) n;
"""


@pytest.mark.parametrize(("above", "refused"), [("above + 50", False), ("51", True)])
def test_a_tree_under_new_ids_must_keep_its_shape(migrate: Migrate, above: str, refused: bool) -> None:
    copied = f"CREATE TABLE wood (LIKE tree INCLUDING ALL); INSERT INTO wood SELECT id + 50, name, {above} FROM tree"
    assert migrate(f"{copied}; DROP TABLE tree", TREE)["tree"].refused is refused


def test_a_new_empty_table_for_an_old_full_one_loses_all(migrate: Migrate) -> None:
    judged = migrate(f"{COPY} DROP TABLE lesson")
    assert counts(judged["lesson"]) == ("lost", 200, 0, 0, True)
    assert counts(judged["session"]) == ("added", 0, 0, 0, False)


def test_a_dropped_table_is_lost_with_all_its_rows(migrate: Migrate) -> None:
    booking = only(migrate("DROP TABLE booking"), "booking")
    assert (*counts(booking), booking.sample) == ("lost", 200, 0, 0, True, ["1", "2", "3", "4", "5"])


def test_a_dropped_empty_table_is_no_loss(migrate: Migrate) -> None:
    assert counts(only(migrate("DROP TABLE t", "CREATE TABLE t (v int)"), "t")) == ("removed", 0, 0, 0, False)


def test_deleted_rows_are_lost(migrate: Migrate) -> None:
    booking = only(migrate("DELETE FROM booking WHERE id = ANY ('{3,5,7}')"), "booking")
    assert (*counts(booking), booking.sample) == ("lost", 3, 0, 0, True, ["3", "5", "7"])


def test_one_of_two_equal_rows_is_lost(migrate: Migrate) -> None:
    school = "CREATE TABLE t (v int); INSERT INTO t VALUES (1), (1), (2)"
    gone = "DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t WHERE v = 1)"
    assert counts(only(migrate(gone, school), "t")) == ("lost", 1, 0, 0, True)


def test_rows_replaced_by_others_are_lost(migrate: Migrate) -> None:
    others = "INSERT INTO booking SELECT n, NULL, true FROM generate_series(301, 309) n"
    booking = only(migrate(f"DELETE FROM booking WHERE id <= 9; {others}"), "booking")
    assert counts(booking) == ("lost", 9, 0, 0, True)


def test_rows_that_were_added_are_no_loss(migrate: Migrate) -> None:
    assert migrate("INSERT INTO teacher VALUES (11, 'Frau 11'); CREATE INDEX ON teacher (name)") == {}


CHANGES = {
    "text cut": ("UPDATE lesson SET title = left(title, 9)", 101),
    "text cut by its type": ("ALTER TABLE lesson ALTER title TYPE varchar(9) USING left(title, 9)", 101),
    "numbers rounded": ("UPDATE lesson SET price = round(price)", 175),
    "time by an hour": ("UPDATE lesson SET at = at + interval '1 h'", 200),
    "time cut to its day": ("ALTER TABLE lesson ALTER at TYPE date USING (at AT TIME ZONE 'UTC')::date", 192),
    "time in another zone": ("SET timezone = 'Asia/Tokyo'; ALTER TABLE lesson ALTER at TYPE timestamp", 200),
    "links to other rows": ("UPDATE lesson SET teacher_id = 1", 180),
    "values swapped between two rows": (
        "UPDATE lesson SET title = CASE id WHEN 1 THEN 'Stunde 2' ELSE 'Stunde 1' END WHERE id <= 2", 2),
    "two columns swapped by name": (
        "ALTER TABLE lesson RENAME title TO x; ALTER TABLE lesson RENAME room TO title;"
        "ALTER TABLE lesson RENAME x TO room", 200),
}


@pytest.mark.parametrize("what", CHANGES)
def test_changed_values_are_counted_by_rows(migrate: Migrate, what: str) -> None:
    change, rows = CHANGES[what]
    lesson = only(migrate(change), "lesson")
    assert counts(lesson) == ("changed", 0, rows, 0, True)
    assert 1 <= len(lesson.sample) <= 5


def test_values_set_to_null_are_lost(migrate: Migrate) -> None:
    lesson = only(migrate("UPDATE lesson SET title = NULL WHERE id <= 4"), "lesson")
    assert (*counts(lesson), lesson.sample) == ("lost", 0, 0, 4, True, ["1", "2", "3", "4"])


@pytest.mark.parametrize(
    "widening",
    [
        "ALTER TABLE lesson ALTER id TYPE bigint",
        "ALTER TABLE lesson ALTER teacher_id TYPE bigint",
        "ALTER TABLE lesson ALTER title TYPE varchar(200)",
        "ALTER TABLE lesson ALTER title TYPE text",
        "ALTER TABLE lesson ALTER price TYPE numeric(12, 2)",
        "ALTER TABLE booking ALTER paid TYPE int USING paid::int",
        "ALTER TABLE lesson ALTER id TYPE bigint, ALTER title TYPE text;"
        "INSERT INTO lesson VALUES (0, repeat('x', 60))",
        "SET timezone = 'UTC'; ALTER TABLE lesson ALTER at TYPE timestamp",
        "ALTER TABLE lesson ADD note text DEFAULT 'x'; ALTER TABLE lesson ALTER room SET NOT NULL",
        "ALTER TABLE lesson ALTER price TYPE numeric(12, 4)",
        "ALTER TABLE lesson ALTER id TYPE bigint; INSERT INTO lesson (id) VALUES (5000000000)",
    ],
)
def test_a_wider_type_keeps_every_value(migrate: Migrate, widening: str) -> None:
    for table in migrate(widening).values():
        assert counts(table) == ("unchanged", 0, 0, 0, False)


def test_links_set_to_null_with_their_renamed_column_are_lost(migrate: Migrate) -> None:
    booking = only(migrate("ALTER TABLE booking DROP lesson_id; ALTER TABLE booking ADD session_id int"), "booking")
    assert counts(booking) == ("lost", 0, 0, 150, True)
    assert columns(booking) == {"lesson_id": ("lost", "", 150), "session_id": ("added", "", 0)}


def test_some_links_set_to_null_with_their_renamed_column_are_lost(migrate: Migrate) -> None:
    some = "ALTER TABLE booking RENAME lesson_id TO session_id; UPDATE booking SET session_id = NULL WHERE id <= 80"
    booking = only(migrate(some), "booking")
    assert counts(booking) == ("lost", 0, 0, 60, True)
    assert columns(booking) == {"lesson_id": ("lost", "session_id", 60)}


def test_a_dropped_column_loses_its_values(migrate: Migrate) -> None:
    booking = only(migrate("ALTER TABLE booking DROP paid"), "booking")
    assert counts(booking) == ("lost", 0, 0, 200, True)


def test_a_dropped_column_without_values_is_no_loss(migrate: Migrate) -> None:
    judged = migrate("ALTER TABLE t DROP v", "CREATE TABLE t (id int, v int); INSERT INTO t VALUES (1, NULL)")
    assert counts(only(judged, "t")) == ("unchanged", 0, 0, 0, False)


def test_a_dropped_column_and_another_of_other_values_are_not_a_move(migrate: Migrate) -> None:
    judged = migrate("ALTER TABLE lesson DROP teacher_id; ALTER TABLE lesson ADD seats int DEFAULT 12")
    assert counts(only(judged, "lesson")) == ("lost", 0, 0, 200, True)


def test_the_tables_that_django_keeps_may_change(migrate: Migrate) -> None:
    school = "CREATE TABLE django_content_type (id, model) AS VALUES (1, 'lesson')"
    table = only(migrate("UPDATE django_content_type SET model = 'session'", school), "django_content_type")
    assert counts(table) == ("changed", 0, 1, 0, False)


LINKED_BY_CODE = """
CREATE TABLE lesson (id int PRIMARY KEY, code text UNIQUE); INSERT INTO lesson VALUES (1, 'a'), (2, 'b');
CREATE TABLE booking (id int, code text REFERENCES lesson (code)); INSERT INTO booking VALUES (1, 'a'), (2, 'b');
"""
TWINS = "CREATE TABLE t AS SELECT n AS id, n + 5 AS made, n + 5 AS seen, n * n AS seats FROM generate_series(1, 9) n"
PAIR = "CREATE TABLE b AS SELECT n AS id, 'x' || n AS name FROM generate_series(1, 9) n; CREATE TABLE a (LIKE b)"


@pytest.mark.parametrize(
    ("school", "migration"),
    [
        pytest.param(TWINS, "ALTER TABLE t RENAME made TO x; ALTER TABLE t RENAME seen TO y;"
                     "ALTER TABLE t RENAME seats TO z",
                     id="columns renamed of which two are equal"),
        pytest.param(PAIR, "DROP TABLE a; ALTER TABLE b RENAME TO c", id="an empty table dropped, a like one renamed"),
        pytest.param(PAIR + "; INSERT INTO a SELECT n, 'x' || n FROM generate_series(20, 29) n",
                     "CREATE TABLE c AS SELECT * FROM a UNION ALL SELECT * FROM b; DROP TABLE a; DROP TABLE b",
                     id="two tables merged into one"),
        pytest.param(SCHOOL, "ALTER TABLE lesson ALTER teacher_id TYPE bigint;"
                     "ALTER TABLE lesson RENAME teacher_id TO tutor_id",
                     id="a column renamed and widened"),
        pytest.param("CREATE TABLE t AS SELECT n AS id, n + 1 AS a, n * 2 AS b FROM generate_series(1, 9) n",
                     "ALTER TABLE t RENAME b TO c; ALTER TABLE t RENAME a TO b",
                     id="a name taken over by another column"),
        pytest.param("CREATE TABLE t (v char(5)); INSERT INTO t VALUES ('ab')", "ALTER TABLE t ALTER v TYPE varchar(5)",
                     id="padded text made varchar"),
        pytest.param(LINKED_BY_CODE, "CREATE TABLE session (id int PRIMARY KEY, code text UNIQUE);"
                     "INSERT INTO session SELECT id + 50, code FROM lesson; DROP TABLE lesson CASCADE",
                     id="new ids, and links to another unique column"),
    ],
)
def test_what_loses_nothing_is_accepted(migrate: Migrate, school: str, migration: str) -> None:
    refused = [counts(table) for table in migrate(migration, school).values() if table.refused]
    assert refused == []


CYCLE = """
CREATE TABLE a_team (id int PRIMARY KEY, name text, captain int);
CREATE TABLE player (id int PRIMARY KEY, name text, team int REFERENCES a_team);
ALTER TABLE a_team ADD FOREIGN KEY (captain) REFERENCES player;
INSERT INTO a_team SELECT n, 'T' || n FROM generate_series(1, 5) n;
INSERT INTO player SELECT n, 'P' || n, 1 + n % 5 FROM generate_series(1, 10) n;
"""
CAPTAINS = "UPDATE a_team SET captain = id;"
GUESTS = "CREATE TABLE guest (id int PRIMARY KEY, team int REFERENCES a_team); INSERT INTO guest VALUES (1, 1);"
CLUB = "CREATE TABLE club (LIKE a_team INCLUDING ALL); CREATE TABLE man (LIKE player INCLUDING ALL);"


@pytest.mark.parametrize(
    ("school", "migration"),
    [
        pytest.param(SCHOOL, "ALTER TABLE lesson ALTER teacher_id TYPE numeric(10, 2) USING teacher_id + 0.3",
                     id="an int made numeric and changed behind the point"),
        pytest.param("CREATE TABLE vote (id int, kind int); INSERT INTO vote SELECT n, 1 FROM generate_series(1, 9) n",
                     "DROP TABLE vote; CREATE TABLE room AS SELECT n AS id, 1 AS floor FROM generate_series(1, 20) n",
                     id="a dropped table and an unrelated one of equal numbers"),
        pytest.param("CREATE TABLE tag (id int PRIMARY KEY, active bool); INSERT INTO tag VALUES (1, true), (2, true)",
                     "DROP TABLE tag; CREATE TABLE flag (id int PRIMARY KEY, shown bool);"
                     "INSERT INTO flag VALUES (8, true), (9, true)",
                     id="a dropped table and an unrelated one of other keys and equal flags"),
        pytest.param(SCHOOL.replace("REFERENCES lesson", ""),
                     NEW_IDS.replace("ALTER TABLE booking DROP CONSTRAINT booking_lesson_id_fkey;", ""),
                     id="new ids, and the links without a constraint left as they were"),
        pytest.param("CREATE TABLE teacher (id int PRIMARY KEY); INSERT INTO teacher SELECT generate_series(1, 9);"
                     "CREATE TABLE room (LIKE teacher INCLUDING ALL); INSERT INTO room TABLE teacher;"
                     "CREATE TABLE lesson (id int, teacher_id int REFERENCES teacher);"
                     "INSERT INTO lesson SELECT id, id FROM teacher",
                     "ALTER TABLE lesson DROP teacher_id; ALTER TABLE lesson ADD room_id int REFERENCES room;"
                     "UPDATE lesson SET room_id = id",
                     id="a link dropped, and one to another table of equal numbers added"),
        pytest.param(CYCLE + CAPTAINS,
                     f"{CLUB} INSERT INTO club TABLE a_team; INSERT INTO man SELECT 11 - id, name, team FROM player;"
                     "DROP TABLE a_team, player CASCADE; ALTER TABLE club ADD FOREIGN KEY (captain) REFERENCES man",
                     id="new ids in a circle of links, and one side left as it was"),
    ],
)
def test_what_loses_values_or_links_is_refused(migrate: Migrate, school: str, migration: str) -> None:
    assert any(table.refused for table in migrate(migration, school).values())


def test_a_circle_of_links_under_new_ids_comes_to_an_end(migrate: Migrate) -> None:
    migrate(f"{CLUB} INSERT INTO club SELECT id + 50, name FROM a_team;"
            "INSERT INTO man SELECT id + 50, name, team + 50 FROM player; DROP TABLE a_team, player CASCADE;"
            "UPDATE guest SET team = team + 50", CYCLE + GUESTS)


def test_changed_rows_are_named_where_a_column_has_a_per_cent_sign(migrate: Migrate) -> None:
    school = 'CREATE TABLE t (id int PRIMARY KEY, "100 %" int); INSERT INTO t SELECT n, n FROM generate_series(1, 9) n'
    table = only(migrate('UPDATE t SET "100 %" = 0 WHERE id = 3', school), "t")
    assert (*counts(table), table.sample) == ("changed", 0, 1, 0, True, ["3"])


def test_keys_of_several_columns_are_joined(migrate: Migrate) -> None:
    school = 'CREATE TABLE t (a, "B ""x""", v) AS VALUES (1, 7, 2); ALTER TABLE t ADD PRIMARY KEY (a, "B ""x""")'
    assert only(migrate("UPDATE t SET v = 3", school), "t").sample == ["1,7"]


def test_rows_without_a_key_are_counted_but_not_named(migrate: Migrate) -> None:
    table = only(migrate("UPDATE t SET v = 3", "CREATE TABLE t (v int); INSERT INTO t VALUES (1), (2)"), "t")
    assert (*counts(table), table.sample) == ("changed", 0, 2, 0, True, [])

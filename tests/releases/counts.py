"""Counts: what is told of a wrong release must be what is wrong, and differ from what a right one is told."""

from __future__ import annotations

from tests.releases.case import altered, bad, fine, op

EVENTS = """
CREATE TABLE event (id int PRIMARY KEY, at date NOT NULL, kind text NOT NULL, note text);
INSERT INTO event SELECT n, date '2025-07-01' + n * 10, 'K' || n % 3, CASE WHEN n % 5 > 0 THEN 'N' || n END
    FROM generate_series(1, 40) n;
"""
PARTS = """
ALTER TABLE event RENAME TO event_old;
CREATE TABLE event (id int {key}, at date NOT NULL, kind text NOT NULL, note text) PARTITION BY RANGE (at);
CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO event SELECT {id}, at, kind, {note} FROM event_old {rows}; DROP TABLE event_old;
ALTER TABLE event ADD PRIMARY KEY (id, at);
"""


def parts(note: str = "note", rows: str = "", key: str = "NOT NULL", number: str = "id") -> str:
    return PARTS.format(note=note, rows=rows, key=key, id=number)


PARTED = [
    fine("partitions: a copy, right", parts(), "every row is in one", schema=EVENTS),
    fine("partitions: a copy under new keys, right", parts(number="id + 500"), "every row is in one", schema=EVENTS),
    bad("partitions: a copy, a column forgotten", parts("NULL"), "32 notes", {"event": "note 32"}, schema=EVENTS),
    bad("partitions: a copy, a column forgotten for some", parts("CASE WHEN id > 10 THEN note END"), "eight notes",
        {"event": "note 8"}, schema=EVENTS),
    bad("partitions: a copy, a column of other values", parts("note || '!'"), "32 notes", {"event": "changed 32"},
        schema=EVENTS),
    bad("partitions: a copy under new keys, a column forgotten", parts("NULL", number="id + 500"), "32 notes",
        {"event": "note 32"}, schema=EVENTS),
    bad("partitions: a copy, rows forgotten", parts(rows="WHERE id <> 5"), "one event", {"event": "lost 1"},
        schema=EVENTS),
    bad("partitions: a copy, a column and rows forgotten", parts("NULL", "WHERE id > 5"),
        "five events with four notes, and 28 notes", {"event": "lost 5, note 28"}, schema=EVENTS),
]  # fmt: skip

LINKS = """
CREATE TABLE room (id int PRIMARY KEY, name text);
INSERT INTO room SELECT n, 'R' || n FROM generate_series(1, 4) n;
CREATE TABLE lesson (id int PRIMARY KEY, title text, room_id int REFERENCES room);
INSERT INTO lesson SELECT n, 'L' || n, CASE WHEN n > 6 THEN 1 + n % 4 END FROM generate_series(1, 20) n;
CREATE TABLE tag (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO tag SELECT n, 'T' || n FROM generate_series(1, 5) n;
CREATE TABLE lesson_tags (id int PRIMARY KEY, lesson_id int NOT NULL REFERENCES lesson, tag_id int NOT NULL REFERENCES
    tag, UNIQUE (lesson_id, tag_id));
INSERT INTO lesson_tags SELECT n, n, 1 + n % 5 FROM generate_series(1, 18) n;
INSERT INTO lesson_tags SELECT n + 18, n, 1 + (n + 2) % 5 FROM generate_series(1, 4) n;
"""
ONE = "ALTER TABLE lesson ADD tag_id int REFERENCES tag; UPDATE lesson l SET tag_id = {0}; DROP TABLE lesson_tags"
FIRST = "(SELECT {0} FROM lesson_tags t WHERE t.lesson_id = l.id)"
SINGLE = LINKS + "DELETE FROM lesson_tags WHERE id > 18;"
THREE = LINKS + """
DELETE FROM lesson_tags;
INSERT INTO lesson_tags SELECT 3 * l + k, l, 1 + (l + k) % 5 FROM generate_series(1, 20) l, generate_series(0, 2) k;
"""
PLAN = [op("AddField", "lesson", new_column="tag_id"), op("RunPython", code="lesson tag tags"),
        op("RemoveField", "lesson_tags")]  # fmt: skip
TO_ONE = [
    fine("to one: each has one, right", ONE.format(FIRST.format("min(tag_id)")), "18 pairs", schema=SINGLE),
    bad("to one: four have two, the first is kept", ONE.format(FIRST.format("min(tag_id)")), "four pairs",
        {"lesson_tags": "lost 4"}, schema=LINKS),
    bad("to one: four have two, the last is kept", ONE.format(FIRST.format("max(tag_id)")), "four pairs",
        {"lesson_tags": "lost 4"}, schema=LINKS),
    bad("to one: four have two, all are given the next", ONE.format(FIRST.format("1 + min(tag_id) % 5")),
        "of the second tags none is the next one of the first", {"lesson_tags": "lost 22"}, schema=LINKS),
    bad("to one: four have two, all are given the first tag of all",
        ONE.format("(SELECT min(id) FROM tag)"), "lessons 5, 10, 15 and 3 had it: 18 pairs of others",
        {"lesson_tags": "lost 18"}, schema=LINKS),
    bad("to one: four have two, two lessons are exchanged",
        ONE.format("(SELECT min(tag_id) FROM lesson_tags t WHERE t.lesson_id = CASE l.id WHEN 11 THEN 12 WHEN 12 THEN "
                   "11 ELSE l.id END)"), "four pairs, and two", {"lesson_tags": "lost 6"}, schema=LINKS),
    bad("to one: four have two, by the pair's number",
        ONE.format("(SELECT tag_id FROM lesson_tags t WHERE t.id = l.id)"), "four pairs: numbers of lessons",
        {"lesson_tags": "lost 4"}, schema=LINKS),
    bad("to one: four have two, none is kept", ONE.format("NULL"), "all", {"lesson_tags": "lost 22"}, schema=LINKS),
    fine("to one: each has one, right, with the plan", ONE.format(FIRST.format("min(tag_id)")), "18 pairs",
         schema=SINGLE, plan=PLAN),
    bad("to one: each has three, the first is kept", ONE.format(FIRST.format("min(tag_id)")), "two of three",
        {"lesson_tags": "lost 40"}, schema=THREE, plan=PLAN),
    bad("to one: each has three, all are given a fourth one",
        ONE.format("(SELECT min(g.id) FROM tag g WHERE NOT EXISTS (SELECT FROM lesson_tags t WHERE t.tag_id = g.id AND "
                   "t.lesson_id = l.id))"), "all", {"lesson_tags": "lost 60"}, schema=THREE, plan=PLAN),
    bad("to one: each has three, all are given one tag", ONE.format("2"), "twelve lessons had it",
        {"lesson_tags": "lost 48"}, schema=THREE, plan=PLAN),
    bad("to one: from the other side, the first is kept",
        "ALTER TABLE tag ADD lesson_id int REFERENCES lesson; UPDATE tag g SET lesson_id = (SELECT min(lesson_id) FROM "
        "lesson_tags t WHERE t.tag_id = g.id); DROP TABLE lesson_tags", "five of 60 pairs are kept",
        {"lesson_tags": "lost 55"}, schema=THREE, plan=PLAN),
    bad("to one: from the other side, another one",
        "ALTER TABLE tag ADD lesson_id int REFERENCES lesson; UPDATE tag g SET lesson_id = (SELECT min(id) FROM lesson "
        "l WHERE NOT EXISTS (SELECT FROM lesson_tags t WHERE t.tag_id = g.id AND t.lesson_id = l.id)); DROP TABLE "
        "lesson_tags", "none", {"lesson_tags": "lost 60"}, schema=THREE, plan=PLAN),
]  # fmt: skip

# One is NULL already: those that are made NULL, too, can't be told from it any more.
JSON = """
CREATE TABLE form (id int PRIMARY KEY, data text);
INSERT INTO form SELECT n, CASE WHEN n = 50 THEN NULL WHEN n % 33 = 0 THEN '' ELSE '{"b": ' || n || ', "a": [1, 2]}' END
    FROM generate_series(1, 100) n;
"""
EMPTIED = "UPDATE form SET data = NULL WHERE data = ''; ALTER TABLE form ALTER data TYPE jsonb USING data::jsonb;"
READ = [
    bad("json: empty texts made NULL, then jsonb", EMPTIED, "three texts were empty and are NULL now",
        {"form": "data 3"}, schema=JSON),
    bad("json: empty texts made NULL, then jsonb, and one spoilt",
        EMPTIED + "UPDATE form SET data = '{}' WHERE id = 5", "three texts were empty; one is another",
        {"form": "data 3, changed 1"}, schema=JSON),
    bad("json: empty texts made objects, then jsonb",
        "UPDATE form SET data = '{}' WHERE data = ''; ALTER TABLE form ALTER data TYPE jsonb USING data::jsonb;",
        "three texts", {"form": "changed 3"}, schema=JSON),
    fine("json: a text that is none stays NULL", "ALTER TABLE form ALTER data TYPE jsonb USING data::jsonb;",
         "NULL stays NULL", schema=JSON + "UPDATE form SET data = NULL WHERE data = '';"),
    bad("uuid: empty texts made NULL, then uuid",
        "UPDATE form SET data = NULL WHERE data = ''; ALTER TABLE form ALTER data TYPE uuid USING data::uuid;",
        "three texts were empty and are NULL now", {"form": "data 3"},
        schema=JSON + "UPDATE form SET data = upper(md5(data)) WHERE data <> '';"),
    bad("number: empty texts made NULL, then a number",
        "UPDATE form SET data = NULL WHERE data = ''; ALTER TABLE form ALTER data TYPE int USING data::int;",
        "three texts were empty and are NULL now", {"form": "data 3"},
        schema=JSON + "UPDATE form SET data = id WHERE data <> '';"),
]  # fmt: skip

ONE_EMPTY = JSON + "DELETE FROM form WHERE id = 50;"
TO_NULL = "UPDATE form SET data = NULL WHERE data = '';"
READ += [
    fine("json: empty texts made NULL, where none was", EMPTIED, "NULL says what an empty text said", schema=ONE_EMPTY),
    fine("text: empty texts made NULL, where none was", TO_NULL, "NULL says what an empty text said", schema=ONE_EMPTY),
    bad("text: empty texts made NULL, where one was", TO_NULL, "three can't be told from the fourth any more",
        {"form": "data 3"}, schema=JSON),
    bad("text: NULL made an empty text, where three were", "UPDATE form SET data = '' WHERE data IS NULL",
        "one can't be told from three any more", {"form": altered(1, "data")}, schema=JSON),
    fine("uuid: empty texts made NULL, then uuid, where none was",
         TO_NULL + "ALTER TABLE form ALTER data TYPE uuid USING data::uuid;", "NULL says what an empty text said",
         schema=ONE_EMPTY + "UPDATE form SET data = upper(md5(data)) WHERE data <> '';"),
    fine("number: empty texts made NULL, then a number, where none was",
         TO_NULL + "ALTER TABLE form ALTER data TYPE int USING data::int;", "NULL says what an empty text said",
         schema=ONE_EMPTY + "UPDATE form SET data = id WHERE data <> '';"),
    bad("number: empty texts made NULL, then a number, and one with a zero before it",
        TO_NULL + "ALTER TABLE form ALTER data TYPE int USING data::int;", "07 became 7", None,
        schema=ONE_EMPTY + "UPDATE form SET data = id WHERE data <> ''; UPDATE form SET data = '07' WHERE id = 7;"),
]  # fmt: skip

CASES = PARTED + TO_ONE + READ

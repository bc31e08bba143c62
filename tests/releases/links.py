"""Links between rows where the rows that they lead to have new keys: followed, shifted, crossed, forgotten."""

from __future__ import annotations

from tests.releases.case import Case, bad, fine
from tests.releases.school import DJANGO, SCHOOL, SHOP

COLUMNS = "title, teacher_id, room_id, starts_at, minutes, price, online, notes"
SESSION = """
ALTER TABLE school_booking DROP CONSTRAINT school_booking_lesson_id_fkey;
ALTER TABLE school_lesson_tags DROP CONSTRAINT school_lesson_tags_lesson_id_fkey;
CREATE TABLE school_session (LIKE school_lesson INCLUDING ALL);
ALTER TABLE school_session ADD FOREIGN KEY (teacher_id) REFERENCES school_teacher DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE school_session ADD FOREIGN KEY (room_id) REFERENCES school_room DEFERRABLE INITIALLY DEFERRED;
"""
FOREIGN_KEYS = """
ALTER TABLE school_booking ADD FOREIGN KEY (lesson_id) REFERENCES school_session DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE school_lesson_tags ADD FOREIGN KEY (lesson_id) REFERENCES school_session DEFERRABLE INITIALLY DEFERRED;
"""
RENAMED = """
ALTER TABLE school_booking RENAME lesson_id TO session_id;
ALTER TABLE school_lesson_tags RENAME lesson_id TO session_id;
ALTER TABLE school_lesson_tags RENAME TO school_session_tags;
"""


def rekeyed(key: str, booking: str, tags: str, constraint: bool = True, rows: str = "") -> str:
    """Copy lessons into sessions under new keys; the links become what the expressions say."""
    return f"""{SESSION}
INSERT INTO school_session (id, {COLUMNS}) SELECT {key}, {COLUMNS} FROM school_lesson {rows};
UPDATE school_booking SET lesson_id = {booking};
CREATE TABLE pairs AS SELECT id, {tags} AS lesson_id FROM school_lesson_tags;
ALTER TABLE school_lesson_tags DROP CONSTRAINT school_lesson_tags_lesson_id_tag_id_key;
UPDATE school_lesson_tags t SET lesson_id = pairs.lesson_id FROM pairs WHERE pairs.id = t.id;
DROP TABLE pairs, school_lesson;
{FOREIGN_KEYS if constraint else ""}"""


KEYS = {
    "in order": "{0} + 100",
    "in reverse": "1000 - {0}",
    "in no order": "100 + {0} * 7 % 23",
    "out of the old ones": "21 - {0}",
    "rotated": "{0} % 20 + 1",
}
THERE = {"school_lesson": "school_session"}


def followed() -> list[Case]:
    """Lessons under new keys to which all links lead."""
    found = []
    for name, key in KEYS.items():
        ids, links = key.format("id"), key.format("lesson_id")
        move = rekeyed(ids, links, links)
        found += [
            fine(f"links: new ids {name}, all follow", move, "each link leads to the copy of its row", went=THERE),
            fine(f"links: new ids {name}, all follow under new names", move + RENAMED, "names besides", went=THERE),
            fine(f"links: new ids {name}, all follow without a constraint", rekeyed(ids, links, links, False),
                 "db_constraint=False on the new field: the links are right none the less", went=THERE),
        ]  # fmt: skip
    return found


UP, LINKED = "id + 100", "lesson_id + 100"
LEFT = {
    name: bad(
        f"links: new ids {name}, links left as they were",
        rekeyed(KEYS[name].format("id"), "lesson_id", "lesson_id", constraint=name in ("out of the old ones",
        "rotated")),
        "the numbers are those of other rows, or of none",
        {"school_booking": "changed 40 or lesson_id 40", "school_lesson_tags": "changed 30 or lesson_id 30 or lost 30"},
    )
    for name in KEYS
}  # fmt: skip
ASTRAY = [
    bad("links: shifted by one", rekeyed(UP, "101 + lesson_id % 20", LINKED),
        "each booking is of the next lesson", {"school_booking": "changed 40"}),
    bad("links: pairs shifted by one", rekeyed(UP, LINKED, "101 + lesson_id % 20"),
        "each tag is on the next lesson", {"school_lesson_tags": "changed 30 or lost 30"}),
    bad("links: all to one", rekeyed(UP, "101", LINKED), "38 bookings were of others",
        {"school_booking": "changed 38"}),
    bad("links: one to another", rekeyed(UP, "CASE id WHEN 5 THEN 106 ELSE lesson_id + 100 END", LINKED),
        "booking 5 was of lesson 5", {"school_booking": "changed 1"}),
    bad("links: two crossed", rekeyed(UP, "CASE id WHEN 5 THEN 106 WHEN 6 THEN 105 ELSE lesson_id + 100 END", LINKED),
        "each lesson has as many bookings as before", {"school_booking": "changed 2"}),
    bad("links: by title instead of by row",
        rekeyed(UP, "(SELECT min(s.id) FROM school_session s JOIN school_lesson l ON l.title = s.title "
                    "WHERE l.id = lesson_id)", LINKED),
        "titles repeat: the first of each of five takes all", {"school_booking": "changed 30"}),
    bad("links: all NULL", rekeyed(UP, "NULL", LINKED), "on_delete=SET_NULL", {"school_booking": "lesson_id 40"}),
    bad("links: some NULL", rekeyed(UP, "CASE WHEN id <= 30 THEN lesson_id + 100 END", LINKED),
        "the last ten lead nowhere", {"school_booking": "lesson_id 10"}),
    bad("links: a new column, left NULL",
        rekeyed(UP, LINKED, LINKED) + "ALTER TABLE school_booking DROP lesson_id; ALTER TABLE school_booking ADD "
        "session_id bigint REFERENCES school_session;",
        "AddField, and nobody filled it", {"school_booking": "lesson_id 40"}),
    bad("links: some dangle", rekeyed(UP, "lesson_id + CASE WHEN id <= 10 THEN 500 ELSE 100 END", LINKED, False),
        "the first ten lead to no row", {"school_booking": "changed 10 or lesson_id 10"}),
    bad("links: half the rows copied, links to the rest NULL",
        rekeyed(UP, "CASE WHEN lesson_id <= 10 THEN lesson_id + 100 END", LINKED, False, "WHERE id <= 10")
        + "DELETE FROM school_lesson_tags WHERE lesson_id > 110;",
        "ten lessons, 20 links and ten pairs are gone",
        {"school_lesson": "lost 10", "school_booking": "lesson_id 20", "school_lesson_tags": "lost 10"}),
    bad("links: half the rows copied, links to the rest lead nowhere",
        rekeyed(UP, LINKED, LINKED, False, "WHERE id <= 10"),
        "the rows are lost, and what led to them leads nowhere",
        {"school_lesson": "lost 10", "school_booking": "changed 20 or lesson_id 20 or nothing",
         "school_lesson_tags": "changed 10 or lesson_id 10 or lost 10 or nothing"}),
    bad("links: a pair lost", rekeyed(UP, LINKED, LINKED) + "DELETE FROM school_lesson_tags WHERE id = 30;",
        "one tag of one lesson", {"school_lesson_tags": "lost 1"}),
    bad("links: a pair lost and another twice",
        rekeyed(UP, LINKED, "CASE id WHEN 30 THEN 109 ELSE lesson_id + 100 END"),
        "the number of pairs is right", {"school_lesson_tags": "changed 1 or lost 1"}),
    fine("links: a pair more",
         rekeyed(UP, LINKED, LINKED) + "INSERT INTO school_lesson_tags (lesson_id, tag_id) VALUES (120, 4);",
         "rows may be added", went=THERE),
    bad("links: the content of a copy spoilt, its links right",
        rekeyed(UP, LINKED, LINKED) + "UPDATE school_session SET notes = 'x' WHERE id <= 103;",
        "three lessons lost their notes; the links lead to what is left of them",
        {"school_lesson": "lost 3 or changed 3", "school_booking": "nothing or changed 6 or lesson_id 6",
         "school_lesson_tags": "nothing or changed 6 or lesson_id 6 or lost 6"}),
]  # fmt: skip

PAIRS = """
CREATE TABLE school_session_tags (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, session_id bigint NOT NULL,
    tag_id bigint NOT NULL REFERENCES school_tag, UNIQUE (session_id, tag_id));
INSERT INTO school_session_tags (session_id, tag_id) SELECT {0} FROM school_lesson_tags {1};
DROP TABLE school_lesson_tags;
ALTER TABLE school_session_tags ADD FOREIGN KEY (session_id) REFERENCES school_session;
"""
THROUGH = SESSION + f"""
INSERT INTO school_session (id, {COLUMNS}) SELECT 21 - id, {COLUMNS} FROM school_lesson;
UPDATE school_booking SET lesson_id = 21 - lesson_id;
""" + PAIRS + """
DROP TABLE school_lesson;
ALTER TABLE school_booking ADD FOREIGN KEY (lesson_id) REFERENCES school_session;
"""  # fmt: skip
MANY = [
    fine("m2m: both sides and the pairs copied under new keys", THROUGH.format("21 - lesson_id, tag_id",
        "ORDER BY 1, 2"),
         "session.tags.set(lesson.tags.all())", went={**THERE, "school_lesson_tags": "school_session_tags"}),
    bad("m2m: pairs copied with the old numbers", THROUGH.format("lesson_id, tag_id", ""),
        "each tag is on another lesson; of the 30 pairs, those are the same by chance that the mirrored lesson has",
        None),
    bad("m2m: a pair not copied", THROUGH.format("21 - lesson_id, tag_id", "WHERE id <> 3"), "one pair",
        {"school_lesson_tags": "lost 1"}),
    bad("m2m: pairs not copied", THROUGH.format("lesson_id, tag_id", "WHERE false"), "all pairs: tags.set() forgotten",
        {"school_lesson_tags": "lost 30"}),
    bad("m2m: only the first tag of each", THROUGH.format("21 - lesson_id, min(tag_id)", "GROUP BY lesson_id"),
        "lessons 1 to 10 had two", {"school_lesson_tags": "lost 10"}),
    bad("m2m: all tags on all", THROUGH.format("s.id, t.id", ", school_session s, school_tag t GROUP BY 1, 2"),
        "every pair is there, and 50 that nobody made; but no pair is lost", None, debatable=True),
    fine("m2m: a pair table without an id",
         "CREATE TABLE pair AS SELECT lesson_id, tag_id FROM school_lesson_tags; DROP TABLE school_lesson_tags;"
         "ALTER TABLE pair ADD PRIMARY KEY (lesson_id, tag_id), ADD FOREIGN KEY (lesson_id) REFERENCES school_lesson,"
         "ADD FOREIGN KEY (tag_id) REFERENCES school_tag",
         "the ids of pairs mean nothing: nothing links to them", went={"school_lesson_tags": "pair"}),
    fine("m2m: renamed by hand",
         "ALTER TABLE school_lesson_tags RENAME TO school_lesson_labels; "
         "ALTER TABLE school_lesson_labels RENAME tag_id TO label_id",
         "every pair is there", went={"school_lesson_tags": "school_lesson_labels"}),
]  # fmt: skip

TREE = """
CREATE TABLE node (id int PRIMARY KEY, name text NOT NULL, parent_id int REFERENCES node);
INSERT INTO node SELECT n, 'N' || n, CASE WHEN n > 1 THEN n / 2 END FROM generate_series(1, 9) n;
"""
ALIKE = TREE.replace("'N' || n", "'N' || n % 2")
LEVELS = """
CREATE TABLE folder (LIKE node INCLUDING ALL); INSERT INTO folder SELECT {0}, name, {1} FROM node; DROP TABLE node;
"""
ABOVE = "ALTER TABLE folder ADD FOREIGN KEY (parent_id) REFERENCES folder;"
TREES = [
    fine("tree: new ids, right", LEVELS.format("id + 50", "parent_id + 50") + ABOVE, "the tree has its shape",
         schema=TREE, went={"node": "folder"}),
    fine("tree: new ids in no order, right", LEVELS.format("id * 7 % 11 + 3", "parent_id * 7 % 11 + 3") + ABOVE,
         "the tree has its shape", schema=TREE, went={"node": "folder"}),
    fine("tree: new ids out of the old ones, right", LEVELS.format("10 - id", "10 - parent_id") + ABOVE,
         "the tree has its shape", schema=TREE, went={"node": "folder"}),
    fine("tree: new ids, nodes alike, right", LEVELS.format("id + 50", "parent_id + 50") + ABOVE,
         "only the shape tells the nodes apart, and it is the same", schema=ALIKE, went={"node": "folder"}),
    bad("tree: new ids out of the old ones, parents left", LEVELS.format("10 - id", "parent_id") + ABOVE,
        "all eight are under another", {"node": "changed 8 or lost 8"}, schema=TREE),
    bad("tree: new ids, parents left", LEVELS.format("id + 50", "parent_id"), "parents that are nowhere",
        {"node": "changed 8 or lost 8 or parent_id 8"}, schema=TREE),
    bad("tree: new ids, parents forgotten", LEVELS.format("id + 50", "NULL::int") + ABOVE, "a heap of roots",
        {"node": "changed 8 or lost 8 or parent_id 8"}, schema=TREE),
    bad("tree: new ids, all under the root", LEVELS.format("id + 50", "CASE WHEN id > 1 THEN 51 END") + ABOVE,
        "2 and 3 were under the root; six were not", {"node": "changed 6 or lost 6"}, schema=TREE),
    bad("tree: new ids, one under another", LEVELS.format("id + 50", "CASE id WHEN 9 THEN 53 ELSE parent_id + 50 END")
        + ABOVE, "9 was under 4", {"node": "changed 1 or lost 1"}, schema=TREE),
    bad("tree: new ids, nodes alike, one under another",
        LEVELS.format("id + 50", "CASE id WHEN 9 THEN 52 ELSE parent_id + 50 END") + ABOVE,
        "9 was under 4, and is under 2, which is called like 4", None, schema=ALIKE),
    bad("tree: same ids, one under another", "UPDATE node SET parent_id = 3 WHERE id = 9", "9 was under 4",
        {"node": "changed 1"}, schema=TREE),
    fine("tree: the link renamed", "ALTER TABLE node RENAME parent_id TO above_id", "no value changed", schema=TREE,
         went={"node.parent_id": "node.above_id"}),
]  # fmt: skip

MATCH = """
CREATE TABLE team (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO team SELECT n, 'Team ' || n FROM generate_series(1, 6) n;
CREATE TABLE match (id int PRIMARY KEY, home_team_id int NOT NULL REFERENCES team,
    away_team_id int NOT NULL REFERENCES team, goals int);
INSERT INTO match SELECT n, 1 + n % 6, 1 + (n + 1 + n % 2) % 6, n % 4 FROM generate_series(1, 18) n;
"""
CLUB = """
ALTER TABLE match DROP CONSTRAINT match_home_team_id_fkey, DROP CONSTRAINT match_away_team_id_fkey;
CREATE TABLE club (id int PRIMARY KEY, name text NOT NULL); INSERT INTO club SELECT 7 - id, name FROM team;
UPDATE match SET home_team_id = 7 - {0}, away_team_id = 7 - {1}; DROP TABLE team;
ALTER TABLE match ADD FOREIGN KEY (home_team_id) REFERENCES club, ADD FOREIGN KEY (away_team_id) REFERENCES club;
"""
TWO = [
    fine("two links: new ids, right", CLUB.format("home_team_id", "away_team_id"), "both follow", schema=MATCH,
         went={"team": "club"}),
    fine("two links: new ids, right, both renamed",
         CLUB.format("home_team_id", "away_team_id") + "ALTER TABLE match RENAME home_team_id TO home_club_id;"
         "ALTER TABLE match RENAME away_team_id TO away_club_id", "both follow", schema=MATCH,
         went={"match.home_team_id": "match.home_club_id", "match.away_team_id": "match.away_club_id"}),
    bad("two links: new ids, swapped", CLUB.format("away_team_id", "home_team_id"), "home is away in all 18",
        {"match": "changed 18"}, schema=MATCH),
    bad("two links: same ids, swapped", "UPDATE match SET home_team_id = away_team_id, away_team_id = home_team_id",
        "home is away in all 18", {"match": "changed 18"}, schema=MATCH),
    bad("two links: new ids, both the same", CLUB.format("home_team_id", "home_team_id"), "home plays home",
        {"match": "changed 18"}, schema=MATCH),
    bad("two links: new ids, one right, one left",
        CLUB.format("home_team_id", "(7 - away_team_id)"), "the visitors are others",
        {"match": "changed 18"}, schema=MATCH),
    bad("two links: new ids, swapped in one match",
        CLUB.format("CASE id WHEN 7 THEN away_team_id ELSE home_team_id END",
                    "CASE id WHEN 7 THEN home_team_id ELSE away_team_id END"), "match 7",
        {"match": "changed 1"}, schema=MATCH),
]  # fmt: skip

CHAIN = """
ALTER TABLE shop_orderline DROP CONSTRAINT shop_orderline_order_id_fkey;
ALTER TABLE shop_order DROP CONSTRAINT shop_order_customer_id_fkey;
ALTER TABLE shop_address DROP CONSTRAINT shop_address_customer_id_fkey;
CREATE TABLE shop_buyer (LIKE shop_customer); CREATE TABLE shop_purchase (LIKE shop_order);
CREATE TABLE shop_item (LIKE shop_orderline);
ALTER TABLE shop_buyer ADD PRIMARY KEY (id); ALTER TABLE shop_purchase ADD PRIMARY KEY (id);
ALTER TABLE shop_item ADD PRIMARY KEY (id);
INSERT INTO shop_buyer SELECT 1000 - id, name, email, city, created, vip FROM shop_customer;
INSERT INTO shop_purchase SELECT 10000 + id * 7 % 2003, {0}, number, created, total, status, note FROM shop_order;
INSERT INTO shop_item SELECT 5000 - id, {1}, product_id, quantity, price FROM shop_orderline;
UPDATE shop_address SET customer_id = {2};
DROP TABLE shop_orderline, shop_order, shop_customer;
ALTER TABLE shop_purchase ADD FOREIGN KEY (customer_id) REFERENCES shop_buyer;
ALTER TABLE shop_item ADD FOREIGN KEY (order_id) REFERENCES shop_purchase,
    ADD FOREIGN KEY (product_id) REFERENCES shop_product;
ALTER TABLE shop_address ADD FOREIGN KEY (customer_id) REFERENCES shop_buyer;
"""
BUYER, PURCHASE = "1000 - customer_id", "10000 + order_id * 7 % 2003"
ALL_THREE = {"shop_customer": "shop_buyer", "shop_order": "shop_purchase", "shop_orderline": "shop_item"}
CHAINS = [
    fine("chain: three tables under new ids, right", CHAIN.format(BUYER, PURCHASE, BUYER), "each link follows",
         schema=SHOP, went=ALL_THREE),
    fine("chain: three tables under new ids, right, and links renamed",
         CHAIN.format(BUYER, PURCHASE, BUYER) + "ALTER TABLE shop_purchase RENAME customer_id TO buyer_id;"
         "ALTER TABLE shop_item RENAME order_id TO purchase_id; ALTER TABLE shop_address RENAME customer_id TO "
         "buyer_id",
         "each link follows", schema=SHOP, went=ALL_THREE),
    bad("chain: wrong in the middle", CHAIN.format("200 + (1000 - customer_id) % 800", PURCHASE, BUYER),
        "orders are other customers'; their lines follow them", None, schema=SHOP),
    bad("chain: one wrong in the middle",
        CHAIN.format("CASE id WHEN 77 THEN 500 ELSE 1000 - customer_id END", PURCHASE, BUYER),
        "one order is another customer's; its lines may be told, too",
        {"shop_order": "lost 1 or changed 1", "shop_orderline": "nothing or lost 2 or changed 2"}, schema=SHOP),
    bad("chain: one wrong at the end",
        CHAIN.format(BUYER, "CASE id WHEN 77 THEN 10007 ELSE 10000 + order_id * 7 % 2003 END", BUYER),
        "one line is of another order", {"shop_orderline": "lost 1 or changed 1"}, schema=SHOP),
    bad("chain: wrong beside it", CHAIN.format(BUYER, PURCHASE, "999 - (customer_id - 1 + 100) % 800"),
        "addresses are other customers'", {"shop_address": "changed 900"}, schema=SHOP),
    bad("chain: two orders of one customer exchange their lines",
        CHAIN.format(BUYER, "10000 + (CASE order_id WHEN 8 THEN 808 WHEN 808 THEN 8 ELSE order_id END) * 7 % 2003",
        BUYER),
        "orders 8 and 808 are of the same customer, of other dates; each has two lines",
        {"shop_orderline": "lost 4 or changed 4"}, schema=SHOP),
]  # fmt: skip

TWINS = DJANGO + """
CREATE TABLE course (id int PRIMARY KEY, title text NOT NULL, seats int NOT NULL);
INSERT INTO course VALUES (1, 'Chor', 12), (2, 'Chor', 12), (3, 'Band', 5), (4, 'Solo', 1);
CREATE TABLE seat (id int PRIMARY KEY, course_id int REFERENCES course, name text NOT NULL);
INSERT INTO seat VALUES (1, 1, 'Mia'), (2, 1, 'Noah'), (3, 2, 'Lea'), (4, 3, 'Paul'), (5, 2, 'Jan'), (6, 2, 'Ida');
CREATE TABLE invoice (id int PRIMARY KEY, course_id int REFERENCES course, amount numeric(6, 2) NOT NULL);
INSERT INTO invoice VALUES (1, 1, 100), (2, 2, 250), (3, 3, 70);
"""  # fmt: skip
CLASS = """
ALTER TABLE seat DROP CONSTRAINT seat_course_id_fkey; ALTER TABLE invoice DROP CONSTRAINT invoice_course_id_fkey;
CREATE TABLE class (LIKE course INCLUDING ALL); INSERT INTO class SELECT {0}, title, seats FROM course {3};
UPDATE seat SET course_id = {1}; UPDATE invoice SET course_id = {2}; DROP TABLE course;
ALTER TABLE seat ADD FOREIGN KEY (course_id) REFERENCES class;
ALTER TABLE invoice ADD FOREIGN KEY (course_id) REFERENCES class;
"""
FOLLOW = "course_id + 10"
CROSS = "CASE course_id WHEN 1 THEN 12 WHEN 2 THEN 11 ELSE course_id + 10 END"
TWIN = [
    fine("twins: new ids, right", CLASS.format("id + 10", FOLLOW, FOLLOW, ""),
         "each of two equal courses has its seats and its invoice", schema=TWINS, went={"course": "class"}),
    fine("twins: new ids, crossed throughout", CLASS.format("id + 10", CROSS, CROSS, ""),
         "new ids mean nothing: 12 is then the copy of 1", schema=TWINS, went={"course": "class"}, debatable=True),
    bad("twins: new ids, crossed in one table", CLASS.format("id + 10", CROSS, FOLLOW, ""),
        "the choir of five pays what the choir of two owed", None, schema=TWINS),
    bad("twins: new ids, all seats on one", CLASS.format("id + 10",
        "CASE course_id WHEN 1 THEN 12 ELSE course_id + 10 END",
                                                       FOLLOW, ""), "two seats were on the other", None, schema=TWINS),
    bad("twins: new ids, one seat on the other", CLASS.format("id + 10",
        "CASE id WHEN 2 THEN 12 ELSE course_id + 10 END",
                                                            FOLLOW, ""), "Noah's course is the other one", None,
                                                            schema=TWINS),
    bad("twins: new ids, two seats exchanged",
        CLASS.format("id + 10", "CASE id WHEN 2 THEN 12 WHEN 3 THEN 11 ELSE course_id + 10 END", FOLLOW, ""),
        "numbers of seats are equal: only who sits with whom tells", None, schema=TWINS),
    bad("twins: made one", CLASS.format("id + 10", "CASE course_id WHEN 2 THEN 11 ELSE course_id + 10 END",
                                        "CASE course_id WHEN 2 THEN 11 ELSE course_id + 10 END", "WHERE id <> 2"),
        "one of two equal courses is gone", None, schema=TWINS),
    fine("twins: same ids, right", CLASS.format("id", "course_id", "course_id", ""), "nothing has changed",
        schema=TWINS,
         went={"course": "class"}),
    bad("twins: same ids, crossed in one table", CLASS.format("id", "CASE course_id WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE "
                                                              "course_id END", "course_id", ""),
        "five seats moved to the other", {"seat": "changed 5"}, schema=TWINS),
    fine("twins: without links to them, new ids",
         "CREATE TABLE note AS SELECT id + 100 AS id, day, text FROM memo; ALTER TABLE note ADD PRIMARY KEY (id);"
         "DROP TABLE memo", "nothing tells two equal memos apart, and nothing needs to", went={"memo": "note"},
         schema="CREATE TABLE memo (id int PRIMARY KEY, day date, text text); INSERT INTO memo SELECT n, '2026-01-01', "
         "'ok' FROM generate_series(1, 5) n"),
    bad("twins: without links to them, one lost",
        "CREATE TABLE note AS SELECT id + 100 AS id, day, text FROM memo WHERE id > 1; ALTER TABLE note ADD PRIMARY "
        "KEY "
        "(id); DROP TABLE memo", "four of five equal memos", {"memo": "lost 1"},
        schema="CREATE TABLE memo (id int PRIMARY KEY, day date, text text); INSERT INTO memo SELECT n, '2026-01-01', "
        "'ok' FROM generate_series(1, 5) n"),
]  # fmt: skip

LOOSE = SCHOOL + """
CREATE TABLE school_mail (id bigint PRIMARY KEY, lesson_id bigint NOT NULL, subject text NOT NULL, copies int NOT NULL);
INSERT INTO school_mail SELECT n, 1 + n % 20, 'Mail ' || n, 1 + n % 5 FROM generate_series(1, 15) n;
CREATE INDEX ON school_mail (lesson_id);
"""  # fmt: skip
NO_CONSTRAINT = [
    fine("loose: a link without a constraint follows",
         rekeyed(UP, LINKED, LINKED) + "UPDATE school_mail SET lesson_id = lesson_id + 100;",
         "db_constraint=False: each number became that of the copy", schema=LOOSE, went=THERE),
    fine("loose: a link without a constraint follows, ids in reverse",
         rekeyed("21 - id", "21 - lesson_id", "21 - lesson_id") + "UPDATE school_mail SET lesson_id = 21 - lesson_id;",
         "each number became that of the copy", schema=LOOSE, went=THERE),
    fine("loose: a link without a constraint follows and is renamed",
         rekeyed(UP, LINKED, LINKED) + "UPDATE school_mail SET lesson_id = lesson_id + 100;"
         "ALTER TABLE school_mail RENAME lesson_id TO session_id;", "each number became that of the copy", schema=LOOSE,
         went=THERE),
    bad("loose: a link without a constraint forgotten", rekeyed(UP, LINKED, LINKED),
        "its numbers are those of no session", {"school_mail": "changed 15 or lesson_id 15"}, schema=LOOSE),
    bad("loose: a link without a constraint forgotten, ids in reverse",
        rekeyed("21 - id", "21 - lesson_id", "21 - lesson_id"), "its numbers are those of other sessions",
        {"school_mail": "changed 15 or lesson_id 15"}, schema=LOOSE),
    bad("loose: a link without a constraint shifted",
        rekeyed(UP, LINKED, LINKED) + "UPDATE school_mail SET lesson_id = lesson_id + 101;",
        "its numbers are those of other sessions", {"school_mail": "changed 15 or lesson_id 15"}, schema=LOOSE),
    bad("loose: a link without a constraint partly forgotten",
        rekeyed(UP, LINKED, LINKED) + "UPDATE school_mail SET lesson_id = lesson_id + 100 WHERE id <= 9;",
        "six were forgotten", {"school_mail": "changed 6 or lesson_id 6"}, schema=LOOSE),
    fine("loose: numbers that are no links stay as they are", rekeyed(UP, LINKED, LINKED),
         "seats, copies, minutes lie among the lessons' old keys by chance", went=THERE),
    fine("loose: the constraint of a link dropped",
         "ALTER TABLE school_booking DROP CONSTRAINT school_booking_lesson_id_fkey", "no value changed"),
    bad("loose: the rows dropped, links without a constraint left",
        "DROP TABLE school_lesson CASCADE", "twenty lessons are gone; what led to them leads nowhere",
        {"school_lesson": "lost 20", "school_booking": "nothing or lesson_id 40",
         "school_lesson_tags": "nothing or lesson_id 30", "school_mail": "nothing or lesson_id 15"}, schema=LOOSE),
]  # fmt: skip

CASES = followed() + list(LEFT.values()) + ASTRAY + MANY + TREES + TWO + CHAINS + TWIN + NO_CONSTRAINT

"""Two tables made one, columns carried along links, links made pairs and pairs made links."""

from __future__ import annotations

from tests.releases.case import altered, bad, fine
from tests.releases.school import SCHOOL, SHOP

# Trainers and tutors with keys that collide, and what links to each.
STAFF = """
CREATE TABLE trainer (id int PRIMARY KEY, name text NOT NULL, wage numeric(6, 2) NOT NULL);
INSERT INTO trainer SELECT n, 'Trainer ' || n, 20 + n FROM generate_series(1, 6) n;
CREATE TABLE tutor (id int PRIMARY KEY, name text NOT NULL, wage numeric(6, 2) NOT NULL);
INSERT INTO tutor SELECT n, 'Tutor ' || n, 15 + n FROM generate_series(1, 4) n;
CREATE TABLE course (id int PRIMARY KEY, title text NOT NULL, trainer_id int REFERENCES trainer);
INSERT INTO course SELECT n, 'Kurs ' || n, 1 + n % 6 FROM generate_series(1, 12) n;
CREATE TABLE hour (id int PRIMARY KEY, day date NOT NULL, tutor_id int REFERENCES tutor);
INSERT INTO hour SELECT n, date '2026-01-01' + n, 1 + n % 4 FROM generate_series(1, 10) n;
"""
PERSON = """
ALTER TABLE course DROP CONSTRAINT course_trainer_id_fkey; ALTER TABLE hour DROP CONSTRAINT hour_tutor_id_fkey;
CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL, wage numeric(6, 2) NOT NULL{kind});
INSERT INTO person SELECT {one}, name, wage{first} FROM trainer {trainers};
INSERT INTO person SELECT {two}, name, wage{second} FROM tutor {tutors};
UPDATE course SET trainer_id = {course}; UPDATE hour SET tutor_id = {hour};
DROP TABLE trainer, tutor;
ALTER TABLE course ADD FOREIGN KEY (trainer_id) REFERENCES person;
ALTER TABLE hour ADD FOREIGN KEY (tutor_id) REFERENCES person;
"""


def merged(
    two: str = "id + 10",
    course: str = "trainer_id",
    hour: str = "tutor_id + 10",
    one: str = "id",
    kind: bool = True,
    trainers: str = "",
    tutors: str = "",
) -> str:
    """Make persons of trainers and tutors."""
    kinds = (", kind text NOT NULL", ", 'trainer'", ", 'tutor'") if kind else ("", "", "")
    return PERSON.format(kind=kinds[0], first=kinds[1], second=kinds[2], one=one, two=two, course=course, hour=hour,
                         trainers=trainers, tutors=tutors)  # fmt: skip


BOTH = {"trainer": "person", "tutor": "person"}
INTO_ONE = [
    fine("merge: one keeps its keys, the other's are new", merged(), "every row and link is there", schema=STAFF,
         went=BOTH),
    fine("merge: both under new keys", merged("id * 2", "trainer_id * 2 + 1", "tutor_id * 2", "id * 2 + 1"),
         "every row and link is there", schema=STAFF, went=BOTH),
    fine("merge: without a kind", merged(kind=False), "every row and link is there", schema=STAFF, went=BOTH),
    fine("merge: one into the other, which stays",
         "ALTER TABLE hour DROP CONSTRAINT hour_tutor_id_fkey; INSERT INTO trainer SELECT id + 10, name, wage FROM "
         "tutor;"
         "UPDATE hour SET tutor_id = tutor_id + 10; DROP TABLE tutor; ALTER TABLE hour ADD FOREIGN KEY (tutor_id) "
         "REFERENCES trainer", "every row and link is there", schema=STAFF, went={"tutor": "trainer"}),
    fine("merge: one into the other, which is renamed",
         "ALTER TABLE hour DROP CONSTRAINT hour_tutor_id_fkey; INSERT INTO trainer SELECT id + 10, name, wage FROM "
         "tutor;"
         "UPDATE hour SET tutor_id = tutor_id + 10; DROP TABLE tutor; ALTER TABLE trainer RENAME TO person; "
         "ALTER TABLE hour ADD FOREIGN KEY (tutor_id) REFERENCES person", "every row and link is there", schema=STAFF,
         went=BOTH),
    bad("merge: colliding keys left out", merged("id", hour="tutor_id", tutors="WHERE id > 6 OR id = 0"),
        "ON CONFLICT DO NOTHING: all four tutors are gone, and their hours lead to trainers",
        {"tutor": "lost 4", "hour": "changed 10 or nothing or tutor_id 10"}, schema=STAFF),
    bad("merge: links of the second left as they were", merged(hour="tutor_id"), "hours of tutors are now of trainers",
        {"hour": "changed 10 or tutor_id 10"}, schema=STAFF),
    bad("merge: links of the first moved, too",
        merged(course="CASE WHEN trainer_id <= 4 THEN trainer_id + 10 ELSE trainer_id END"),
        "courses of four trainers are now of tutors", {"course": "changed 8 or trainer_id 8"}, schema=STAFF),
    bad("merge: one of the second forgotten", merged(tutors="WHERE id <> 2",
        hour="CASE WHEN tutor_id <> 2 THEN tutor_id + 10 END"),
        "a tutor, and three hours", {"tutor": "lost 1", "hour": "tutor_id 3"}, schema=STAFF),
    bad("merge: one of each of the second twice",
        merged(tutors="WHERE id <> 2 UNION ALL SELECT 12, name, wage, 'tutor' FROM tutor WHERE id = 1"),
        "the number is right: tutor 2 became tutor 1", None, schema=STAFF),
    bad("merge: only the first", merged(tutors="WHERE false", hour="NULL"), "all tutors", {"tutor": "lost 4",
        "hour": "tutor_id 10"},
        schema=STAFF),
    bad("merge: equal rows made one",
        "CREATE TABLE word AS SELECT * FROM a UNION SELECT * FROM b; DROP TABLE a, b",
        "UNION instead of UNION ALL: 'x' was in a once and in b twice; now once", None,
        schema="CREATE TABLE a (t text, n int); INSERT INTO a VALUES ('x', 1), ('y', 2); CREATE TABLE b (t text, n "
        "int);"
        "INSERT INTO b VALUES ('x', 1), ('x', 1), ('z', 3)"),
    bad("merge: a tutor who is a trainer, too, made one",
        "ALTER TABLE hour DROP CONSTRAINT hour_tutor_id_fkey; UPDATE hour SET tutor_id = CASE tutor_id WHEN 4 THEN "
        "6 ELSE "
        "tutor_id + 10 END; INSERT INTO trainer SELECT id + 10, name, wage FROM tutor WHERE id < 4; DROP TABLE tutor; "
        "ALTER TABLE hour ADD FOREIGN KEY (tutor_id) REFERENCES trainer",
        "row 4 of the tutors equals row 6 of the trainers; made one, a row is gone and cannot be told again", None,
        schema=STAFF + "UPDATE tutor SET name = 'Trainer 6', wage = 26 WHERE id = 4;"),
    fine("merge: thousands, without links to them",
         "CREATE TABLE place (id serial PRIMARY KEY, kind text, customer_id bigint REFERENCES shop_customer, street "
         "varchar(100), zip varchar(10), country char(2)); INSERT INTO place (kind, customer_id, street, zip, country) "
         "SELECT 'bill', customer_id, street, zip, country FROM shop_address UNION ALL SELECT 'ship', customer_id, "
         "street, "
         "zip, country FROM shop_shipping; DROP TABLE shop_address, shop_shipping",
         "every address is there", went={"shop_address": "place", "shop_shipping": "place"},
         schema=SHOP + "CREATE TABLE shop_shipping AS SELECT id, customer_id, 'Tor ' || id % 70 AS street, zip, "
         "country "
         "FROM shop_address WHERE id % 3 = 0; ALTER TABLE shop_shipping ADD PRIMARY KEY (id), ADD FOREIGN KEY "
         "(customer_id) REFERENCES shop_customer;"),
    bad("merge: lines summed up",
        "ALTER TABLE shop_order ADD items int; UPDATE shop_order o SET items = (SELECT sum(quantity) FROM "
        "shop_orderline l "
        "WHERE l.order_id = o.id); DROP TABLE shop_orderline", "4,000 lines are gone, whatever their sum",
        {"shop_orderline": "lost 4000"}, schema=SHOP),
    bad("merge: lines of one product summed up",
        "CREATE TABLE t AS SELECT min(id) AS id, order_id, product_id, sum(quantity)::int AS quantity, price FROM "
        "shop_orderline GROUP BY order_id, product_id, price; TRUNCATE shop_orderline; INSERT INTO shop_orderline "
        "SELECT * FROM t; DROP TABLE t", "each order had two lines of one product: one is gone, one has other pieces",
        {"shop_orderline": "lost 2000, changed 2000 or lost 4000"}, schema=SHOP),
]  # fmt: skip

TERM = """
CREATE TABLE course (id int PRIMARY KEY, title text NOT NULL, fee numeric(6, 2));
INSERT INTO course SELECT n, 'Kurs ' || n, n * 10 FROM generate_series(1, 5) n;
CREATE TABLE term (id int PRIMARY KEY, course_id int NOT NULL REFERENCES course, place text, seats int NOT NULL);
INSERT INTO term SELECT n, 1 + n % 4, 'Ort ' || 1 + n % 4, n % 4 + 8 FROM generate_series(1, 16) n;
CREATE TABLE badge (id int PRIMARY KEY, course_id int NOT NULL UNIQUE REFERENCES course, colour text);
INSERT INTO badge SELECT n, 6 - n, 'Farbe ' || n FROM generate_series(1, 5) n;
"""
UP = """ALTER TABLE course ADD place text; UPDATE course c SET place = (SELECT {0}(t.place) FROM term t
WHERE t.course_id = c.id); ALTER TABLE term DROP place;"""
DOWN = """ALTER TABLE term ADD fee numeric(6, 2);
UPDATE term t SET fee = c.fee FROM course c WHERE c.id = t.course_id {0}; ALTER TABLE course DROP fee;"""
OTHER = TERM + "UPDATE term SET place = 'Ort X' WHERE id = 7;"
CARRIED = [
    fine("carry: up to the parent, equal for all children", UP.format("min"), "each term's place is its course's",
         schema=TERM, went={"term.place": "course.place"}),
    bad("carry: up to the parent, one child differs", UP.format("min"), "four terms of course 4, of which one has X",
        {"term": "place 1 or changed 1"}, schema=OTHER),
    bad("carry: up to the parent, the wrong one of two", UP.format("max"), "three terms had another place than X",
        {"term": "place 3 or changed 3"}, schema=OTHER),
    bad("carry: up to the parent, not all filled",
        "ALTER TABLE course ADD place text; UPDATE course c SET place = 'Ort ' || id WHERE id < 4; ALTER TABLE term "
        "DROP "
        "place", "four terms of course 4", {"term": "place 4"}, schema=TERM),
    bad("carry: up to the wrong parent", UP.format("min") + "UPDATE course SET place = 'Ort ' || id % 4 + 1;",
        "each course has the next one's", {"term": "place 16 or changed 16"}, schema=TERM),
    bad("carry: down to the children, a parent has none", DOWN.format(""), "course 5 has no term to hold its fee",
        {"course": "fee 1"}, schema=TERM),
    fine("carry: down to the children, all parents have some", DOWN.format(""), "each fee is at its course's terms",
         schema=TERM + "DELETE FROM badge WHERE course_id = 5; DELETE FROM course WHERE id = 5;",
         went={"course.fee": "term.fee"}),
    fine("carry: down to the children, those without have no value", DOWN.format(""), "course 5 had no fee",
         schema=TERM + "UPDATE course SET fee = NULL WHERE id = 5;", went={"course.fee": "term.fee"}),
    bad("carry: down to the children, one child with another value",
        DOWN.format("") + "UPDATE term SET fee = 99 WHERE id = 3;",
        "course 4 costs 40 at three terms and 99 at one: the course's fee is no longer one", None,
        schema=TERM + "UPDATE course SET fee = NULL WHERE id = 5;", debatable=True),
    bad("carry: down to some of the children", DOWN.format("AND t.id > 8"),
        "each course has terms before and after: each fee is still somewhere, and half of the terms have none", None,
        schema=TERM + "UPDATE course SET fee = NULL WHERE id = 5;", debatable=True),
    fine("carry: across a one-to-one link",
         "ALTER TABLE course ADD colour text; UPDATE course c SET colour = b.colour FROM badge b WHERE b.course_id "
         "= c.id;"
         "ALTER TABLE badge DROP colour", "each colour is at its course", schema=TERM,
         went={"badge.colour": "course.colour"}),
    fine("carry: across a one-to-one link, and the table dropped",
         "ALTER TABLE course ADD colour text; UPDATE course c SET colour = b.colour FROM badge b WHERE b.course_id "
         "= c.id;"
         "DROP TABLE badge", "each badge is its course's, with its colour; its own number meant nothing", schema=TERM),
    bad("carry: across a one-to-one link by the wrong number",
        "ALTER TABLE course ADD colour text; UPDATE course c SET colour = b.colour FROM badge b WHERE b.id = c.id;"
        "ALTER TABLE badge DROP colour", "badge n is of course 6 - n: only the third is right",
        {"badge": "colour 4 or changed 4"}, schema=TERM),
    bad("carry: the table dropped that nobody carried over",
        "ALTER TABLE course ADD colour text; DROP TABLE badge", "five badges", {"badge": "lost 5"}, schema=TERM),
    fine("carry: into the pairs",
         "ALTER TABLE school_lesson_tags ADD minutes smallint; UPDATE school_lesson_tags t SET minutes = l.minutes "
         "FROM "
         "school_lesson l WHERE l.id = t.lesson_id; ALTER TABLE school_lesson DROP minutes",
         "every lesson has at least one pair, which holds its minutes", went={"school_lesson.minutes":
                                                                              "school_lesson_tags.minutes"}),
    bad("carry: into the pairs, by chance of the number",
        "ALTER TABLE school_lesson_tags ADD minutes smallint; UPDATE school_lesson_tags t SET minutes = l.minutes FROM "
        "school_lesson l WHERE l.id = t.tag_id; ALTER TABLE school_lesson DROP minutes", "a wrong join", None),
]  # fmt: skip

PEOPLE = """CREATE TABLE school_booking_students (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    booking_id bigint NOT NULL REFERENCES school_booking, student_id bigint NOT NULL REFERENCES school_student);"""
FILL = "INSERT INTO school_booking_students (booking_id, student_id) SELECT {0} FROM school_booking {1};"
DROP = "ALTER TABLE school_booking DROP student_id;"
FIRST = """ALTER TABLE school_lesson ADD tag_id bigint REFERENCES school_tag;
UPDATE school_lesson l SET tag_id = (SELECT {0} FROM school_lesson_tags t WHERE t.lesson_id = l.id {1});
DROP TABLE school_lesson_tags"""
ONE_TAG = SCHOOL + "DELETE FROM school_lesson_tags WHERE id > 20;"
PRODUCT = """
CREATE TABLE item (id int PRIMARY KEY, sku text NOT NULL UNIQUE);
INSERT INTO item SELECT n, 'S' || n * 7 FROM generate_series(1, 8) n;
CREATE TABLE sale (id int PRIMARY KEY, sku text{0}, pieces int);
INSERT INTO sale SELECT n, 'S' || (1 + n % 8) * 7, n % 3 FROM generate_series(1, 20) n;
"""
BY_ID = "ALTER TABLE sale ADD item_id int REFERENCES item; UPDATE sale s SET item_id = {0}; ALTER TABLE sale DROP sku"
RIGHT = "(SELECT i.id FROM item i WHERE i.sku = s.sku)"
RESHAPED = [
    fine("pairs: a link becomes pairs", PEOPLE + FILL.format("id, student_id", "") + DROP, "one pair of each booking",
         went={"school_booking.student_id": "school_booking_students.student_id"}),
    fine("pairs: a link becomes pairs, written in no order",
         PEOPLE + FILL.format("id, student_id", "ORDER BY fee, id DESC") + DROP, "one pair of each booking"),
    fine("pairs: a link that may be NULL becomes pairs",
         "CREATE TABLE school_lesson_rooms (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, lesson_id "
         "bigint NOT "
         "NULL REFERENCES school_lesson, room_id bigint NOT NULL REFERENCES school_room); INSERT INTO "
         "school_lesson_rooms "
         "(lesson_id, room_id) SELECT id, room_id FROM school_lesson WHERE room_id IS NOT NULL; ALTER TABLE "
         "school_lesson "
         "DROP room_id", "fifteen had a room"),
    bad("pairs: a link becomes pairs, one missing", PEOPLE + FILL.format("id, student_id", "WHERE id <> 9") + DROP,
        "booking 9", {"school_booking": "student_id 1"}),
    bad("pairs: a link becomes pairs, none made", PEOPLE + DROP, "forty links", {"school_booking": "student_id 40"}),
    bad("pairs: a link becomes pairs, of the next student", PEOPLE + FILL.format("id, student_id % 12 + 1", "") + DROP,
        "forty links", {"school_booking": "student_id 40 or changed 40"}),
    bad("pairs: a link becomes pairs, numbers exchanged",
        PEOPLE + FILL.format("student_id, student_id", "") + DROP,
        "the student's number for the booking's: right where booking n has student n, and n is 1 + n % 12: never",
        {"school_booking": "student_id 40 or changed 40"}),
    fine("pairs: pairs become a link", FIRST.format("t.tag_id", ""), "each lesson has just one", schema=ONE_TAG),
    bad("pairs: pairs become a link, some have two", FIRST.format("min(t.tag_id)", ""), "ten lessons had two",
        {"school_lesson_tags": "lost 10 or tag_id 10"}),
    bad("pairs: pairs become a link, one forgotten", FIRST.format("t.tag_id", "AND t.lesson_id <> 4"), "lesson 4",
        {"school_lesson_tags": "lost 1 or tag_id 1"}, schema=ONE_TAG),
    bad("pairs: pairs become a link to another", FIRST.format("t.tag_id % 4 + 1", ""), "all twenty",
        {"school_lesson_tags": "lost 20 or tag_id 20 or changed 20"}, schema=ONE_TAG),
    fine("text link: becomes a number", BY_ID.format(RIGHT), "each sale leads to the row that its text named",
         schema=PRODUCT.format(" REFERENCES item (sku)"), went={"sale.sku": "sale.item_id"}),
    fine("text link: becomes a number, without a constraint before", BY_ID.format(RIGHT),
         "each sale leads to the row that has its text", schema=PRODUCT.format("")),
    bad("text link: becomes the number of another", BY_ID.format("1 + s.id % 8 % 7"),
        "the row number, cut: right only where id % 8 is less than 7", {"sale": "sku 2 or changed 2"},
        schema=PRODUCT.format(" REFERENCES item (sku)")),
    bad("text link: those without a row become NULL", BY_ID.format(RIGHT), "three named what is not there",
        {"sale": "sku 3"}, schema=PRODUCT.format("") + "UPDATE sale SET sku = 'gone' WHERE id <= 3"),
    bad("text link: some become NULL", BY_ID.format(f"CASE WHEN id > 5 THEN {RIGHT} END"), "the first five",
        {"sale": "sku 5"}, schema=PRODUCT.format(" REFERENCES item (sku)")),
    fine("text link: a number becomes text again",
         "ALTER TABLE school_lesson_tags ADD tag varchar(30); UPDATE school_lesson_tags t SET tag = g.name FROM "
         "school_tag g "
         "WHERE g.id = t.tag_id; ALTER TABLE school_lesson_tags DROP tag_id; ALTER TABLE school_lesson_tags ADD "
         "FOREIGN KEY "
         "(tag) REFERENCES school_tag (name)", "names are unique, and lead to the same rows", debatable=True),
    fine("link: a parent in between left out",
         "ALTER TABLE shop_orderline ADD customer_id bigint REFERENCES shop_customer; UPDATE shop_orderline l SET "
         "customer_id = o.customer_id FROM shop_order o WHERE o.id = l.order_id", "nothing was taken away",
         schema=SHOP),
]  # fmt: skip

# Lessons have a teacher and helpers; bookings in the office and online, of which some are alike.
HELPERS = """
CREATE TABLE teacher (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO teacher SELECT n, 'T' || n FROM generate_series(1, 30) n;
CREATE TABLE lesson (id int PRIMARY KEY, title text NOT NULL, teacher_id int NOT NULL REFERENCES teacher);
INSERT INTO lesson SELECT n, 'L' || n % 9, 1 + n % 30 FROM generate_series(1, 60) n;
CREATE TABLE lesson_helpers (id serial PRIMARY KEY, lesson_id int NOT NULL REFERENCES lesson,
    teacher_id int NOT NULL REFERENCES teacher, UNIQUE (lesson_id, teacher_id));
INSERT INTO lesson_helpers (lesson_id, teacher_id) SELECT n, 1 + n * 7 % 30 FROM generate_series(1, 60) n
    WHERE n % 3 > 0;
"""
SECOND = "INSERT INTO lesson_helpers (lesson_id, teacher_id) SELECT n, 30 - n FROM generate_series(1, 5, 4) n;"
HELPER = """ALTER TABLE lesson ADD helper_id int REFERENCES teacher; UPDATE lesson l SET helper_id =
    (SELECT {0} FROM lesson_helpers h WHERE h.lesson_id = l.id {1}); DROP TABLE lesson_helpers"""
BOOKINGS = """
CREATE TABLE booking (id serial PRIMARY KEY, person text NOT NULL, paid bool NOT NULL, note text);
INSERT INTO booking (person, paid, note) SELECT 'P' || n % 50, n % 2 = 0, CASE WHEN n % 5 = 0 THEN 'n' || n END
    FROM generate_series(1, 120) n;
CREATE TABLE online (id serial PRIMARY KEY, person text NOT NULL, paid bool NOT NULL, note text);
INSERT INTO online (person, paid) SELECT 'P' || n, n % 3 = 0 FROM generate_series(30, 89) n;
"""
ONLINE = "INSERT INTO booking (person, paid, note) SELECT person, {0}, note FROM online {1}; DROP TABLE online"
ALIKE = [
    fine("pairs: pairs become a second link to the same table", HELPER.format("h.teacher_id", ""),
         "each lesson has its helper beside its teacher", schema=HELPERS),
    bad("pairs: pairs become a second link, some have two", HELPER.format("min(h.teacher_id)", ""),
        "two lessons had two helpers", {"lesson_helpers": "lost 2 or teacher_id 2"}, schema=HELPERS + SECOND),
    bad("pairs: pairs become a second link, one forgotten", HELPER.format("h.teacher_id", "AND h.lesson_id <> 4"),
        "lesson 4", {"lesson_helpers": "lost 1 or teacher_id 1"}, schema=HELPERS),
    fine("merge: rows beside others that are alike", ONLINE.format("paid", ""), "each is there", schema=BOOKINGS),
    bad("merge: rows beside others that are alike, a flag not copied", ONLINE.format("false", ""),
        "twenty were paid, and none is lost", {"online": altered(20, "paid")}, schema=BOOKINGS),
    bad("merge: rows beside others that are alike, left out",
        ONLINE.format("paid", "o WHERE NOT EXISTS (SELECT FROM booking b WHERE b.person = o.person)"),
        "P30 to P49 were not copied, and nothing else changed", {"online": "lost 20"}, schema=BOOKINGS),
]  # fmt: skip

CASES = INTO_ONE + CARRIED + RESHAPED + ALIKE

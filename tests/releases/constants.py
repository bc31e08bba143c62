"""What is alike by chance: columns of one value, small tables, defaults. Equal content there is no proof."""

from __future__ import annotations

from tests.releases.case import Operation, bad, fine, op
from tests.releases.school import SCHOOL

B, P = "school_booking", "school_payment"


def exchanged(table: str, old: str, new: str, definition: str) -> str:
    """Drop a column and add another."""
    return f"ALTER TABLE {table} DROP {old}; ALTER TABLE {table} ADD {new} {definition};"


def replaced(table: str, old: str, new: str) -> list[Operation]:
    """The plan of that."""
    return [op("RemoveField", table, old), op("AddField", table, new)]


FALSE = exchanged(B, "is_gift", "is_shipped", "bool NOT NULL DEFAULT false")
KINDS = """
CREATE TABLE kind (id int PRIMARY KEY, name varchar(20) NOT NULL); INSERT INTO kind VALUES (1, 'a'), (2, 'b'), (3, 'c');
"""
FLAGGED = SCHOOL + """
ALTER TABLE school_booking ADD status varchar(10) NOT NULL DEFAULT 'open', ADD due date,
    ADD remark text NOT NULL DEFAULT '', ADD version int NOT NULL DEFAULT 1, ADD coupon varchar(10),
    ADD place int, ADD again_at timestamptz;
UPDATE school_booking SET place = id, again_at = booked_at, due = '2026-12-31';
"""  # fmt: skip
COLUMNS = [
    bad("constant: a flag dropped, another added, with the plan", FALSE,
        "40 times false was dropped; the default is new",
        {B: "is_gift 40"}, plan=replaced(B, "is_gift", "is_shipped")),
    bad("constant: a flag dropped, another added", FALSE, "a column of one value is no proof of a rename",
        {B: "is_gift 40"}),
    fine("constant: a flag of one value renamed, with the plan", f"ALTER TABLE {B} RENAME is_gift TO is_present",
         "RenameField says so", went={f"{B}.is_gift": f"{B}.is_present"},
         plan=[op("RenameField", B, "is_gift", new_column="is_present")]),
    fine("constant: a flag of one value renamed", f"ALTER TABLE {B} RENAME is_gift TO is_present",
         "the content is that of the case before; only the catalogue could tell", debatable=True),
    bad("constant: a status dropped, another added, with the plan",
        exchanged(B, "status", "state", "varchar(10) NOT NULL DEFAULT 'open'"), "the default is new",
        {B: "status 40"}, schema=FLAGGED, plan=replaced(B, "status", "state")),
    bad("constant: a status dropped, another added",
        exchanged(B, "status", "state", "varchar(10) NOT NULL DEFAULT 'open'"), "one value is no proof",
        {B: "status 40"}, schema=FLAGGED),
    bad("constant: a date dropped, another added", exchanged(B, "due", "paid_on", "date NOT NULL DEFAULT '2026-12-31'"),
        "one value is no proof", {B: "due 40"}, schema=FLAGGED),
    bad("constant: a number dropped, another added", exchanged(B, "version", "seats", "int NOT NULL DEFAULT 1"),
        "one value is no proof", {B: "version 40"}, schema=FLAGGED),
    bad("constant: three dropped, three added",
        exchanged(B, "status", "state", "varchar(10) NOT NULL DEFAULT 'open'")
        + exchanged(B, "version", "seats", "int NOT NULL DEFAULT 1") + FALSE, "one value each is no proof",
        {B: "status 40, version 40, is_gift 40"}, schema=FLAGGED),
    bad("constant: two dropped, one added", "ALTER TABLE school_booking DROP is_gift, DROP is_paid; ALTER TABLE "
        "school_booking ADD done bool NOT NULL DEFAULT false", "neither is where it was",
        {B: "is_gift 40, is_paid 40"}, plan=[op("RemoveField", B, "is_gift"), op("RemoveField", B, "is_paid"),
                                             op("AddField", B, "done")]),
    bad("constant: a flag mostly false dropped, another all false added",
        exchanged(B, "is_paid", "is_shipped", "bool NOT NULL DEFAULT false"),
        "27 of 40 agree by chance; all 40 are gone", {B: "is_paid 40"},
        plan=replaced(B, "is_paid", "is_shipped")),
    bad("constant: a flag mostly false dropped, another all false added, no plan",
        exchanged(B, "is_paid", "is_shipped", "bool NOT NULL DEFAULT false"), "27 of 40 agree by chance",
        {B: "is_paid 40 or is_paid 13"}),
    fine("constant: an empty text dropped", "ALTER TABLE school_booking DROP remark",
         "one empty value and no other is told, and says nothing: Django's CharField has it for nothing",
         schema=FLAGGED),
    fine("constant: an empty text dropped, another added",
         exchanged(B, "remark", "comment", "text NOT NULL DEFAULT ''"), "one empty value and no other says nothing",
         schema=FLAGGED),
    fine("constant: a column without a value dropped", "ALTER TABLE school_booking DROP coupon", "all are NULL",
         schema=FLAGGED),
    fine("constant: a column without a value dropped, another added", exchanged(B, "coupon", "voucher", "varchar(10)"),
         "all are NULL", schema=FLAGGED, plan=replaced(B, "coupon", "voucher")),
    bad("constant: a column equal to the key dropped", "ALTER TABLE school_booking DROP place",
        "that place n was booking n is known no more", {B: "place 40"}, schema=FLAGGED),
    bad("constant: a column equal to another one dropped", "ALTER TABLE school_booking DROP again_at",
        "the other one says something else, if the same today", {B: "again_at 40"}, schema=FLAGGED),
    bad("constant: a column equal to the key dropped, a serial added",
        exchanged(B, "place", "number", "int GENERATED BY DEFAULT AS IDENTITY"),
        "PostgreSQL numbers the rows: the plan has no operation that copies", {B: "place 40"}, schema=FLAGGED,
        plan=replaced(B, "place", "number")),
    bad("constant: a column equal to another one dropped, and one added that is filled from the other",
        exchanged(B, "again_at", "seen_at", "timestamptz") + "UPDATE school_booking SET seen_at = booked_at",
        "equal by content, whatever it was filled from: nothing is lost", None, schema=FLAGGED, debatable=True),
    bad("constant: a link of one value dropped, another added",
        "ALTER TABLE school_payment ADD room_id bigint REFERENCES school_room; UPDATE school_payment SET room_id = 1; "
        "ALTER TABLE school_payment DROP tag_id",
        "1 is another row there", {P: "tag_id 30"},
        schema=SCHOOL + "ALTER TABLE school_payment ADD tag_id bigint REFERENCES school_tag; UPDATE school_payment SET "
        "tag_id = 1;"),
    bad("constant: a link dropped, and one to another table of equal numbers added",
        "ALTER TABLE school_booking ADD teacher_id bigint REFERENCES school_teacher; UPDATE school_booking SET "
        "teacher_id "
        "= tag_id; ALTER TABLE school_booking DROP tag_id", "the numbers mean other rows", {B: "tag_id 40"},
        schema=SCHOOL + "ALTER TABLE school_booking ADD tag_id bigint REFERENCES school_tag; UPDATE school_booking SET "
        "tag_id = 1 + id % 4;"),
    bad("constant: timestamps of one import dropped, others added",
        exchanged(P, "made", "seen", "timestamptz NOT NULL DEFAULT '2026-01-01 00:00+00'"),
        "auto_now_add of one import",
        {P: "made 30"}, plan=replaced(P, "made", "seen"),
        schema=SCHOOL + "ALTER TABLE school_payment ADD made timestamptz NOT NULL DEFAULT '2026-01-01 00:00+00';"),
    bad("constant: a flag dropped, another with the right values but one added",
        exchanged(B, "is_paid", "settled", "bool") + "UPDATE school_booking SET settled = id % 3 = 0 AND id <> 3",
        "is_paid was true at 3", {B: "is_paid 1 or changed 1 or is_paid 40"}),
    fine("constant: a flag dropped, another of the same varied values",
         exchanged(B, "is_paid", "settled", "bool") + "UPDATE school_booking SET settled = id % 3 = 0",
         "forty values of two kinds, each in its row: copied, or as good as", plan=[
             op("AddField", B, "settled"), op("RunPython", code="copy"), op("RemoveField", B, "is_paid")]),
    bad("constant: one row, a flag dropped, another added", exchanged("t", "a", "b", "bool NOT NULL DEFAULT false"),
        "one row proves nothing", {"t": "a 1"},
        schema="CREATE TABLE t (id int PRIMARY KEY, a bool); INSERT INTO t VALUES "
        "(1, false)", plan=replaced("t", "a", "b")),
    bad("constant: one row, a flag dropped, another added, no plan",
        exchanged("t", "a", "b", "bool NOT NULL DEFAULT false"), "one row proves nothing", {"t": "a 1"},
        schema="CREATE TABLE t (id int PRIMARY KEY, a bool); INSERT INTO t VALUES (1, false)"),
    fine("constant: one row, its text copied to another column",
         exchanged("t", "a", "b", "text") + "UPDATE t SET b = 'Musikschule am Park, gegründet 1987'",
         "a singleton's name: too much text to be alike by chance",
         schema="CREATE TABLE t (id int PRIMARY KEY, a text); "
         "INSERT INTO t VALUES (1, 'Musikschule am Park, gegründet 1987')", debatable=True),
]  # fmt: skip

OTHER = "DROP TABLE kind; CREATE TABLE level (id int PRIMARY KEY, {0});"
DELETED = [op("DeleteModel", "kind"), op("CreateModel", "level")]
SEEDED = [*DELETED, op("RunPython", code="seed")]
FLAGS = "CREATE TABLE tag (id int PRIMARY KEY, shown bool NOT NULL); INSERT INTO tag VALUES (1, true), (2, true);"
TABLES = [
    bad("chance: a table dropped, another with the same keys and other names",
        OTHER.format("name varchar(20)") + "INSERT INTO level VALUES (1, 'x'), (2, 'y'), (3, 'z')",
        "only the numbers are alike", {"kind": "lost 3"}, schema=KINDS, plan=SEEDED),
    bad("chance: a table dropped, another with the same keys and other names, no plan",
        OTHER.format("name varchar(20)") + "INSERT INTO level VALUES (1, 'x'), (2, 'y'), (3, 'z')",
        "only the numbers are alike", {"kind": "lost 3"}, schema=KINDS),
    bad("chance: a table dropped, another with keys alone",
        OTHER.format("note text") + "INSERT INTO level VALUES (1), (2), (3)",
        "only the numbers are alike", {"kind": "lost 3"}, schema=KINDS),
    bad("chance: a table dropped, another with one name alike",
        OTHER.format("name varchar(20)") + "INSERT INTO level VALUES (1, 'a'), (2, 'y'), (3, 'z')",
        "(1, 'a') by chance; two at least are gone", {"kind": "lost 3 or lost 2"}, schema=KINDS),
    bad("chance: a table dropped, a kept one has the same rows", "DROP TABLE kind", "size had them before",
        {"kind": "lost 3"}, schema=KINDS + "CREATE TABLE size AS TABLE kind; ALTER TABLE size ADD PRIMARY KEY (id);"),
    bad("chance: a table of flags dropped, another of equal flags",
        "DROP TABLE tag; CREATE TABLE flag (id int PRIMARY KEY, seen bool); INSERT INTO flag VALUES (8, true), (9, "
        "true)",
        "two times true, under other keys and another name", {"tag": "lost 2"}, schema=FLAGS),
    bad("chance: a table of flags dropped, another of equal keys and flags",
        "DROP TABLE tag; CREATE TABLE flag (id int PRIMARY KEY, seen bool); INSERT INTO flag VALUES (1, true), (2, "
        "true)",
        "1, 2 and true are in every database", {"tag": "lost 2"}, schema=FLAGS),
    bad("chance: a table of flags dropped, another of equal keys, flags and names",
        "DROP TABLE tag; CREATE TABLE flag (id int PRIMARY KEY, shown bool); INSERT INTO flag VALUES (1, true), (2, "
        "true)",
        "the same content and the same columns: only a plan could tell", {"tag": "lost 2"}, schema=FLAGS,
        debatable=True),
    fine("chance: a table of flags renamed, with the plan", "ALTER TABLE tag RENAME TO flag", "RenameModel says so",
         schema=FLAGS, plan=[op("RenameModel", "tag", new_table="flag")], went={"tag": "flag"}),
    fine("chance: a table of flags and its column renamed, with the plan",
         "ALTER TABLE tag RENAME TO flag; ALTER TABLE flag RENAME shown TO seen", "the plan says so",
         schema=FLAGS, went={"tag": "flag"}, plan=[op("RenameModel", "tag", new_table="flag"),
                                                   op("RenameField", "flag", "shown", new_column="seen")]),
    fine("chance: a table of three rows renamed", "ALTER TABLE kind RENAME TO level", "three names and keys, whole",
         schema=KINDS, went={"kind": "level"}),
    bad("chance: a table of counters dropped, another of counters",
        "DROP TABLE vote; CREATE TABLE room AS SELECT n AS id, 1 AS floor FROM generate_series(1, 20) n",
        "numbers from 1 and a constant", {"vote": "lost 9"}, schema="CREATE TABLE vote (id int PRIMARY KEY, kind int); "
        "INSERT INTO vote SELECT n, 1 FROM generate_series(1, 9) n"),
    bad("chance: a table of counters dropped, another of as many",
        "DROP TABLE vote; CREATE TABLE room AS SELECT n AS id, 1 AS floor FROM generate_series(1, 9) n",
        "numbers from 1 and a constant, of the same length", {"vote": "lost 9"},
        schema="CREATE TABLE vote (id int PRIMARY KEY, kind int); INSERT INTO vote SELECT n, 1 FROM "
        "generate_series(1, 9) n"),
    bad("chance: a table of keys alone dropped, another of keys alone",
        "DROP TABLE a; CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b SELECT generate_series(1, 5)",
        "numbers from 1; it may have been renamed", {"a": "lost 5"},
        schema="CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 5)", debatable=True),
    fine("chance: an empty table dropped", "DROP TABLE t", "nothing was in it",
        schema="CREATE TABLE t (id int, v text)"),
    fine("chance: an empty table dropped and another made", "DROP TABLE t; CREATE TABLE u (id int, w date)",
         "nothing was in it", schema="CREATE TABLE t (id int, v text)"),
    bad("chance: a full one dropped, an empty one of the same columns renamed",
        "DROP TABLE kind; ALTER TABLE draft RENAME TO "
        "level", "three rows", {"kind": "lost 3"}, schema=KINDS + "CREATE TABLE draft (LIKE kind);"),
    fine("chance: an empty one dropped, a full one of the same columns renamed",
        "DROP TABLE draft; ALTER TABLE kind RENAME TO "
         "level", "nothing was in the empty one", schema=KINDS + "CREATE TABLE draft (LIKE kind);",
         went={"kind": "level"}),
    bad("chance: a table without a key, all rows equal, halved",
        "DELETE FROM t WHERE ctid IN (SELECT ctid FROM t LIMIT 5)",
        "five of ten equal rows", {"t": "lost 5"}, schema="CREATE TABLE t (v int); INSERT INTO t SELECT 1 FROM "
        "generate_series(1, 10)"),
    bad("chance: the same, copied", "CREATE TABLE u AS SELECT v FROM t LIMIT 5; DROP TABLE t",
        "five of ten equal rows are nowhere", {"t": "lost 5 or lost 10"},
        schema="CREATE TABLE t (v int); INSERT INTO t SELECT 1 FROM "
        "generate_series(1, 10)"),
    bad("chance: two tables dropped, one made of the content of both that are alike",
        "CREATE TABLE c AS TABLE kind; ALTER TABLE c ADD PRIMARY KEY (id); DROP TABLE kind, sort",
        "three rows for two times three", None, schema=KINDS + "CREATE TABLE sort AS TABLE kind; ALTER TABLE sort ADD "
        "PRIMARY KEY (id);"),
    fine("chance: two tables alike renamed", "ALTER TABLE kind RENAME TO k; ALTER TABLE sort RENAME TO s",
         "each is somewhere; which is which means nothing, since they are equal", schema=KINDS + "CREATE TABLE sort AS "
         "TABLE kind; ALTER TABLE sort ADD PRIMARY KEY (id);"),
    bad("chance: the plan makes and deletes, the content comes from elsewhere",
        OTHER.format("name varchar(20)") + "INSERT INTO level VALUES (1, 'a'), (2, 'b'), (3, 'c')",
        "no operation could have copied: a table filled by hand or by a signal; but all content is there",
        {"kind": "lost 3"}, schema=KINDS, plan=DELETED, debatable=True),
    bad("chance: a copy without the row that nobody looks at",
        "CREATE TABLE level (LIKE kind INCLUDING ALL); INSERT INTO level SELECT * FROM kind WHERE id < 3; INSERT "
        "INTO level "
        "VALUES (3, 'new'); DROP TABLE kind", "c became new", {"kind": "lost 1 or changed 1"}, schema=KINDS,
        plan=[op("CreateModel", "level"), op("RunPython", code="copy"), op("DeleteModel", "kind")]),
]  # fmt: skip

CASES = COLUMNS + TABLES

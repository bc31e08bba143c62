"""Tables and columns under other names, also under names that others had; and what only looks like it."""

from __future__ import annotations

from tests.releases.case import Operation, bad, fine, op
from tests.releases.school import SHOP

L, S, B = "school_lesson", "school_session", "school_booking"


def model(table: str, new: str) -> Operation:
    return op("RenameModel", table, new_table=new)


def column(table: str, old: str, new: str) -> Operation:
    return op("RenameField", table, old, new_column=new)


SESSION = f"""ALTER TABLE {L} RENAME TO {S}; ALTER TABLE {B} RENAME lesson_id TO session_id;
ALTER TABLE school_lesson_tags RENAME TO school_session_tags;
ALTER TABLE school_session_tags RENAME lesson_id TO session_id;
UPDATE django_content_type SET model = 'session' WHERE model = 'lesson';"""
RENAMED = {L: S, f"{B}.lesson_id": f"{B}.session_id", "school_lesson_tags": "school_session_tags"}

PLAIN = [
    fine("rename: nothing", "SELECT 1", "nothing was done"),
    fine("rename: a model, its links and its pairs", SESSION, "as RenameModel does", went=RENAMED),
    fine("rename: a model, with the plan", SESSION, "as RenameModel does", went=RENAMED, plan=[model(L, S)]),
    fine("rename: a model and a field", SESSION + f"ALTER TABLE {S} RENAME title TO name;",
         "two operations", went={**RENAMED, f"{L}.title": f"{S}.name"}, plan=[model(L, S), column(S, "title", "name")]),
    fine("rename: a model and all of its fields",
         f"ALTER TABLE {L} RENAME TO {S};" + "".join(
             f"ALTER TABLE {S} RENAME {name} TO {new};" for name, new in
             {"title": "subject", "teacher_id": "tutor_id", "room_id": "place_id", "starts_at": "begins",
              "minutes": "length", "price": "cost", "online": "remote", "notes": "remarks"}.items()),
         "every value is there, in its row", went={L: S, f"{L}.title": f"{S}.subject", f"{L}.notes": f"{S}.remarks"}),
    fine("rename: a table and its key", f"ALTER TABLE {L} RENAME TO {S}; ALTER TABLE {S} RENAME id TO session_no;",
         "the key has another name", went={L: S}),
    fine("rename: two tables at once", "ALTER TABLE school_room RENAME TO school_hall; "
         "ALTER TABLE school_tag RENAME TO school_label", "told apart by their columns",
         went={"school_room": "school_hall", "school_tag": "school_label"}),
    fine("rename: every table",
         "".join(f"ALTER TABLE school_{name} RENAME TO music_{name};" for name in
                 ("teacher", "room", "lesson", "student", "booking", "tag", "lesson_tags", "payment")),
         "an app under another label", went={L: "music_lesson", "school_lesson_tags": "music_lesson_tags"}),
    fine("rename: through several names", f"ALTER TABLE {L} RENAME TO a; ALTER TABLE a RENAME TO b; "
         f"ALTER TABLE b RENAME TO {S}", "a, b, c", went={L: S}),
    fine("rename: a column through several names",
         f"ALTER TABLE {L} RENAME title TO a; ALTER TABLE {L} RENAME a TO b; ALTER TABLE {L} RENAME b TO name",
         "a, b, c", went={f"{L}.title": f"{L}.name"}),
    fine("rename: a chain, each to the next one's name",
         f"ALTER TABLE {L} RENAME notes TO remarks; ALTER TABLE {L} RENAME title TO notes; "
         f"ALTER TABLE {L} ALTER notes TYPE text",
         "three fields, two of them under a name that another one had", went={f"{L}.title": f"{L}.notes"},
         plan=[column(L, "notes", "remarks"), column(L, "title", "notes"), op("AlterField", L, "notes")]),
    fine("rename: a chain, each to the next one's name, without a plan",
         f"ALTER TABLE {L} RENAME notes TO remarks; ALTER TABLE {L} RENAME title TO notes; "
         f"ALTER TABLE {L} ALTER notes TYPE text",
         "title is gone and found whole as notes, the former notes as remarks", debatable=True),
    fine("rename: a column to a wider type", f"ALTER TABLE {L} RENAME title TO name; "
         f"ALTER TABLE {L} ALTER name TYPE varchar(200)", "a wider type is no change",
         went={f"{L}.title": f"{L}.name"}),
    fine("rename: a column to text", f"ALTER TABLE {L} RENAME title TO name; ALTER TABLE {L} ALTER name TYPE text",
         "a wider type is no change", went={f"{L}.title": f"{L}.name"}),
    fine("rename: a number to a wider type", f"ALTER TABLE {L} RENAME minutes TO length; "
         f"ALTER TABLE {L} ALTER length TYPE bigint", "a wider type is no change",
         went={f"{L}.minutes": f"{L}.length"}),
    fine("rename: a price with more digits", f"ALTER TABLE {L} RENAME price TO cost; "
         f"ALTER TABLE {L} ALTER cost TYPE numeric(12, 4)", "a wider type is no change",
         went={f"{L}.price": f"{L}.cost"}),
    fine("rename: a table, a link of which becomes bigint", "ALTER TABLE shop_category RENAME TO shop_group; "
         "ALTER TABLE shop_group ALTER id TYPE bigint, ALTER parent_id TYPE bigint; "
         "ALTER TABLE shop_product ALTER category_id TYPE bigint; "
         "ALTER TABLE shop_product RENAME category_id TO group_id", "DEFAULT_AUTO_FIELD, too", schema=SHOP,
         went={"shop_category": "shop_group", "shop_product.category_id": "shop_product.group_id"}),
    fine("rename: into another schema", f"CREATE SCHEMA music; ALTER TABLE {L} SET SCHEMA music",
         "the same table elsewhere", went={L: "music.school_lesson"}),
    fine("rename: every table into another schema", "CREATE SCHEMA music;" + "".join(
        f"ALTER TABLE school_{name} SET SCHEMA music;" for name in
        ("teacher", "room", "lesson", "student", "booking", "tag", "lesson_tags", "payment")),
         "the same tables elsewhere", went={L: "music.school_lesson", B: "music.school_booking"}),
    fine("rename: to names that need quotes", f'ALTER TABLE {L} RENAME TO "Übungs Stunde"; '
         'ALTER TABLE "Übungs Stunde" RENAME title TO "Titel ""%"" \'x\'"', "names are names",
         went={L: '"Übungs Stunde"'}),
    fine("rename: back and forth", f"ALTER TABLE {L} RENAME TO {S}; ALTER TABLE {S} RENAME TO {L}", "nothing changed"),
]  # fmt: skip

TABLES = """ALTER TABLE school_room RENAME TO x; ALTER TABLE school_hall RENAME TO school_room;
ALTER TABLE x RENAME TO school_hall;"""
ROOMS = """
CREATE TABLE school_room (id int PRIMARY KEY, name text); INSERT INTO school_room VALUES (1, 'A'), (2, 'B'), (3, 'C');
CREATE TABLE school_hall (id int PRIMARY KEY, name text); INSERT INTO school_hall VALUES (1, 'Aula'), (2, 'Halle');
"""
AUDITS = """CREATE TABLE a AS SELECT n AS id, n * n AS x FROM generate_series(1, 9) n;
CREATE TABLE b AS SELECT n AS id, 'b' || n AS y, n * 3 AS z FROM generate_series(1, 7) n"""
COLUMNS = """ALTER TABLE school_payment RENAME amount TO x; ALTER TABLE school_payment RENAME net TO amount;
ALTER TABLE school_payment RENAME x TO net"""
P = "school_payment"
SWAPS = [
    fine("swap: two columns by RenameField", COLUMNS, "the plan says so: the application reads them by their new names",
         plan=[column(P, "amount", "x"), column(P, "net", "amount"), column(P, "x", "net")]),
    bad("swap: two columns, and no plan", COLUMNS, "amount and net are exchanged in all 30 payments",
        {P: "changed 30"}),
    bad("swap: two columns by RunPython", "UPDATE school_payment SET amount = net, net = amount",
        "no operation renames them", {P: "changed 30"}, plan=[op("RunPython", code="swap")]),
    fine("swap: two tables alike by RenameModel", TABLES, "the plan says so", schema=ROOMS,
         plan=[model("school_room", "x"), model("school_hall", "school_room"), model("x", "school_hall")]),
    bad("swap: two tables alike, and no plan", TABLES, "the application reads the halls where the rooms were", None,
        schema=ROOMS),
    fine("swap: two tables of other columns, by RenameModel",
         "ALTER TABLE a RENAME TO c; ALTER TABLE b RENAME TO a; ALTER TABLE c RENAME TO b", "the plan says so",
         schema=AUDITS, plan=[model("a", "c"), model("b", "a"), model("c", "b")]),
    fine("swap: two tables of other columns, and no plan",
         "ALTER TABLE a RENAME TO c; ALTER TABLE b RENAME TO a; ALTER TABLE c RENAME TO b",
         "each is found whole in a table of its own columns, whatever its name", schema=AUDITS, debatable=True),
]  # fmt: skip

NEW_TITLE = f"ALTER TABLE {L} RENAME title TO name; ALTER TABLE {L} ADD title varchar(100) NOT NULL DEFAULT ''"
ARCHIVE = """ALTER TABLE school_payment RENAME TO school_oldpayment; CREATE TABLE school_payment
(LIKE school_oldpayment INCLUDING ALL);"""
TAKEN = [
    fine("taken: a column renamed, and a new one of the old name", NEW_TITLE, "the plan says so",
         plan=[column(L, "title", "name"), op("AddField", L, "title")], went={f"{L}.title": f"{L}.name"}),
    fine("taken: a column renamed, and a new one of the old name, without a plan", NEW_TITLE,
         "each title is in its row as name; but title is still there, and empty", debatable=True),
    bad("taken: a column kept as it is in name only", f"UPDATE {L} SET notes = ''; ALTER TABLE {L} ADD remarks text",
        "the notes of 14 lessons are gone", {L: "changed 14"}),
    fine("taken: a table renamed, and a new empty one of the old name", ARCHIVE, "the plan says so",
         plan=[model(P, "school_oldpayment"), op("CreateModel", P)], went={P: "school_oldpayment"}),
    fine("taken: a table renamed, and a new empty one of the old name, without a plan", ARCHIVE,
         "every row is in another table; but the old one is there, and empty", debatable=True),
    fine("taken: a table renamed, and a new one of the old name and other columns",
         "ALTER TABLE school_payment RENAME TO school_oldpayment; CREATE TABLE school_payment (id bigint PRIMARY KEY, "
         "iban text, made date); INSERT INTO school_payment VALUES (1, 'DE00', '2026-01-01')", "the plan says so",
         plan=[model(P, "school_oldpayment"), op("CreateModel", P), op("RunPython", code="seed")],
         went={P: "school_oldpayment"}),
    bad("taken: a table renamed, half of it deleted, and a new one of the old name",
        ARCHIVE + "DELETE FROM school_oldpayment WHERE id > 15;", "15 payments are nowhere", {P: "lost 15"},
        plan=[model(P, "school_oldpayment"), op("CreateModel", P), op("RunPython", code="delete")]),
    bad("taken: a plan that renames, and a copy that does not",
        "CREATE TABLE school_receipt (LIKE school_payment INCLUDING ALL); DROP TABLE school_payment",
        "the plan may say what it wants: the rows are gone", {P: "lost 30"}, plan=[model(P, "school_receipt")]),
    bad("taken: a plan that renames a field, and values that are gone",
        f"ALTER TABLE {L} RENAME title TO name; UPDATE {L} SET name = 'x' WHERE id <= 4",
        "a renamed column is the same column: four titles are others", {L: "changed 4 or lost 4 or title 4"},
        plan=[column(L, "title", "name"), op("RunPython", code="clean")]),
    bad("taken: renamed, and rows deleted", SESSION + f"DELETE FROM {B} WHERE session_id = 7; DELETE FROM "
        f"school_session_tags WHERE session_id = 7; DELETE FROM {S} WHERE id = 7;",
        "lesson 7 with two bookings and two tags", {L: "lost 1", B: "lost 2", "school_lesson_tags": "lost 2"}),
    bad("taken: renamed, and rows of another", SESSION + f"UPDATE {S} SET notes = 'x' WHERE id = 7;",
        "lesson 7", {L: "lost 1 or changed 1"}),
    bad("taken: a column renamed to one that was there",
        f"ALTER TABLE {L} DROP notes; ALTER TABLE {L} RENAME title TO notes", "the notes are gone, all 20 of them",
        {L: "notes 20 or title 20 or changed 20"},
        plan=[op("RemoveField", L, "notes"), column(L, "title", "notes")]),
    bad("taken: the incident", f"""ALTER TABLE {B} DROP lesson_id; DROP TABLE school_lesson_tags; DROP TABLE {L};
        CREATE TABLE {S} (id bigint PRIMARY KEY, title varchar(100), starts_at timestamptz);
        ALTER TABLE {B} ADD session_id bigint REFERENCES {S};""",
        "CreateModel and DeleteModel, and nothing between them",
        {L: "lost 20", B: "lesson_id 40", "school_lesson_tags": "lost 30"},
        plan=[op("CreateModel", S), op("RemoveField", B, "lesson_id"), op("AddField", B, "session_id"),
              op("DeleteModel", L)]),
    fine("taken: columns of one type renamed crosswise to new names",
         "ALTER TABLE school_payment RENAME amount TO net_amount; ALTER TABLE school_payment RENAME net TO amount_due",
         "names mislead, contents do not", went={f"{P}.amount": f"{P}.net_amount", f"{P}.net": f"{P}.amount_due"}),
    bad("taken: columns of one type renamed, and one row exchanged",
        "ALTER TABLE school_payment RENAME amount TO a; ALTER TABLE school_payment RENAME net TO b; "
        "UPDATE school_payment SET a = b, b = a WHERE id = 9", "payment 9", {P: "changed 1 or lost 1"}),
]  # fmt: skip

CASES = PLAIN + SWAPS + TAKEN

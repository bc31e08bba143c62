"""Tables that stay: rows deleted, updated, filled; Django's own tables; names, sizes and kinds of tables."""

from __future__ import annotations

from tests.releases.case import altered, bad, fine, op
from tests.releases.school import SCHOOL, SHOP

T, L, B, ST, P = "school_teacher", "school_lesson", "school_booking", "school_student", "school_payment"

DELETED = [
    bad("delete: duplicates before a unique constraint",
        f"DELETE FROM {ST} s USING {ST} o WHERE o.phone = s.phone AND o.id < s.id; ALTER TABLE {ST} ADD UNIQUE (phone)",
        "two students had another's phone; their rows are gone", {ST: "lost 2"},
        schema=SCHOOL + f"DELETE FROM {B} WHERE student_id IN (9, 10); DELETE FROM {P} WHERE student_id IN (9, 10);"
        f"UPDATE {ST} SET phone = '030 10001' WHERE id IN (9, 10);"),
    bad("delete: a row and what cascades",
        f"DELETE FROM school_lesson_tags WHERE lesson_id IN (SELECT id FROM {L} WHERE teacher_id = 5); DELETE FROM {B} "
        f"WHERE lesson_id IN (SELECT id FROM {L} WHERE teacher_id = 5); DELETE FROM {L} WHERE teacher_id = 5; "
        f"DELETE FROM {T} WHERE id = 5",
        "a teacher, four lessons, eight bookings, six pairs: lessons 4 and 9 have two",
        {T: "lost 1", L: "lost 4", B: "lost 8", "school_lesson_tags": "lost 6"}),
    bad("delete: a row that nothing links to", f"DELETE FROM {T} WHERE id = 6", "one teacher", {T: "lost 1"}),
    bad("delete: old rows", f"DELETE FROM {P} WHERE day < '2026-03-11'", "nine payments", {P: "lost 9"}),
    bad("delete: all rows", f"TRUNCATE {P}", "thirty payments", {P: "lost 30"}),
    bad("delete: a row, and another added",
        f"DELETE FROM {P} WHERE id = 3; INSERT INTO {P} SELECT 99, student_id, 1, 1, "
        f"tax, units, paid_at, day, method, 'new', memo, data, ok FROM {P} WHERE id = 4",
        "as many as before, but one of them is another", {P: "lost 1 or changed 1"}),
    bad("delete: a row, and it is there again under another key, and something led to it",
        f"INSERT INTO {T} SELECT 7, first_name, last_name, 'anna2', active FROM {T} WHERE id = 1; UPDATE {L} SET "
        f"teacher_id = 7 WHERE teacher_id = 1; DELETE FROM {T} WHERE id = 1; UPDATE {T} SET email = 'anna@schule.de' "
        "WHERE id = 7", "renumbered in place, and its lessons follow: nothing is lost, but the application may know 1",
        None, debatable=True),
    bad("delete: pairs of a tag that is no more",
        "DELETE FROM school_lesson_tags WHERE tag_id = 4; DELETE FROM school_tag "
        "WHERE id = 4", "a tag, and its pairs: five of n % 4 = 3, and lessons 2, 6, 10", 
        {"school_tag": "lost 1", "school_lesson_tags": "lost 8"}),
    bad("delete: an orphan", f"DELETE FROM {B} WHERE lesson_id IS NULL", "bookings without a lesson are bookings",
        {B: "lost 4"}, schema=SCHOOL + f"UPDATE {B} SET lesson_id = NULL WHERE id % 10 = 0;"),
    bad("delete: half of the orders, and their lines", "DELETE FROM shop_orderline WHERE order_id <= 1000; DELETE FROM "
        "shop_order WHERE id <= 1000", "archived to nowhere", {"shop_order": "lost 1000",
        "shop_orderline": "lost 2000"},
        schema=SHOP),
    bad("delete: one of two equal rows", "DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t)", "one of them",
        {"t": "lost 1"}, schema="CREATE TABLE t (a text, b int); INSERT INTO t VALUES ('x', 1), ('x', 1), ('y', 2)"),
]  # fmt: skip
UPDATED = [
    bad("updated: without WHERE", f"UPDATE {L} SET price = 30", "20 + 1.25 n is 30 at 8", {L: altered(19, "price")}),
    bad("updated: one value of a thousand", "UPDATE shop_product SET price = price + 0.01 WHERE id = 321", "a cent",
        {"shop_product": "changed 1 or price 1"}, schema=SHOP),
    bad("updated: every order's owner", "UPDATE shop_order SET customer_id = 1", "customer 1 had two",
        {"shop_order": "changed 1998 or customer_id 1998"}, schema=SHOP),
    bad("updated: e-mails in lower case", f"UPDATE {ST} SET email = lower(email)", "a normalisation is to be declared",
        {ST: altered(12, "email")}),
    bad("updated: NULLs filled", f"UPDATE {ST} SET phone = 'none' WHERE phone IS NULL",
        "nothing is lost, but four rows say what they did not", {ST: altered(4, "phone")}),
    bad("updated: NULLs made false before NOT NULL",
        "UPDATE t SET f = false WHERE f IS NULL; ALTER TABLE t ALTER f SET NOT "
        "NULL", "unknown is not false", {"t": altered(3, "f")},
        schema="CREATE TABLE t (id int PRIMARY KEY, f bool); INSERT INTO t SELECT n, CASE WHEN n % 3 > 0 THEN n % 2 "
        "= 0 END "
        "FROM generate_series(1, 9) n"),
    bad("updated: links to a row that is to go", f"UPDATE {L} SET room_id = NULL WHERE room_id = 3",
        "on_delete=SET_NULL: n % 3 = 2 but n % 4 > 0", {L: altered(5, "room_id")}),
    bad("updated: two rows' keys exchanged",
        f"UPDATE {P} SET id = 900 WHERE id = 1; UPDATE {P} SET id = 1 WHERE id = 2; UPDATE {P} SET id = 2 WHERE id "
        f"= 900",
        "payment 1 is now payment 2", {P: "changed 2 or changed 2, memo 1"}),
    bad("updated: all keys moved", f"UPDATE {P} SET id = id + 1000",
        "the same rows under other keys, in the same table; nothing links to them", None, debatable=True),
    bad("updated: the time of all, by the zone", "SET timezone = 'Europe/Berlin'; UPDATE school_lesson SET starts_at = "
        "starts_at::timestamp AT TIME ZONE 'UTC'", "an hour or two later", {L: altered(20, "starts_at")}),
    bad("updated: a value that differs by its case only", f"UPDATE {L} SET title = 'klavier' WHERE id = 5", "lesson 5",
        {L: altered(1, "title")}),
    bad("updated: an umlaut in another form", f"UPDATE {L} SET title = normalize(title, NFD)",
        "ö as two characters: equal to the eye, not to a search", {L: altered(4, "title")}),
    bad("updated: -0 for 0", "UPDATE t SET v = '-0'", "x::text shows it", {"t": altered(1, "v")},
        schema="CREATE TABLE t (id int PRIMARY KEY, v double precision); INSERT INTO t VALUES (1, 0), (2, 1e-300);"
        "UPDATE t SET v = '-0' WHERE id = 2"),
    bad("updated: 1.0 made 1.00", "UPDATE t SET v = 1.00", "x::text shows it; as a number it is equal", None,
        debatable=True,
        schema="CREATE TABLE t (id int PRIMARY KEY, v numeric); INSERT INTO t VALUES (1, 1.0)"),
    bad("updated: a trailing blank", f"UPDATE {T} SET last_name = last_name || ' ' WHERE id = 2", "x::text shows it",
        {T: altered(1, "last_name")}),
    bad("updated: the last byte of a large text", "UPDATE t SET v = left(v, -1) || 'y' WHERE id = 2", "one byte of a "
        "million", {"t": altered(1, "v")},
        schema="CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, "
        "repeat('x', 1000000) FROM generate_series(1, 3) n"),
    bad("updated: new column filled, an old one changed besides",
        f"ALTER TABLE {L} ADD gross numeric(8, 2); UPDATE {L} SET gross = price, price = price / 1.19 WHERE id > 10",
        "ten prices are others, though the old ones are in the new column", {L: altered(10, "price")},
        plan=[op("AddField", L, "gross"), op("RunPython", code="fill")]),
]  # fmt: skip
ADDED = [
    fine("added: a column, filled", f"ALTER TABLE {L} ADD gross numeric(8, 2); UPDATE {L} SET gross = price * 1.19",
         "nothing was taken away", plan=[op("AddField", L, "gross"), op("RunPython", code="fill")]),
    fine("added: a column, not NULL",
        f"ALTER TABLE {L} ADD slug varchar(50) NOT NULL DEFAULT ''; ALTER TABLE {L} ALTER slug "
         "DROP DEFAULT", "nothing was taken away"),
    fine("added: a generated column", f"ALTER TABLE {P} ADD gross numeric GENERATED ALWAYS AS (amount * 1.19) STORED",
         "nothing was taken away"),
    fine("added: a link and its table", f"CREATE TABLE school_branch (id serial PRIMARY KEY, name text); INSERT INTO "
         f"school_branch (name) VALUES ('Mitte'); ALTER TABLE {L} ADD branch_id int REFERENCES school_branch; "
         f"UPDATE {L} SET "
         "branch_id = 1", "nothing was taken away"),
    fine("added: rows by a data migration", "INSERT INTO school_tag (name) VALUES ('duo'), ('trio'); INSERT INTO "
         "school_room (name, seats) VALUES ('C1', 8)", "rows may be added"),
    fine("added: rows that are equal to others", "INSERT INTO t VALUES ('x', 1)", "rows may be added",
         schema="CREATE TABLE t (a text, b int); INSERT INTO t VALUES ('x', 1), ('y', 2)"),
    fine("added: a full table", "CREATE TABLE holiday AS SELECT n AS id, date '2026-01-01' + n AS day FROM "
         "generate_series(1, 50) n", "rows may be added"),
    fine("added: indexes and constraints",
        f"CREATE INDEX ON {P} (day); ALTER TABLE {P} ADD CHECK (amount > 0); ALTER TABLE "
         f"{ST} ADD UNIQUE (phone); ALTER TABLE {ST} DROP CONSTRAINT school_student_email_key", "no value changed"),
    fine("added: sequences set anew", f"SELECT setval(pg_get_serial_sequence('{P}', 'id'), 5000); SELECT "
         "setval(pg_get_serial_sequence('school_tag', 'id'), 1, false)",
         "no row changed; that the next insert may fail is a warning"),
    fine("added: nothing but the physical order", f"CLUSTER {P} USING school_payment_student_id_idx; VACUUM FULL {L}",
         "the order of rows means nothing"),
    fine("added: columns in another physical order",
        f"ALTER TABLE {T} ADD x varchar(50); UPDATE {T} SET x = first_name; "
         f"ALTER TABLE {T} DROP first_name; ALTER TABLE {T} RENAME x TO first_name",
         "the order of columns means nothing"),
    fine("added: a table written anew",
        f"CREATE TABLE x (LIKE {P} INCLUDING ALL); INSERT INTO x SELECT * FROM {P} ORDER BY "
         f"random(); DROP TABLE {P}; ALTER TABLE x RENAME TO {P}", "the same rows under the same name"),
    fine("added: a comment, a view, a trigger",
        f"COMMENT ON TABLE {P} IS 'x'; CREATE VIEW v AS SELECT * FROM {P}; CREATE "
         "FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; CREATE TRIGGER t BEFORE UPDATE ON "
         f"{P} FOR EACH ROW EXECUTE FUNCTION f()", "no value changed"),
]  # fmt: skip

GROUPS = SCHOOL + """
CREATE TABLE auth_group (id int PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
INSERT INTO auth_group VALUES (1, 'Büro');
CREATE TABLE auth_group_permissions (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    group_id int NOT NULL REFERENCES auth_group, permission_id int NOT NULL REFERENCES auth_permission);
INSERT INTO auth_group_permissions (group_id, permission_id)
    SELECT 1, id FROM auth_permission WHERE codename ~ 'lesson|tag';
"""  # fmt: skip
STALE = """DELETE FROM auth_group_permissions WHERE permission_id IN
    (SELECT id FROM auth_permission WHERE content_type_id = 3);
DELETE FROM auth_permission WHERE content_type_id = 3; DELETE FROM django_content_type WHERE id = 3;"""
DJANGO = [
    fine("django: content types and permissions added",
         "INSERT INTO django_content_type (app_label, model) VALUES ('school', 'branch'); INSERT INTO auth_permission "
         "(name, content_type_id, codename) SELECT 'Can view branch', id, 'view_branch' FROM django_content_type WHERE "
         "model = 'branch'", "post_migrate adds them"),
    fine("django: a permission's name changed",
        "UPDATE auth_permission SET name = 'May view a lesson' WHERE codename = "
         "'view_lesson'", "Django's own table: verbose_name"),
    fine("django: a migration applied",
        "INSERT INTO django_migrations (app, name, applied) VALUES ('school', '0003', now())",
         "migrate writes it"),
    fine("django: migrations squashed and pruned",
        "DELETE FROM django_migrations; INSERT INTO django_migrations (app, name, "
         "applied) VALUES ('school', '0001_squashed_0002', now())",
         "the table is Django's own; migrate --prune does it",
         debatable=True),
    bad("django: permissions of groups gone with a stale content type", STALE,
        "four permissions that the office had; the permissions themselves are Django's own",
        {"auth_group_permissions": "lost 4", "auth_permission": "nothing or lost 4", "django_content_type":
         "nothing or lost 1"}, schema=GROUPS),
    bad("django: permissions of a group emptied", "DELETE FROM auth_group_permissions", "eight",
        {"auth_group_permissions":
                                                                                                  "lost "
                                                                                                  "8"}, schema=GROUPS),
    fine("django: sessions kept", "SELECT 1", "nothing was done",
        schema=SCHOOL + "CREATE TABLE django_session (session_key "
         "varchar(40) PRIMARY KEY, session_data text, expire_date timestamptz); INSERT INTO django_session VALUES "
         "('a', 'b', '2027-01-01 00:00+00');"),
]  # fmt: skip

PARTS = """
CREATE TABLE event (id int NOT NULL, day date NOT NULL, text text) PARTITION BY RANGE (day);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO event SELECT n, date '2026-01-01' + n, 'E' || n FROM generate_series(1, 50) n;
"""
REPARTED = """CREATE TABLE x (LIKE event) PARTITION BY RANGE (day);
CREATE TABLE event_a PARTITION OF x FOR VALUES FROM ('2026-01-01') TO ('2026-01-20');
CREATE TABLE event_b PARTITION OF x FOR VALUES FROM ('2026-01-20') TO ('2026-03-01');
INSERT INTO x SELECT * FROM event {0}; DROP TABLE event; ALTER TABLE x RENAME TO event;"""
ODD = """CREATE TABLE "Käufe ""2"" x" ("Nr" int PRIMARY KEY, "100 %" text, "select" int, " " date);
INSERT INTO "Käufe ""2"" x" SELECT n, 'x' || n, n * 3, date '2026-01-01' + n FROM generate_series(1, 9) n;"""
KINDS = [
    fine("kinds: partitions cut otherwise", REPARTED.format(""), "the same rows of the same table", schema=PARTS),
    bad("kinds: partitions cut otherwise, some rows lost", REPARTED.format("WHERE id <> 7 AND id <> 33"), "two rows",
        {"event": "lost 2 or nothing", "event_1": "lost 1 or nothing", "event_2": "lost 1 or nothing"}, schema=PARTS),
    fine("kinds: partitions made of a table",
        "ALTER TABLE log RENAME TO old; CREATE TABLE log (LIKE old) PARTITION BY RANGE "
         "(id); CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (15); CREATE TABLE log_2 PARTITION OF "
         "log FOR "
         "VALUES FROM (15) TO (99); INSERT INTO log SELECT * FROM old; DROP TABLE old",
         "the same rows of the same table",
         schema="CREATE TABLE log (id int, text text); INSERT INTO log SELECT n, 'L' || n FROM generate_series(1, "
         "30) n"),
    fine("kinds: a partition added",
        "CREATE TABLE event_3 PARTITION OF event FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')",
         "nothing was taken away", schema=PARTS),
    bad("kinds: a partition dropped", "DROP TABLE event_1", "thirty days of January", {"event_1": "lost 30 or nothing",
                                                                                 "event": "lost 30 or nothing"},
                                                                                 schema=PARTS),
    fine("kinds: a partition detached", "ALTER TABLE event DETACH PARTITION event_1",
        "its rows are there, in a table of their "
         "own; the application does not see them any more", schema=PARTS, debatable=True),
    fine("kinds: names that need quotes, renamed",
        'ALTER TABLE "Käufe ""2"" x" RENAME TO "Order"; ALTER TABLE "Order" RENAME '
         '"100 %" TO "50 ''%"; ALTER TABLE "Order" RENAME " " TO "  "', "names are names", schema=ODD),
    bad("kinds: names that need quotes, a value changed", 'UPDATE "Käufe ""2"" x" SET "100 %" = \'y\' WHERE "Nr" = 3',
        "row 3",
        {'"Käufe ""2"" x"': "changed 1 or 100 % 1 or lost 1"}, schema=ODD),
    fine("kinds: a table without a key renamed", "ALTER TABLE t RENAME TO u", "each row as often as before",
         schema="CREATE TABLE t (a text, b int); INSERT INTO t SELECT 'x' || n % 3, n % 5 FROM generate_series(1, "
         "40) n",
         went={"t": "u"}),
    fine("kinds: a table without a key is given one", "ALTER TABLE t ADD id serial PRIMARY KEY",
        "nothing was taken away",
         schema="CREATE TABLE t (a text, b int); INSERT INTO t SELECT 'x' || n % 3, n % 5 FROM generate_series(1, "
         "40) n"),
    bad("kinds: a table without a key, made distinct",
        "CREATE TABLE u AS SELECT DISTINCT * FROM t; DROP TABLE t; ALTER TABLE u "
        "RENAME TO t", "15 different rows of 40", {"t": "lost 25"},
        schema="CREATE TABLE t (a text, b int); INSERT INTO t SELECT 'x' || n % 3, n % 5 FROM generate_series(1, "
        "40) n"),
    fine("kinds: a key of two columns, given one of its own",
        "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD id serial "
         "PRIMARY KEY; ALTER TABLE t ADD UNIQUE (a, b)", "no value changed",
         schema="CREATE TABLE t (a int, b int, c text, "
         "PRIMARY KEY (a, b)); INSERT INTO t SELECT n % 3, n, 'c' || n FROM generate_series(1, 12) n"),
    fine("kinds: large texts renamed", "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME v TO w", "no value changed",
         schema="CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, repeat('x' || n, 300000) FROM "
         "generate_series(1, 4) n", went={"t": "u"}),
    bad("kinds: a child table of inheritance emptied", "DELETE FROM ONLY child", "two rows of the child",
        {"child": "lost 2"}, schema="CREATE TABLE base (id int, v text); CREATE TABLE child (w int) INHERITS (base);"
        "INSERT INTO base VALUES (1, 'a'); INSERT INTO child VALUES (2, 'b', 3), (4, 'c', 5)"),
    fine("kinds: a child model of several tables, same key", "ALTER TABLE child RENAME TO kid",
         "multi-table inheritance: the key is the link", went={"child": "kid"},
         schema="CREATE TABLE base (id int PRIMARY KEY, "
         "v text); CREATE TABLE child (base_ptr_id int PRIMARY KEY REFERENCES base, w int); INSERT INTO base SELECT "
         "n, 'v' || n "
         "FROM generate_series(1, 6) n; INSERT INTO child SELECT n, n * 9 FROM generate_series(1, 4) n"),
    bad("kinds: an unlogged table emptied", "TRUNCATE t", "five rows", {"t": "lost 5"},
        schema="CREATE UNLOGGED TABLE t (v int); INSERT INTO t SELECT generate_series(1, 5)"),
]  # fmt: skip

CASES = DELETED + UPDATED + ADDED + DJANGO + KINDS

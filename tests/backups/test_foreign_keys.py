"""Foreign keys that rows break: added NOT VALID, and named with the number of those rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from ops.backups.foreign_keys import BrokenKey, add_missing, names, read_keys
from ops.backups.restored_objects import left_open, missing
from ops.core.errors import StepFailed
from ops.core.records import dump_records
from tests.support.client import Client
from tests.support.servers import QUICK, own_server
from tests.support.versions import servers

Named = Callable[..., str]

# As pg_dump prints them.
SCRIPT = """
ALTER TABLE ONLY public.b
    ADD CONSTRAINT "b's FOREIGN KEY x" FOREIGN KEY (a, n) REFERENCES public.a(a, n) DEFERRABLE;


COMMENT ON CONSTRAINT "b's FOREIGN KEY x" ON public.b IS 'it''s
ALTER TABLE a thing';


ALTER TABLE ONLY public.b
    ADD CONSTRAINT older FOREIGN KEY (o) REFERENCES public.b(id) NOT VALID;


ALTER TABLE ONLY public.b
    ADD CONSTRAINT whole FOREIGN KEY (id) REFERENCES public.b(id);


ALTER TABLE public.p
    ADD CONSTRAINT spread FOREIGN KEY (a) REFERENCES public.b(id);
"""
TABLES = """
CREATE TABLE a (a int, n text, UNIQUE (a, n)); INSERT INTO a VALUES (1, 'x');
CREATE TABLE b (id int PRIMARY KEY, a int, n text, o int);
INSERT INTO b VALUES (1, 1, 'x', 1), (2, 4711, 'x', 9), (3, 1, 'y', NULL), (4, 5, NULL, NULL);
CREATE TABLE p (id int, a int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);
INSERT INTO p VALUES (1, 77), (2, 1);
"""
STATE = """
SELECT conname, convalidated, condeferrable, obj_description(oid, 'pg_constraint') FROM pg_constraint
WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'public'::regnamespace ORDER BY 1
"""


def test_only_what_rows_break_is_not_valid_and_named(client: Client, named: Named) -> None:
    with client.connect(named("keys", TABLES)) as connection:
        connection.execute("ALTER TABLE b ADD CONSTRAINT whole FOREIGN KEY (id) REFERENCES b (id)")
        one, two = add_missing(connection, read_keys(SCRIPT))
        assert one.object == '"b\'s FOREIGN KEY x" on table public.b' and two.object == "spread on table public.p"
        assert ": 2 rows refer to no row: " in one.reported and "4711" not in one.reported, one
        then = 'ALTER TABLE public.b VALIDATE CONSTRAINT "b\'s FOREIGN KEY x"'
        assert one.reported.endswith(f"then   {then}")
        connection.execute("RESET search_path")
        assert connection.execute(STATE.encode()).fetchall() == [
            ("b's FOREIGN KEY x", False, True, "it's\nALTER TABLE a thing"),
            ("older", False, False, None),
            ("spread", False, False, None),
            ("whole", True, False, None),
        ]
        assert ": 1 row refers to no row: " in two.reported, two.reported
        connection.execute("DELETE FROM b WHERE id IN (2, 3)")
        connection.execute(then.encode())
        assert add_missing(connection, read_keys(SCRIPT)) == []


def test_the_proof_accepts_such_a_key_only_where_it_was_named(tmp_path: Path) -> None:
    before = {("constraint", name): "f t" for name in ("a on table t", "b on table t", "c on table t")}
    after = {("constraint", "a on table t"): "f f", ("constraint", "c on table t"): "f f"}
    file = tmp_path / "broken"
    parts = ("b on table t1", "b on table t2")
    file.write_text(dump_records([BrokenKey("a on table t", "…"), BrokenKey("b on table t", "…", parts)]))
    broken = names(file)
    after |= {("constraint", name): "f t" for name in parts}
    differs = "constraint c on table t differs (f f, was f t)"
    assert missing(before, after, (180000, 180000), broken=broken) == [differs]
    assert left_open(before, after, "bare", broken) == [
        "foreign key a on table t is NOT VALID: rows break it",
        "foreign key b on table t is on its partitions only: rows break it",
    ]
    del after["constraint", "b on table t2"]
    assert missing(before, after, (180000, 180000), broken=broken) == ["constraint b on table t2 is missing", differs]
    file.write_text(dump_records([BrokenKey("a on table t", "…"), BrokenKey("b on table t", "…")]))
    assert "constraint b on table t is missing" in missing(before, after, (180000, 180000), broken=names(file))
    assert names(tmp_path / "none") == {}
    file.write_text("{")
    with pytest.raises(StepFailed):
        names(file)


SPLIT = """
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (9) TO (20) PARTITION BY LIST (a);
CREATE TABLE p21 PARTITION OF p2 FOR VALUES IN (1); CREATE TABLE "p 22" PARTITION OF p2 DEFAULT;
INSERT INTO p VALUES (10, 1), (11, 2), (12, 78); ALTER TABLE p21 ADD CONSTRAINT spread CHECK (a > 0);
"""
REMARK = """

COMMENT ON CONSTRAINT spread ON public.p IS 'it''s
\\ here';
"""
KEYS = """
SELECT conrelid::regclass::text, conname, convalidated FROM pg_constraint
WHERE contype = 'f' AND conrelid::regclass::text ~ 'p' ORDER BY 1
"""


@pytest.mark.slow
@pytest.mark.parametrize("major", [14, 15, 16, 17])
def test_on_an_older_server_the_partitions_have_the_broken_key_of_their_table(major: int) -> None:
    if major not in (found := servers()):
        pytest.skip(f"another PostgreSQL is needed here (server {major}): tests/support/versions.py says how")
    keys = read_keys(SCRIPT + REMARK)
    with own_server("keys", QUICK, found[major]) as made, psycopg.connect(made.url("postgres"), autocommit=True) as c:
        c.execute(f"{TABLES}{SPLIT}".encode())
        one, two = add_missing(c, keys)
        assert ": 2 rows refer to no row: " in one.reported and two.object == "spread on table public.p"
        assert "is restored on its 3 partitions, so new partitions lack it" in two.reported, two.reported
        assert 'NOT VALID: public."p 22", public.p1: 2 rows refer to no row: correct' in two.reported, two.reported
        assert two.parts == tuple(
            f"{name} on table public.{table}"
            for table, name in (('"p 22"', "spread"), ("p1", "spread"), ("p21", "spread_1"))
        )
        c.execute("RESET search_path")
        assert c.execute(KEYS.encode()).fetchall() == [
            ('"p 22"', "spread", False), ("p1", "spread", False), ("p21", "spread_1", True)
        ]  # fmt: skip
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            c.execute("INSERT INTO p VALUES (3, 79)")
        c.execute("DELETE FROM p WHERE a IN (77, 78)")
        c.execute(two.reported.split(", then   ")[1].encode())
        assert [row[:2] for row in c.execute(STATE.encode()).fetchall()] == [
            ("b's FOREIGN KEY x", False), ("older", False), ("spread", True), ("whole", True)
        ]  # fmt: skip
        assert [row[3] for row in c.execute(STATE.encode()).fetchall()][2] == "it's\n\\ here"
        assert len(c.execute(KEYS.encode()).fetchall()) == 5, "no partition has a second key"

"""What ``inv verify --write-expectations`` drafts is accepted by the release that follows, whatever it declares, though
the application went on writing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Project

TWICE = (
    "create table lessons_seat (id bigserial primary key, lesson_id bigint); "
    "insert into lessons_seat (lesson_id) select lesson_id from lessons_booking; "
    "insert into lessons_seat (lesson_id) select lesson_id from lessons_booking where id % 4 = 0; "
    "drop table lessons_booking"
)
WRITTEN = (
    "INSERT INTO lessons_booking (lesson_id) SELECT 1 + n % 9 FROM generate_series(1, 11) n; "
    "INSERT INTO lessons_lesson (title, teacher_id) SELECT 'neu ' || n, 1 FROM generate_series(1, 11) n; "
    "INSERT INTO lessons_teacher (name) SELECT 'Neu ' || n FROM generate_series(1, 11) n; "
    "INSERT INTO lessons_note SELECT 'note ' || n FROM generate_series(1001, 1011) n; "
    "INSERT INTO fee SELECT n, n / 4.0 FROM generate_series(1001, 1011) n; "
    "SELECT lo_from_bytea(0, 'one more'), nextval('receipt') FROM generate_series(1, 11) n"
)
HALF = "select lo_unlink(oid) from (select oid, row_number() over (order by oid) from pg_largeobject_metadata) o"
# What a migration does, and what is drafted of it.
KINDS = {
    "a table": ("drop table lessons_booking", ["lost: all"]),
    "rows": ("delete from lessons_booking where id % 10 = 0", ["lost: 11 %"]),
    "a column": ("alter table lessons_booking drop lesson_id", ["column: lesson_id", "lost: all"]),
    "values": ("update lessons_booking set lesson_id = null where id % 10 = 0", ["column: lesson_id", "lost: 11 %"]),
    "other values": ("update lessons_teacher set name = upper(name)", ["column: name", "changed: all"]),
    "some other values": (
        "update lessons_lesson set title = upper(title) where id % 5 = 0",
        ["column: title", "changed: 22 %"],
    ),
    "values beside a rule": (
        "alter table fee alter price type int using case when id % 10 = 0 then 0 else price * 100 end",
        ["column: price", "changed: 11 %"],
    ),
    "values beside a rule, under a new name": (
        "alter table fee add cents int; update fee set cents = price * 100 where id % 10 > 0; "
        "alter table fee drop price",
        ["column: price", "lost: 11 %"],
    ),
    "deleted rows beside a rule": (
        "alter table fee alter price type int using price * 100; delete from fee where id % 10 = 0", ["lost: 11 %"]
    ),
    "rows without a key": ("update lessons_note set text = upper(text)", ["changed: all"]),
    "rows twice": (TWICE, ["duplicated: 28 %"]),
    "several": (
        "delete from lessons_booking where id % 10 = 0; update lessons_teacher set name = upper(name)",
        ["lost: 11 %", "column: name", "changed: all"],
    ),
    "large objects": ("select lo_unlink(oid) from pg_largeobject_metadata", ["object: large objects", "lost: all"]),
    "some large objects": (f"{HALF} where row_number % 2 = 0", ["object: large objects", "lost: 55 %"]),
    "a sequence": ("alter sequence receipt restart", ["object: sequence public.receipt", "changed: 1"]),
    "a policy": ("alter table lessons_note drop kind cascade", ["object: policies on public.lessons_note", "lost: 1"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_release_that_follows_accepts_the_draft(project: Callable[..., Project], kind: str) -> None:
    sql, drafted = KINDS[kind]
    shop = project(f"migrations.RunSQL({sql!r})", checks=[])
    shop.query("CREATE TABLE lessons_note AS SELECT 'note ' || n AS text, NULL::int AS kind "
               "FROM generate_series(1, 1000) n")
    shop.query("CREATE TABLE fee (id int PRIMARY KEY, price numeric(9, 2))")
    shop.query("INSERT INTO fee SELECT n, n / 4.0 FROM generate_series(1, 1000) n")
    shop.query("CREATE POLICY kind ON lessons_note USING (kind IS NULL)")
    shop.query("CREATE SEQUENCE receipt")
    shop.query("SELECT lo_from_bytea(0, 'a picture'), nextval('receipt') FROM generate_series(1, 60)")
    for words in (["clone-prod-to-test"], ["migrate-test"]):
        done = shop.inv(*words)
        assert done.code == 0, done.out + done.err
    refused = shop.inv("verify", "--write-expectations", "--json")
    assert refused.code == 5, refused.out + refused.err
    path = shop.folder / "shop/migrations.expect.yaml"
    said = path.read_text()
    assert [line for line in drafted if line not in said] == [], said
    path.write_text(said.replace('why: ""', "why: agreed"))
    shop.query(WRITTEN)
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 0, done.out + done.err

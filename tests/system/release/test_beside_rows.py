"""What production is beside rows of tables: large objects, sequences, what hangs on a table, content types, links that
dangle. The right migration is promoted, the subtly wrong one refused with production untouched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.conftest import Project
from tests.projects import COPY, CREATE, DELETE, SET, VARIANTS, migration
from tests.support.tiers import quick
from tests.system.recovery.test_since import steps, write


def sql(*statements: str) -> str:
    """Operations that run these statements."""
    return ", ".join(f"migrations.RunSQL({statement!r})" for statement in statements)


@dataclass(frozen=True)
class Release:
    """One release.

    Attributes:
        name: a few words.
        before: what production holds beside the school; SQL.
        operations: the migration's.
        said: what the refusal says; empty: it is promoted.
        declared: what ``migrations.expect.yaml`` says.
        told: what a promoted release's verdict says.
    """

    name: str
    before: str
    operations: str
    said: tuple[str, ...] = ()
    declared: str = ""
    told: tuple[str, ...] = field(default=())


OBJECTS = "SELECT lo_from_bytea(0, 'a picture') FROM generate_series(1, 60)"
UNLINK = "select lo_unlink(oid) from (select oid from pg_largeobject_metadata order by oid limit 50) o"
NUMBERS = "CREATE SEQUENCE invoice_number; SELECT setval('invoice_number', 4711)"
WHY = ", why: agreed with Anna}"
HANGING = """
    GRANT SELECT, UPDATE (title) ON lessons_lesson TO pg_monitor;
    ALTER TABLE lessons_lesson ENABLE ROW LEVEL SECURITY;
    CREATE POLICY mine ON lessons_lesson USING (true);
    CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER noted BEFORE INSERT ON lessons_lesson FOR EACH ROW EXECUTE FUNCTION noted();
    CREATE VIEW titles AS SELECT title FROM lessons_lesson;
    COMMENT ON TABLE lessons_lesson IS 'what we teach'"""
AGAIN = (
    "grant select, update (title) on lessons_session to pg_monitor",
    "alter table lessons_session enable row level security",
    "create policy mine on lessons_session using (true)",
    "create trigger noted before insert on lessons_session for each row execute function noted()",
)
# Which rows a role may see.
OWN = """ALTER TABLE lessons_lesson ENABLE ROW LEVEL SECURITY;
    CREATE POLICY mine ON lessons_lesson FOR SELECT TO pg_monitor USING (title <> 'secret' AND teacher_id > 0)"""
GUARDED = """ALTER TABLE lessons_lesson ADD hidden bool; ALTER TABLE lessons_lesson ENABLE ROW LEVEL SECURITY;
    CREATE POLICY mine ON lessons_lesson USING (hidden IS NULL)"""
AUDIT = """CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER noted BEFORE UPDATE ON lessons_lesson FOR EACH ROW EXECUTE FUNCTION noted()"""
REPORT = "CREATE VIEW titles AS SELECT id, title FROM lessons_lesson; GRANT SELECT ON titles TO pg_monitor"
REMADE = ("drop view titles", "create view titles as select id, upper(title) as title from lessons_lesson")
SERIAL = """CREATE TABLE visit (id serial PRIMARY KEY, day date); INSERT INTO visit(day) SELECT '2026-01-01'::date + n
    FROM generate_series(1, 30) n; GRANT INSERT ON visit TO pg_monitor; GRANT USAGE ON visit_id_seq TO pg_monitor"""
VISITS = ("create table visits ({0}, day date)", "insert into visits select id, day from visit",
          "select setval(pg_get_serial_sequence('visits', 'id'), 30)", "grant insert on visits to pg_monitor",
          "drop table visit")  # fmt: skip
NOTED = """CREATE TABLE note (id bigint PRIMARY KEY, data {0});
    INSERT INTO note SELECT n, {1} FROM generate_series(1, 100) n"""
OBJECT = "jsonb_build_object('lesson', n)"
TWICE = "JSON encoded twice, as a text within JSON; write data::jsonb"
PLANS = """CREATE TABLE plan (id bigint PRIMARY KEY, lessons bigint[], data jsonb, memo text, sizes int[]);
    INSERT INTO plan SELECT n, ARRAY[n, n + 1], jsonb_build_object('lesson_id', n), n || ', ' || n + 2, ARRAY[-n]
    FROM generate_series(1, 100) n"""
ANEW = sql("insert into lessons_session(title, teacher_id) select title, teacher_id from lessons_lesson "
           "order by id desc", "update lessons_booking b set session_id = s.id from lessons_lesson l "
           "join lessons_session s using (title) where l.id = b.lesson_id")  # fmt: skip
COPIED = CREATE + COPY % "" + SET
RELEASES = [
    Release("large objects unlinked", OBJECTS, sql(UNLINK), ("large objects: of 60, 50 are lost",)),
    Release("large objects unlinked as declared", OBJECTS, sql(UNLINK),
            declared="- {object: large objects, lost: 50" + WHY),
    Release("fewer large objects declared than unlinked", OBJECTS, sql(UNLINK),
            ("large objects: 50 lost, at most 49 are declared: 1 too many",),
            "- {object: large objects, lost: 49" + WHY),
    Release("sequence restarted", NUMBERS, sql("alter sequence invoice_number restart"),
            ("sequence public.invoice_number: its last value was 4,711 and is 0 now",
             "SELECT setval('public.invoice_number', 4711)")),
    Release("sequence restarted as declared", NUMBERS, sql("alter sequence invoice_number restart"),
            declared="- {object: sequence public.invoice_number, changed: 1" + WHY),
    Release("sequence set further on, and renamed", NUMBERS, sql("select setval('invoice_number', 5000)",
            "alter sequence invoice_number rename to numbers")),
    Release("sequence dropped", NUMBERS, sql("drop sequence invoice_number"),
            ("sequence public.invoice_number: it was dropped; its last value was 4,711",)),
    Release("sequence behind its keys", "", CREATE + COPY % "" + DELETE,
            ("SELECT setval('public.lessons_session_id_seq', (SELECT max(\"id\") FROM public.lessons_session))",)),
    Release("sequence of a table that stays restarted", "", sql("alter sequence lessons_teacher_id_seq restart"),
            ("SELECT setval('public.lessons_teacher_id_seq', (SELECT max(\"id\") FROM public.lessons_teacher))",)),
    Release("what hung on a table lost", HANGING, COPIED + DELETE,
            ("grants on public.lessons_lesson: of 2, 2 are lost", "policies on public.lessons_lesson: of 2, 2 are lost",
             "triggers on public.lessons_lesson: of 1, 1 is lost", "comments on public.lessons_lesson: of 1, 1 is lost",
             "views on public.lessons_lesson: of 1, 1 is lost: public.lessons_session has no public.titles")),
    Release("what hung on a table made anew, but for one", HANGING, COPIED + sql(*AGAIN[:1], *AGAIN[2:]) + "," + DELETE,
            ("policies on public.lessons_lesson: of 2, 1 is lost",
             "ALTER TABLE public.lessons_session ENABLE ROW LEVEL SECURITY")),
    Release("what hung on a table made anew", HANGING, COPIED + sql(*AGAIN) + "," + DELETE,
            told=("comments on public.lessons_lesson: of 1, 1 is lost",)),
    Release("what hung on a table lost as declared", HANGING, COPIED + sql(*AGAIN[:3]) + "," + DELETE,
            declared="- {object: triggers on public.lessons_lesson, lost: 1" + WHY),
    Release("what hung on a table follows its new name", HANGING, VARIANTS["b"]),
    Release("function that names a table by its old name", """CREATE FUNCTION lessons() RETURNS bigint LANGUAGE plpgsql
            AS 'BEGIN RETURN (SELECT count(*) FROM lessons_lesson); END'""", VARIANTS["b"],
            told=("function public.lessons() uses lessons_lesson, whose rows are now in public.lessons_session",)),
    Release("policy of a copy lets everybody in", OWN, COPIED + sql("alter table lessons_session enable row level "
            "security", "create policy mine on lessons_session for select to pg_monitor using (title <> 'secret')")
            + "," + DELETE,
            ("policies on public.lessons_lesson: of 2, 1 is changed: mine has another definition",)),
    Release("policy of a copy for every role", OWN, COPIED + sql("alter table lessons_session enable row level "
            "security", "create policy mine on lessons_session for select using (title <> 'secret' and teacher_id > 0)")
            + "," + DELETE, ("policies on public.lessons_lesson: of 2, 1 is changed",)),
    Release("policy of a copy, written another way", OWN, COPIED + sql("alter table lessons_session enable "
            "row level security", "create policy my_own on lessons_session for select to pg_monitor "
            "using (((title)::text <> 'secret'::text) and (teacher_id > 0))") + "," + DELETE),
    Release("policy dropped with a column", GUARDED, sql("alter table lessons_lesson drop hidden cascade"),
            ("policies on public.lessons_lesson: of 2, 1 is lost: public.lessons_lesson has no mine",
             'CREATE POLICY "mine" ON public.lessons_lesson')),
    Release("policy dropped with a column and made anew", GUARDED, sql("alter table lessons_lesson drop hidden cascade",
            "create policy mine on lessons_lesson using (true)")),
    Release("policy dropped by its name", GUARDED, sql("drop policy mine on lessons_lesson"),
            told=("policies on public.lessons_lesson: of 2, 1 is lost",)),
    Release("trigger left disabled", AUDIT, sql("alter table lessons_lesson disable trigger noted",
            "update lessons_lesson set title = title"),
            ("triggers on public.lessons_lesson: of 1, 1 is changed",
             'ALTER TABLE public.lessons_lesson ENABLE TRIGGER "noted"')),
    Release("foreign keys left disabled", "", sql("alter table lessons_booking disable trigger all"),
            ("foreign keys on public.lessons_booking: of 1, 1 is changed",
             "ALTER TABLE public.lessons_booking ENABLE TRIGGER ALL")),
    Release("table left unlogged", "", sql("alter table lessons_booking set unlogged",
            "update lessons_booking set lesson_id = lesson_id"),
            ("write-ahead log on public.lessons_booking: of 1, 1 is lost", "SET LOGGED")),
    Release("table unlogged and logged", "", sql("alter table lessons_booking set unlogged",
            "alter table lessons_booking set logged")),
    Release("trigger disabled and enabled", AUDIT, sql("alter table lessons_lesson disable trigger all",
            "update lessons_lesson set title = title", "alter table lessons_lesson enable trigger all")),
    Release("view made anew without its grant", REPORT, sql(*REMADE),
            ("grants on public.titles: of 1, 1 is lost", 'GRANT SELECT ON public.titles TO "pg_monitor"')),
    Release("view made anew with its grant", REPORT, sql(*REMADE, "grant select on titles to pg_monitor")),
    Release("sequence of a copy without its grant", SERIAL, sql(*VISITS).format("id serial primary key"),
            ("grants on public.visit_id_seq: of 1, 1 is lost",
             'GRANT USAGE ON public.visits_id_seq TO "pg_monitor"')),
    Release("sequence of a copy with its grant", SERIAL, sql(*VISITS, "grant usage on visits_id_seq to pg_monitor")
            .format("id serial primary key")),
    Release("identity of a copy, which needs no grant", SERIAL, sql(*VISITS)
            .format("id int generated by default as identity primary key")),
    Release("jsonb encoded twice", NOTED.format("jsonb", OBJECT), sql("update note set data = to_jsonb(data::text)"),
            ("100 values of public.note.data have changed", TWICE)),
    Release("text encoded twice", NOTED.format("text", f"{OBJECT}::text"),
            sql("alter table note alter data type jsonb using to_jsonb(data)"),
            ("100 values of public.note.data have changed", TWICE)),
    Release("text made jsonb", NOTED.format("text", f"{OBJECT}::text"),
            sql("alter table note alter data type jsonb using data::jsonb")),
    Release("plain text made a json string", NOTED.format("text", "'[lesson ' || n"),
            sql("alter table note alter data type jsonb using to_jsonb(data)")),
    Release("keys of rows with new keys in arrays, json and text", PLANS, CREATE + ANEW + "," + DELETE,
            told=("public.lessons_lesson has new keys in public.lessons_session; "
                  "public.plan.data, public.plan.lessons, public.plan.memo seem to contain the old keys",)),
]  # fmt: skip


@pytest.mark.parametrize("case", quick(RELEASES), ids=[case.name for case in RELEASES])
def test_release(case: Release, project: Callable[..., Project]) -> None:
    shop = project("", checks=[])
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    path.write_text(migration(case.operations))
    if case.before:
        write(shop, case.before)
    if case.declared:
        (shop.folder / "shop/migrations.expect.yaml").write_text(f"lessons.0002_session:\n  {case.declared}\n")
    before = shop.fingerprint()
    done = shop.inv("release", "--json", "--confirm=shop")
    if case.said:
        assert done.code == 5, done.out + done.err
        assert not [words for words in case.said if words not in done.outcome["reason"]], done.outcome["reason"]
        assert shop.fingerprint() == before
        assert shop.query("SHOW default_transaction_read_only") == [("off",)]
    else:
        assert done.code == 0, done.out + done.err
        account = next(e for e in done.events if e.get("step") == "verify.account" and e["status"] == "done")
        assert not [words for words in case.told if words not in account["detail"]], account["detail"]


@pytest.mark.slow
def test_large_objects_that_were_made_since_the_rehearsal_follow_the_declaration(
    project: Callable[..., Project],
) -> None:
    shop = project(sql("select lo_unlink(oid) from pg_largeobject_metadata"), checks=[])
    write(shop, OBJECTS)
    (shop.folder / "shop/migrations.expect.yaml").write_text(
        f"lessons.0002_session: [{{object: large objects, lost: 60{WHY}]\n"
    )
    steps(shop, "clone-prod-to-test", "migrate-test", "verify")
    write(shop, "SELECT lo_from_bytea(0, 'one more') FROM generate_series(1, 5)")
    done = shop.inv("promote", "--json", "--confirm=shop")
    assert done.code == 0, done.out + done.err

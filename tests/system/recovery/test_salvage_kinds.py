"""Salvage of tables of every kind: names that need quotes, any key or none, links, triggers, unique values."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import psycopg
import pytest

from tests.conftest import Done, Project
from tests.support.project import begin, ended
from tests.support.tiers import quick
from tests.system.cli.test_pages import blocks
from tests.system.recovery.test_salvage import report, salvage


def backed_up(shop: Project, setup: str, damage: str) -> str:
    """Set tables up, back up, do the damage. Gives the backup's id."""
    shop.query(setup)
    done = shop.inv("backup", "--json")
    assert done.code == 0, done.out + done.err
    for statement in damage.split(";;"):
        shop.query(statement)
    return str(done.outcome["run"])


def undo(shop: Project, code: int = 0) -> Done:
    done = shop.inv("undo", "--json", "--confirm=shop")
    assert done.code == code, done.out + done.err
    return done


KINDS = """
CREATE SCHEMA "Schule, Süd";
CREATE TYPE "Schule, Süd"."Art" AS ENUM ('groß', 'klein');
CREATE DOMAIN "Schule, Süd".preis AS numeric(8, 2) CHECK (VALUE >= 0);
CREATE TABLE "Schule, Süd"."Kurs = ""alt"" 1" (
    "Jahr" int, "Nr, x" text, art "Schule, Süd"."Art", preis "Schule, Süd".preis, j json, b jsonb, a int[], t text[],
    roh bytea, p point, w timestamptz, i interval, f double precision, l bigint GENERATED ALWAYS AS IDENTITY,
    doppelt numeric GENERATED ALWAYS AS (preis * 2) STORED, "NULL" text, PRIMARY KEY ("Nr, x", "Jahr"));
INSERT INTO "Schule, Süd"."Kurs = ""alt"" 1" ("Jahr", "Nr, x", art, preis, j, b, a, t, roh, p, w, i, f, "NULL")
SELECT n, 'x' || n % 7, CASE n % 2 WHEN 0 THEN 'groß' ELSE 'klein' END::"Schule, Süd"."Art", n * 1.25,
    '{"a":  1}', '{"b": [1, null]}',
    ARRAY[n, NULL], ARRAY['a,b', '"', NULL], decode('00ff0a5c', 'hex'), point(n, -0.0), now() + n * interval '1 h',
    n * interval '1 mon 3 s', n / 3.0, CASE WHEN n % 3 = 0 THEN E'tab\\t\\\\N\\n' END FROM generate_series(1, 50) n;
CREATE TABLE ohne (a int, b text);
INSERT INTO ohne VALUES (1, 'x'), (1, 'x'), (1, 'x'), (2, NULL), (2, NULL), (NULL, NULL);
CREATE TABLE messung (id int, tag date, wert real, PRIMARY KEY (id, tag)) PARTITION BY RANGE (tag);
CREATE TABLE messung_1 PARTITION OF messung FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE messung_2 PARTITION OF messung FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
INSERT INTO messung SELECT n, '2026-01-01'::date + n, n / 3.0 FROM generate_series(1, 300) n;
CREATE TABLE ort (id int PRIMARY KEY, name text);
CREATE TABLE stadt (einwohner int) INHERITS (ort);
ALTER TABLE stadt ADD PRIMARY KEY (id);
INSERT INTO ort SELECT n, 'Ort ' || n FROM generate_series(1, 5) n;
INSERT INTO stadt SELECT n, 'Stadt ' || n, n FROM generate_series(4, 9) n;
"""


def test_rows_of_every_kind_come_back_to_the_last_bit(project: Callable[..., Project]) -> None:
    shop = project("b")
    damage = """DELETE FROM "Schule, Süd"."Kurs = ""alt"" 1" WHERE "Jahr" % 3 = 0;;
    DELETE FROM ohne WHERE ctid IN (SELECT ctid FROM ohne WHERE a = 1 LIMIT 2) OR a IS NULL;;
    DELETE FROM messung WHERE id % 2 = 0;; DELETE FROM ONLY ort WHERE id > 2;; DELETE FROM stadt WHERE id < 6"""
    shop.query(KINDS)
    before = shop.fingerprint()
    backup = backed_up(shop, "SELECT", damage)
    damaged = shop.fingerprint()
    assert before != damaged
    words = ('"Schule, Süd"."Kurs = ""alt"" 1"', "ohne", "messung", "public.ort,stadt")
    done = salvage(shop, backup, *(f"--table={word}" for word in words))
    assert shop.fingerprint() == before
    back = {table["into"]: table["back"] for table in report(shop, done)["tables"]}
    assert back.pop('"Schule, Süd"."Kurs = ""alt"" 1"') == 16
    assert back == {
        "public.ohne": 3, "public.messung_1": 90, "public.messung_2": 60, "public.ort": 3, "public.stadt": 2
    }  # fmt: skip
    undo(shop)
    assert shop.fingerprint() == damaged


LINKS = """
CREATE TABLE abteilung (id serial PRIMARY KEY, name text);
CREATE TABLE person (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, abteilung_id int NOT NULL
    REFERENCES abteilung ON DELETE CASCADE, chef_id bigint REFERENCES person ON DELETE SET NULL);
CREATE TABLE adresse (person_id bigint PRIMARY KEY REFERENCES person ON DELETE CASCADE, ort text);
CREATE TABLE karte (id serial PRIMARY KEY, nr text, person_id bigint REFERENCES person ON DELETE SET NULL);
CREATE TABLE platz (haus text, nr int, PRIMARY KEY (haus, nr));
CREATE TABLE sitzt (person_id bigint REFERENCES person ON DELETE CASCADE, haus text, nr int,
    FOREIGN KEY (haus, nr) REFERENCES platz ON DELETE SET NULL, PRIMARY KEY (person_id));
INSERT INTO abteilung (name) SELECT 'A' || n FROM generate_series(1, 5) n;
INSERT INTO person (name, abteilung_id, chef_id) SELECT 'P' || n, 1 + n % 5, nullif(n / 10, 0)
    FROM generate_series(1, 100) n;
INSERT INTO adresse SELECT n, 'O' || n FROM generate_series(1, 100) n;
INSERT INTO karte (nr, person_id) SELECT 'K' || n, n FROM generate_series(1, 100) n;
INSERT INTO platz SELECT 'H' || n % 3, n FROM generate_series(1, 100) n;
INSERT INTO sitzt SELECT n, 'H' || n % 3, n FROM generate_series(1, 100) n;
"""


@pytest.mark.slow
def test_what_went_with_a_row_comes_back_with_it(project: Callable[..., Project]) -> None:
    shop = project("b")
    shop.query(LINKS)
    before = shop.fingerprint()
    backup = backed_up(shop, "SELECT", "DELETE FROM abteilung WHERE id = 1;; DELETE FROM platz WHERE nr < 30")
    damaged = shop.fingerprint()
    plain = report(shop, salvage(shop, backup, "--table=abteilung"))
    assert [(t["into"], t["back"]) for t in plain["tables"]] == [("public.abteilung", 1)]
    assert [(link["table"], link["gone"]) for link in plain["links"]] == [("public.person", 20)]
    undo(shop)
    assert shop.fingerprint() == damaged
    done = salvage(shop, backup, "--table=abteilung,platz", "--with-related")
    assert shop.fingerprint() == before, report(shop, done)
    undo(shop)
    assert shop.fingerprint() == damaged


@pytest.mark.slow
def test_a_row_that_needs_another_one_brings_it_or_stays_out(project: Callable[..., Project]) -> None:
    shop = project("b")
    backup = backed_up(shop, LINKS, "DELETE FROM abteilung WHERE id = 1")
    (table,) = report(shop, salvage(shop, backup, "--table=person"))["tables"]
    assert table["back"] == 0
    left = {r["why"]: r["rows"] for r in table["left"]}
    assert left == {
        "abteilung_id refers to a row of public.abteilung that does not exist": 20,
        "the row is live, and only one of its links is empty": 8,
    }
    with_them = report(shop, salvage(shop, backup, "--table=person", "--with-related"))
    assert {t["into"]: t["back"] for t in with_them["tables"] if t["back"]} == {
        "public.person": 20,
        "public.abteilung": 1,
        "public.adresse": 20,
        "public.sitzt": 20,
    }
    assert shop.query("SELECT count(*) FROM karte WHERE person_id IS NULL") == [(0,)]


@pytest.mark.slow
def test_what_somebody_did_to_a_link_since_stays(project: Callable[..., Project]) -> None:
    shop = project("b")
    damage = """DELETE FROM person WHERE id = 50;; UPDATE karte SET nr = 'neu' WHERE id = 50;;
    DELETE FROM person WHERE id = 51;; UPDATE karte SET person_id = 1 WHERE id = 51;;
    UPDATE karte SET person_id = NULL WHERE id = 52"""
    backup = backed_up(shop, LINKS, damage)
    found = report(shop, salvage(shop, backup, "--table=person"))
    links = {link["table"]: (link["back"], link["changed"]) for link in found["links"]}
    assert links["public.karte"] == (0, 1)
    assert shop.query("SELECT person_id FROM karte WHERE id IN (50, 51, 52) ORDER BY id") == [(None,), (1,), (None,)]


TAKEN = """
CREATE TABLE mitglied (id serial PRIMARY KEY, mail text UNIQUE, name text, aktiv bool DEFAULT true, log int DEFAULT 0);
CREATE UNIQUE INDEX ON mitglied (lower(name)) WHERE aktiv;
CREATE TABLE protokoll (was text);
CREATE FUNCTION merke() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO protokoll VALUES (TG_OP || ' ' || NEW.id); NEW.log := NEW.log + 1; RETURN NEW; END $$;
INSERT INTO mitglied (mail, name) SELECT 'm' || n || '@x.de', 'Name ' || n FROM generate_series(1, 20) n;
CREATE TRIGGER merke BEFORE INSERT OR UPDATE ON mitglied FOR EACH ROW EXECUTE FUNCTION merke();
CREATE TRIGGER immer AFTER INSERT ON mitglied FOR EACH ROW EXECUTE FUNCTION merke();
CREATE TRIGGER aus AFTER INSERT ON mitglied FOR EACH ROW EXECUTE FUNCTION merke();
ALTER TABLE mitglied ENABLE ALWAYS TRIGGER immer; ALTER TABLE mitglied DISABLE TRIGGER aus;
"""


RULES = """
CREATE TABLE konto (id int PRIMARY KEY, stand int);
CREATE TABLE protokoll (was text);
INSERT INTO konto SELECT n, n FROM generate_series(1, 20) n;
"""
# With these nothing can be inserted, or deleted: an INSERT tells nobody which rows it made.
INSTEAD = (
    "DELETE FROM konto WHERE id > 10",
    "CREATE RULE nie AS ON INSERT TO konto DO INSTEAD INSERT INTO protokoll VALUES ('konto')",
    "CREATE RULE auch AS ON DELETE TO konto DO INSTEAD NOTHING",
    "CREATE RULE still AS ON UPDATE TO konto DO INSTEAD NOTHING",
    "ALTER TABLE konto DISABLE RULE still",
)


def test_rules_rest_while_rows_come_back_and_go_again(project: Callable[..., Project]) -> None:
    shop = project("b")
    backup = backed_up(shop, RULES, ";;".join(INSTEAD))
    rules = "SELECT rulename, ev_enabled FROM pg_rewrite WHERE ev_class = 'konto'::regclass ORDER BY 1"
    enabled = shop.query(rules)
    (table,) = report(shop, salvage(shop, backup, "--table=konto"))["tables"]
    assert (table["back"], table["left"]) == (10, [])
    assert shop.query("SELECT count(*), sum(stand) FROM konto") == [(20, 210)]
    undo(shop)
    assert shop.query("SELECT count(*) FROM konto") == [(10,)]
    assert shop.query("SELECT FROM protokoll") == [] and shop.query(rules) == enabled


@pytest.mark.slow
def test_unique_values_that_others_have_are_listed_and_triggers_rest(project: Callable[..., Project]) -> None:
    shop = project("b")
    damage = """DELETE FROM mitglied WHERE id > 10;; INSERT INTO mitglied (mail, name) VALUES ('m15@x.de', 'Neu');;
    INSERT INTO mitglied (mail, name) VALUES ('neu@x.de', 'NAME 16');;
    INSERT INTO mitglied (mail, name, aktiv) VALUES ('inaktiv@x.de', 'NAME 17', false);; DELETE FROM protokoll"""
    backup = backed_up(shop, TAKEN, damage)
    triggers = "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    enabled = shop.query(triggers)
    (table,) = report(shop, salvage(shop, backup, "--table=mitglied"))["tables"]
    assert (table["back"], sorted(r["sample"] for r in table["left"])) == (8, [["15"], ["16"]])
    assert shop.query("SELECT count(*), sum(log) FROM mitglied WHERE id <= 20") == [(18, 0)]
    assert shop.query("SELECT count(*) FROM protokoll") == [(0,)]
    assert shop.query(triggers) == enabled
    assert shop.query("SELECT mail FROM mitglied WHERE id > 20 ORDER BY id") == [
        ("m15@x.de",),
        ("neu@x.de",),
        ("inaktiv@x.de",),
    ]


@pytest.mark.slow
def test_columns_of_today_get_a_value(project: Callable[..., Project]) -> None:
    shop = project("b")
    damage = """DELETE FROM mitglied WHERE id > 10;; ALTER TABLE mitglied ADD ort text NOT NULL DEFAULT 'hier';;
    ALTER TABLE mitglied ALTER ort DROP DEFAULT;; ALTER TABLE mitglied DROP log;;
    ALTER TABLE mitglied ALTER id TYPE bigint"""
    backup = backed_up(shop, TAKEN, damage)
    refused = salvage(shop, backup, "--table=mitglied", code=3)
    assert "--set=ort=VALUE" in refused.outcome["hint"]
    salvage(shop, backup, "--table=mitglied", "--set=ort=O'Hara = \\ Ort")
    assert shop.query("SELECT count(*), min(ort) FROM mitglied WHERE id > 10") == [(10, "O'Hara = \\ Ort")]
    plan = shop.inv("salvage", f"--backup={backup}", "--table=mitglied", "--set=ort=x", "--plan").out
    assert "only in the backup, and not inserted: log" in plan


@pytest.mark.slow
def test_a_frozen_production_takes_salvaged_rows(project: Callable[..., Project]) -> None:
    shop = project("b")
    backup = backed_up(shop, "SELECT", "DELETE FROM lessons_booking WHERE id > 900")
    assert shop.inv("freeze", "--confirm=shop").code == 0
    salvage(shop, backup, "--table=lessons_booking")
    assert shop.query("SELECT count(*) FROM lessons_booking") == [(1000,)]
    assert shop.query("SHOW default_transaction_read_only") == [("on",)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("since", "said"),
    [
        ("UPDATE person SET name = 'neu' WHERE id = 50", "1 were changed since"),
        ("DELETE FROM person WHERE id = 50", "3 are missing"),
        ("INSERT INTO karte (nr, person_id) VALUES ('neu', 50)", "1 of public.karte"),
    ],
)
def test_what_was_written_on_salvaged_rows_is_not_taken_away(
    project: Callable[..., Project], since: str, said: str
) -> None:
    shop = project("b")
    backup = backed_up(shop, LINKS, "DELETE FROM person WHERE id BETWEEN 50 AND 59")
    salvage(shop, backup, "--table=person", "--with-related")
    shop.query(since)
    now = shop.fingerprint()
    done = undo(shop, code=3)
    assert said in done.outcome["reason"]
    assert shop.fingerprint() == now


@pytest.mark.slow
def test_a_lock_that_somebody_holds_is_waited_for(project: Callable[..., Project]) -> None:
    shop = project("b", lock_timeout=0.3, retries=1)
    backup = backed_up(shop, LINKS, "DELETE FROM person WHERE id = 50")
    now = shop.fingerprint()
    with psycopg.connect(shop.production) as other:
        other.execute("UPDATE person SET name = name WHERE id = 1")
        done = salvage(shop, backup, "--table=person", code=4)
    assert "lock timeout" in done.outcome["reason"]
    assert shop.fingerprint() == now
    assert shop.inv("resume", "--confirm=shop").code == 0
    assert shop.query("SELECT count(*) FROM person") == [(100,)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "step", quick(["salvage.restore", "salvage.count", "salvage.bring", "salvage.drop"], "salvage.bring")
)
@pytest.mark.parametrize("word", ["resume", "undo"])
def test_a_salvage_that_is_killed_can_be_ended_both_ways(project: Callable[..., Project], step: str, word: str) -> None:
    shop = project("b")
    shop.query(LINKS)
    whole = shop.fingerprint()
    backup = backed_up(shop, "SELECT", "DELETE FROM abteilung WHERE id = 1")
    damaged = shop.fingerprint()
    words = ("salvage", f"--backup={backup}", "--table=abteilung", "--with-related", "--confirm=shop")
    process = begin(shop, step, *words)
    process.kill()
    ended(process)
    assert shop.fingerprint() in (whole, damaged)
    done = shop.inv(word, "--json", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.fingerprint() == (whole if word == "resume" else damaged)
    assert not shop.beside("salvage")


@pytest.mark.slow
def test_a_salvage_killed_after_its_transaction_is_not_done_twice(project: Callable[..., Project]) -> None:
    shop = project("b")
    backup = backed_up(shop, LINKS, "DELETE FROM person WHERE id = 50;; DELETE FROM karte WHERE id = 1")
    done = salvage(shop, backup, "--table=person")
    told = report(shop, done)
    journal = shop.folder / "backups/shop/runs" / str(done.outcome["run"]) / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    upto = next(n for n, line in enumerate(lines) if '"salvage.restore", "status": "begun"' in line)
    journal.write_text("".join(lines[: upto + 1]))
    shop.query("UPDATE person SET name = 'danach' WHERE id = 50")
    resumed = shop.inv("resume", "--json", "--confirm=shop")
    assert resumed.code == 0, resumed.out + resumed.err
    assert "before the interruption" in resumed.out
    assert shop.query("SELECT name FROM person WHERE id = 50") == [("danach",)]
    assert shop.query("SELECT count(*) FROM person") == [(100,)]
    assert report(shop, resumed) == told


@pytest.mark.slow
def test_a_value_that_the_live_type_does_not_know_is_told_in_one_line(project: Callable[..., Project]) -> None:
    shop = project("b")
    setup = """CREATE TYPE farbe AS ENUM ('rot', 'blau'); CREATE TABLE ding (id int PRIMARY KEY, f farbe);
    INSERT INTO ding VALUES (1, 'rot'), (2, 'blau')"""
    damage = """DELETE FROM ding WHERE id = 2;; ALTER TYPE farbe RENAME TO alt;; CREATE TYPE farbe AS ENUM ('rot');;
    ALTER TABLE ding ALTER f TYPE farbe USING f::text::farbe"""
    backup = backed_up(shop, setup, damage)
    now = shop.fingerprint()
    done = salvage(shop, backup, "--table=ding", code=4)
    assert "invalid input value for enum farbe: …" in done.outcome["reason"]
    assert "blau" not in done.out + done.err, "a row's value"
    assert "the whole transaction was rolled back" in done.outcome["reason"]
    assert shop.fingerprint() == now
    undo(shop)
    assert not shop.beside("salvage")


PAGE = {
    "TABLE": "public.person",
    "LINKED": "public.karte=public.karte",
    "RELATED": "public.adresse=public.adresse,public.sitzt=public.sitzt",
}


def paste(shop: Project, text: str, backup: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash"],
        input="set -e\n" + text,
        cwd=shop.folder,
        env=shop.env | PAGE | {"BACKUP": backup},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_page_by_hand_does_the_same(project: Callable[..., Project]) -> None:
    shop = project("b")
    shop.query(LINKS)
    whole = shop.fingerprint()
    backup = backed_up(shop, "SELECT", "DELETE FROM person WHERE id = 50")
    assert shop.inv("runbooks").code == 0
    done = paste(shop, blocks((shop.folder / "runbooks/salvage.md").read_text()), backup)
    assert done.returncode == 0, done.stdout + done.stderr
    assert shop.fingerprint() == whole


@pytest.mark.slow
def test_the_proof_fails_where_a_row_is_missing(project: Callable[..., Project]) -> None:
    shop = project("b")
    backup = backed_up(shop, LINKS, "DELETE FROM person WHERE id IN (50, 60)")
    assert shop.inv("runbooks").code == 0
    script = blocks((shop.folder / "runbooks/salvage.md").read_text())
    check = next(line for line in script.splitlines() if line.startswith("inv tool.salvage-check"))
    deleted = 'psql -Xqc "DELETE FROM public.person WHERE id = 60" service=shop'
    done = paste(shop, script.replace(check, f"{deleted}\n{check}"), backup)
    assert done.returncode == 4, done.stdout + done.stderr
    # It, its address and its seat.
    assert "3 of the inserted rows are not live" in done.stdout + done.stderr

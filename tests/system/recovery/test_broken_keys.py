"""A backup whose rows break a foreign key: every restore goes on without it being held, and names it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.project import Project
from tests.system.cli.test_pages import paste

Make = Callable[..., Project]

# As a restore without triggers, or a superuser with session_replication_role, leaves it.
BROKEN = """
CREATE TABLE place (id int PRIMARY KEY); INSERT INTO place VALUES (1);
CREATE TABLE visit (id int PRIMARY KEY, place int CONSTRAINT visited REFERENCES place DEFERRABLE, n int);
CREATE TABLE heard (id serial, tag text);
COMMENT ON CONSTRAINT visited ON visit IS 'where'; INSERT INTO visit SELECT n, 1, n FROM generate_series(1, 50) n;
SET session_replication_role = replica; INSERT INTO visit VALUES (4711, 4712, 1), (4713, 4712, 2), (4714, NULL, 3);
RESET session_replication_role;
CREATE FUNCTION hear() RETURNS event_trigger LANGUAGE plpgsql AS
'BEGIN INSERT INTO public.heard (tag) VALUES (tg_tag); END';
CREATE EVENT TRIGGER hearer ON ddl_command_end EXECUTE FUNCTION hear();
"""
STATE = """
SELECT convalidated, condeferrable, obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conname = 'visited'
"""
NAMED = "foreign key visited of public.visit is restored NOT VALID, so only new rows are checked: 2 rows refer"
THEN = "ALTER TABLE public.visit VALIDATE CONSTRAINT visited"


@pytest.fixture
def shop(scene: Make) -> Project:
    found = scene("filled")
    for statement in BROKEN.split(";\n"):
        found.query(statement)
    return found


def ran(shop: Project, *words: str) -> str:
    done = shop.inv(*words)
    assert done.code == 0, done.out + done.err
    return done.out


def test_a_rollback_restores_the_key_not_valid_and_names_it(shop: Project) -> None:
    ran(shop, "backup")
    before = shop.fingerprint()
    shop.query("DELETE FROM visit WHERE id < 10")
    said = ran(shop, "rollback", "--backup=latest", "--confirm=shop")
    assert NAMED in said and THEN in said, said
    assert shop.fingerprint() == before, "an event trigger that writes has seen nothing of the restore"
    assert shop.query(STATE) == [(False, True, "where")]
    kept = [path.read_text() for path in shop.folder.rglob("runs/**/*") if path.is_file() and path.suffix != ".jsonl"]
    assert not any("4712" in text for text in kept), "no row's values are kept"
    shop.query("DELETE FROM visit WHERE place = 4712")
    shop.query(THEN)
    assert shop.query(STATE) == [(True, True, "where")]


@pytest.mark.slow
def test_a_drill_a_clone_and_a_release_go_on_and_name_it(shop: Project) -> None:
    ran(shop, "backup")
    said = ran(shop, "drill")
    assert NAMED in said and THEN in said, said
    said = ran(shop, "drill", "--beside")
    assert NAMED in said, said
    said = ran(shop, "release", "--confirm=shop")
    assert NAMED in said and THEN in said, said
    assert shop.query(STATE) == [(True, True, "where")]


@pytest.mark.slow
def test_a_salvage_brings_rows_back(shop: Project) -> None:
    ran(shop, "backup")
    shop.query("DELETE FROM visit WHERE id < 10")
    ran(shop, "salvage", "--backup=latest", "--table=visit", "--confirm=shop")
    assert shop.query("SELECT count(*) FROM visit") == [(53,)]


@pytest.mark.slow
def test_the_page_by_hand_does_the_same(shop: Project) -> None:
    ran(shop, "backup")
    [backup] = [event["backup"] for event in shop.inv("backups", "--json").events if "backup" in event]
    before = shop.fingerprint()
    shop.query("DELETE FROM visit WHERE id < 10")
    ran(shop, "runbooks")
    done = paste(shop, "rollback", BACKUP=backup)
    assert done.returncode == 0 and NAMED in done.stdout, done.stdout + done.stderr
    assert shop.fingerprint() == before and shop.query(STATE) == [(False, True, "where")]
    assert json.dumps(THEN)[1:-1] in done.stdout

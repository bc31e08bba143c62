"""Drills: a backup is restored on the test server, proved, timed and dropped, without production."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from ops.backups.requirements import SERVER, Needs, lacking, needs
from ops.infra.postgres.embedded_server import Server
from ops.infra.session import client_tools
from ops.infra.stores.manifest import read_manifest
from tests.conftest import Project, admin, drop_databases
from tests.support.project import project_env
from tests.support.servers import QUICK, own_server
from tests.support.versions import clients, servers

Make = Callable[..., Project]
SERVERS = servers()


def drills(shop: Project) -> list[str]:
    """The throw-away databases that are there."""
    stem = shop.test.rsplit("/", 1)[1]
    names = shop.query("SELECT datname FROM pg_database", "postgres")
    return [name for (name,) in names if name.startswith(f"{stem}_drill_")]


@pytest.mark.slow
def test_the_newest_backup_that_was_never_proved_is_proved(scene: Make) -> None:
    shop = scene("backed_up")
    first = shop.inv("backups", "--json").events[0]["backup"]
    listed = shop.inv("backups").out
    assert "never" in listed, listed
    done = shop.inv("drill")
    assert done.code == 0 and f"{first}, taken" in done.out and "never proved" in done.out, done.out + done.err
    assert drills(shop) == []
    listed = shop.inv("backups").out
    assert "by drill" in listed and "restored in" in listed, listed
    [event] = shop.inv("backups", "--json").events
    assert event["proved"]["procedure"] == "drill" and event["proved"]["seconds"] > 0, event
    assert shop.inv("backup").code == 0
    done = shop.inv("drill")
    assert done.code == 0 and first not in done.out, done.out


def test_production_is_not_needed(scene: Make) -> None:
    shop = scene("backed_up")
    del shop.env["DATABASE_URL"]
    done = shop.inv("drill")
    assert done.code == 0, done.out + done.err


def test_a_damaged_backup_is_not_restored_and_shown_as_failed(scene: Make) -> None:
    shop = scene("backed_up")
    dump = max((shop.folder / "backups").rglob("*.dat*"), key=lambda path: path.stat().st_size)
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content)
    done = shop.inv("drill")
    assert done.code == 3 and "does not match the manifest" in done.out + done.err, done.out + done.err
    assert drills(shop) == []
    assert "FAILED" in (listed := shop.inv("backups").out), listed


def test_what_was_restored_other_than_it_was_dumped_fails_the_drill(scene: Make) -> None:
    shop = scene("backed_up")
    [fingerprint] = (shop.folder / "backups").rglob("fingerprint.jsonl")
    manifest = fingerprint.with_name("manifest.json")
    text = fingerprint.read_text()
    import hashlib
    import json
    import re

    harmed = re.sub(r'("rows" : )1000\b', r"\g<1>999", text, count=1)
    assert harmed != text, text[:2000]
    fingerprint.write_text(harmed)
    found = json.loads(manifest.read_text())
    found["files"]["fingerprint.jsonl"] = [hashlib.sha256(harmed.encode()).hexdigest(), len(harmed.encode())]
    manifest.write_text(json.dumps(found))
    done = shop.inv("drill")
    assert done.code == 4 and "differs from the dump" in done.out, done.out + done.err
    assert "inv backups   lists the proved backups" in done.out, done.out
    assert "FAILED" in (listed := shop.inv("backups").out), listed
    checked = shop.inv("check-backups")
    assert "if the drill fails again,   inv backup --target=shop" in checked.out + checked.err, checked.out
    # What is left is dropped by the way back.
    assert len(drills(shop)) == 1
    undone = shop.inv("undo")
    assert undone.code == 0 and drills(shop) == [], undone.out + undone.err
    # It was not proved all the same.
    assert "FAILED" in (listed := shop.inv("backups").out), listed


@pytest.mark.slow
def test_a_drill_that_was_killed_is_resumed(scene: Make) -> None:
    shop = scene("backed_up")
    child = subprocess.Popen(shop.command("drill"), cwd=shop.folder, env=shop.env, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not drills(shop) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert drills(shop)
    done = shop.inv("resume")
    assert done.code == 0 and drills(shop) == [], done.out + done.err


def test_without_a_test_server_the_schema_is_tried_beside_production(scene: Make) -> None:
    """That proves no rows, so the backup does not count as proved."""
    shop = scene("backed_up")
    inventory = shop.folder / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("          test: shop-test\n", ""))
    done = shop.inv("drill")
    assert done.code == 0 and "objects were restored beside production as postgres" in done.out, done.out + done.err
    assert shop.beside("tried") == [] and "never" in shop.inv("backups").out


@pytest.mark.slow
def test_both_where_that_is_asked_for(scene: Make) -> None:
    shop = scene("backed_up")
    done = shop.inv("drill", "--beside")
    assert done.code == 0 and "[ 3/3] ✓ Restore the backup's schema beside production" in done.out, done.out + done.err
    assert drills(shop) == [] and shop.beside("tried") == [] and "by drill" in shop.inv("backups").out


def test_without_a_backup_there_is_nothing_to_drill(project: Make) -> None:
    done = project("b").inv("drill")
    assert done.code == 2 and "inv backup --target=shop" in done.out + done.err, done.out + done.err


def test_what_another_machine_needs_is_told_without_asking_anybody(scene: Make) -> None:
    shop = scene("filled")
    shop.query("CREATE EXTENSION pg_trgm")
    assert shop.inv("backup").code == 0
    del shop.env["DATABASE_URL"]
    done = shop.inv("backups", "--needs=latest")
    assert done.code == 0, done.out + done.err
    for said in ("PostgreSQL 18 or newer", "pg_restore and psql 18", "UTF8", "C (libc)", "pg_trgm 1.", "postgres"):
        assert said in done.out, done.out
    [event] = shop.inv("backups", "--needs=latest", "--json").events
    assert (event["event"], event["major"], event["sealed"]) == ("needs", 18, False)
    assert event["owners"] == ["postgres"] and event["bytes"] > 0 and event["restored"] > 0, event
    assert shop.inv("backups", "--needs=20200101_000000_aaaa").code == 2


def test_what_a_server_lacks_is_told_all_at_once() -> None:
    wanted = Needs(17, 17, "UTF8", "C", ("boss", "gone"), ("boss", "gone", "reader"), {"postgis": "3.4"}, ("fast",))
    server = {"number": 160000, "role": "app", "super": False, "roles": {"app": True, "boss": False, "reader": False},
              "extensions": ["pg_trgm"], "tablespaces": ["pg_default"], "encoded": True, "supers": []}  # fmt: skip
    assert [way for _, way in lacking(wanted, server)] == [
        "a server of PostgreSQL 17 or newer",
        'CREATE ROLE "gone" NOLOGIN',
        'GRANT "boss" TO "app" WITH INHERIT TRUE, SET TRUE',
        "install the package of postgis",
        'CREATE TABLESPACE "fast" LOCATION …',
    ]


def test_who_owns_the_schema_public_alone_need_not_be_there_and_large_objects_have_their_owner_in_their_name(
    scene: Make,
) -> None:
    shop = scene("filled")
    shop.query("SELECT lo_create(0); ALTER SCHEMA public OWNER TO pg_monitor")
    assert shop.inv("backup").code == 0
    folder = next((shop.folder / "backups/shop/backups").iterdir())
    wanted = needs(read_manifest(folder), folder)
    assert (wanted.owners, wanted.only_public) == (("pg_monitor", "postgres"), ("pg_monitor",))
    roles = {"app": True, "pg_monitor": False, "postgres": True}
    server = {"number": 180000, "role": "app", "super": False, "roles": roles, "extensions": [*wanted.extensions],
              "tablespaces": [], "encoded": True, "supers": ["pg_monitor"]}  # fmt: skip
    assert lacking(wanted, server) == []
    assert [way for _, way in lacking(wanted, server | {"supers": []})] == [
        'GRANT "pg_monitor" TO "app" WITH INHERIT TRUE, SET TRUE'
    ]


def test_admin_of_a_role_without_set_is_not_enough(server: Server, stem: str) -> None:
    """Since PostgreSQL 16: such a role may grant itself what it lacks, and nothing else tells that it lacks it."""
    app, boss = f"{stem}_app", f"{stem}_boss"
    with admin(server) as c:
        c.execute(f"CREATE ROLE {app} LOGIN PASSWORD 'x'; CREATE ROLE {boss}".encode())
        c.execute(f"GRANT {boss} TO {app} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE".encode())
        try:
            url = server.url("postgres").split("@")[1]
            with psycopg.connect(f"postgresql://{app}:x@{url}", autocommit=True) as own:
                wanted = Needs(18, 18, owners=(boss,), roles=(boss,))
                [(found,)] = own.execute(SERVER.encode(), ["UTF8"]).fetchall()
                [(_, way)] = lacking(wanted, found)
                assert way == f'GRANT "{boss}" TO "{app}" WITH INHERIT TRUE, SET TRUE'
                own.execute(way.encode())
                [(found,)] = own.execute(SERVER.encode(), ["UTF8"]).fetchall()
                assert lacking(wanted, found) == []
        finally:
            c.execute(f"DROP ROLE {app}; DROP ROLE {boss}".encode())


def test_a_rollback_is_refused_before_anything_where_a_role_is_gone(scene: Make, server: Server) -> None:
    """One that owns a table of the backup, and one that may read another."""
    shop = scene("filled")
    names = [f"{shop.production.rsplit('/', 1)[1]}_{what}" for what in ("owner", "reader")]
    shop.query("; ".join(f"CREATE ROLE {name}" for name in names))
    shop.query(f"ALTER TABLE lessons_booking OWNER TO {names[0]}; GRANT SELECT ON lessons_teacher TO {names[1]}")
    assert shop.inv("backup").code == 0
    shop.query(f"REASSIGN OWNED BY {names[0]} TO postgres; DROP OWNED BY {', '.join(names)}")
    shop.query(f"DROP ROLE {', '.join(names)}")
    done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert done.code == 3, done.out + done.err
    assert all(f'CREATE ROLE "{name}" NOLOGIN' in done.out for name in names), done.out
    assert shop.beside("restored") == []


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Server]:
    """A server of Debian's version, where nobody but a role of its own may make databases."""
    if 15 not in SERVERS or 15 not in clients():
        pytest.skip("another PostgreSQL is needed here (server and client 15): tests/support/versions.py says how")
    with own_server("elsewhere", QUICK, SERVERS[15]) as made:
        with admin(made) as c:
            c.execute("CREATE ROLE driller LOGIN CREATEDB PASSWORD 'x'")
        yield made


@pytest.mark.slow
def test_a_drill_on_an_older_server_with_other_roles_is_refused_or_works(scene: Make, elsewhere: Server) -> None:
    """A backup of 18 is refused by a server of 15, with what to type; one of 15 is proved as a role without rights."""
    shop = scene("backed_up")
    url = elsewhere.url("drills").split("@")[1]
    shop.env["TEST_DATABASE_URL"] = f"postgresql://driller:x@{url}"
    done = shop.inv("drill")
    assert done.code in (2, 3) and "Try: " in done.out, done.out + done.err
    assert "cannot restore to a server of version 15" in done.out, done.out + done.err


@pytest.mark.slow
def test_a_drill_on_a_newer_server_with_other_roles_proves_it(
    elsewhere: Server, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_tools, "installed", lambda _: [clients()[15]])
    with admin(elsewhere) as c:
        c.execute("CREATE ROLE boss")
        c.execute("CREATE DATABASE old OWNER boss")
    with psycopg.connect(elsewhere.url("old"), autocommit=True) as c:
        c.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 99) n; ALTER TABLE t OWNER TO boss")
        c.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t TO boss USING (true)")
    role = f"driller_{tmp_path.name.replace('-', '_')}"[:50]
    with admin(server) as c:
        c.execute(f"CREATE ROLE {role} LOGIN CREATEDB CREATEROLE PASSWORD 'x'".encode())
    try:
        there = server.url(f"{role}_db").split("@")[1]
        given = {"all": {"vars": {"store": "backups"}, "children": {
            "production": {"hosts": {"shop": {"database": "env:DATABASE_URL", "test": "shop-test"}}},
            "test": {"hosts": {"shop-test": {"database": "env:TEST_DATABASE_URL"}}}}}}  # fmt: skip
        (tmp_path / "inventory.yaml").write_text(yaml.safe_dump(given))
        (tmp_path / "tasks.py").write_text("from ops.tasks import namespace\n")
        urls = elsewhere.url("old"), f"postgresql://{role}:x@{there}"
        shop = Project(tmp_path, *urls, project_env(elsewhere, *urls))
        for words in (["backup"], ["drill"]):
            done = shop.inv(*words)
            assert done.code == 0, done.out + done.err
        assert "by drill" in shop.inv("backups").out
    finally:
        drop_databases(server, role)
        with admin(server) as c:
            c.execute(f"DROP ROLE IF EXISTS boss; DROP OWNED BY {role}; DROP ROLE {role}".encode())

"""`inv doctor`: all right on a good project; then one thing after another is broken, and exactly that is told."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

import ops.doctor
from ops.doctor.catalog import checks
from ops.doctor.check import CHECKS, check, ok
from ops.doctor.connection import CLOCKS, answered, compared
from ops.doctor.server_session import ServerSession
from ops.infra.postgres.embedded_server import Server
from tests.conftest import Done, Project, admin

Make = Callable[..., Project]
PRODUCTION, TEST = checks("production"), checks("test")
# Somebody has looked at what could be personal data, and it is nobody's.
CLASSIFIED = {"rules": [], "keep": ["public.auth_user", "public.lessons_teacher"]}
# A day on which the window is closed whenever the tests run.
OTHER_DAY = f"{datetime.now(UTC) + timedelta(days=3):%a}"
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is mounted by root only: run the tests as root")


def doctor(shop: Project, *words: str) -> Done:
    done = shop.inv("doctor", "--json", *words)
    assert not done.err and "Traceback" not in done.out, done.out + done.err
    return done


def told(done: Done, *statuses: str) -> dict[str, dict[str, Any]]:
    """The findings with a status, by target and check."""
    events = [event for event in done.events if event["event"] == "check" and event["status"] in statuses]
    return {f"{event['target']} {event['check']}".strip(): event for event in events}


def found(shop: Project, expected: dict[str, tuple[str, str, str]]) -> Done:
    """Exactly these checks are told of: status, words and what to type; the exit code is as it must be.

    Args:
        expected: target and check to status, a part of what is said, a part of the hint.
    """
    done = doctor(shop)
    events = told(done, "warn", "fail")
    assert list(events) == list(expected), events
    for name, (status, said, hint) in expected.items():
        event = events[name]
        assert event["status"] == status and said in event["said"] and hint in event["hint"], event
        assert "\n" not in event["said"] and event["hint"], event
        assert name in done.outcome["reason"]
    failed = [event for event in events.values() if event["status"] == "fail"]
    assert done.code == done.outcome["exit"] == (4 if failed else 0)
    assert done.outcome["hint"] == (failed[0]["hint"] if failed else "")
    return done


def everything(folder: Path) -> list[tuple[str, int, int, bytes]]:
    """All that lies in a folder: name, mode, time of change, content."""
    paths = sorted(path for path in folder.rglob("*") if not {"__pycache__", ".git"} & set(path.parts))
    return [
        (str(path), about.st_mode, about.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in paths
        for about in [path.stat()]
    ]


@pytest.fixture
def good(project: Make) -> Project:
    """A project in which all is right: backed up, in git, with a window, deploy and health commands."""
    shop = project(
        "b",
        deploy=["./deploy.sh"],
        health=["true"],
        defang=CLASSIFIED,
        window={"days": [OTHER_DAY.lower()], "hours": "02:00-03:00", "zone": "Europe/Berlin"},
    )
    program = shop.folder / "shop/deploy.sh"
    program.write_text("#!/bin/sh\ntouch ../deployed\n")
    program.chmod(0o755)
    (shop.folder / "shop/.gitignore").write_text("__pycache__\n")
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=shop.folder / "shop", check=True)
    assert shop.inv("backup").code == 0
    return shop


def inventory(shop: Project, **given: object) -> None:
    """Change keys of the production target."""
    path = shop.folder / "inventory.yaml"
    content = yaml.safe_load(path.read_text())
    content["all"]["children"]["production"]["hosts"]["shop"].update(given)
    path.write_text(yaml.safe_dump(content))


def test_all_is_right_and_nothing_is_changed(good: Project) -> None:
    # Other tests make databases on the same server meanwhile.
    ours = f"SELECT oid, datname FROM pg_database WHERE starts_with(datname, '{good.production.rsplit('/', 1)[1][:9]}')"
    before, databases = everything(good.folder), good.query(f"{ours} ORDER BY 1")
    done = doctor(good)
    assert done.code == 0 and told(done, "warn", "fail", "skip") == {}, done.out
    assert list(told(done, "ok")) == [
        "inventory",
        *(f"shop {check.name}" for check in PRODUCTION),
        *(f"shop-test {check.name}" for check in TEST),
    ]
    outcome = done.outcome
    assert (outcome["procedure"], outcome["target"], outcome["outcome"]) == ("doctor", "shop", "done")
    assert outcome["checks"] == {"ok": 1 + len(PRODUCTION) + len(TEST), "warn": 0, "fail": 0, "skip": 0}
    said = told(done, "ok")
    assert f"opens {OTHER_DAY} 20" in said["shop window"]["said"] and said["shop window"]["said"].endswith("02:00")
    assert said["shop migrations"]["said"] == "1 pending: lessons.0002_session"
    assert said["shop programs"]["said"] == "manage: python, deploy: ./deploy.sh, health: true"
    assert good.production.split(":")[2].split("@")[0] not in done.out
    assert everything(good.folder) == before
    assert good.query(f"{ours} ORDER BY 1") == databases
    assert not (good.folder / "deployed").exists()


def test_without_a_store_none_is_made(project: Make) -> None:
    shop = project("b", defang=CLASSIFIED)
    text = shop.inv("doctor", "--target=shop")
    assert text.code == 0 and not (shop.folder / "backups").exists()
    right = 1 + len(PRODUCTION) - 1 + len(TEST)
    assert text.out.splitlines() == [
        "shop",
        "  warn  backups       there is no backup",
        "        Try: inv backup --target=shop",
        "shop: doctor is done: 1 warning: shop backups",
        f"{right} checks passed; inv doctor --all lists them",
    ]
    text = shop.inv("doctor", "--all")
    assert text.code == 0 and "\nshop\n  ok    host " in text.out and "\nshop-test\n  ok    host " in text.out
    assert text.out.count("\n  ok    ") == right - 1 and text.out.startswith("  ok    inventory "), text.out
    assert text.out.splitlines()[-1] == f"{right} checks passed"
    inventory(shop, database="embedded:shop", seed=["false"])
    address = ("fail", "the embedded server is not running", "inv status --target=shop")
    found(shop, {"shop address": address, "shop backups": ("warn", "there is no backup", "inv backup")})
    assert sorted(path.name for path in shop.folder.iterdir()) == ["inventory.yaml", "shop", "tasks.py"]


def test_usage(project: Make) -> None:
    shop = project("b", defang=CLASSIFIED)
    for words, said, hint in [
        (["--target=shp"], "no such target", "--target=shop"),
        (["--target=shop-test"], "shop-test is a test target", "--target=shop"),
        (["-i", "nowhere.yaml"], "there is no such inventory", "OPS_INVENTORY"),
    ]:
        done = doctor(shop, *words)
        assert (done.code, said in done.outcome["reason"], hint in done.outcome["hint"]) == (2, True, True), done.out
    assert shop.inv("doctor", "--targt=shop").code == 2


def test_what_is_wrong_on_this_machine(good: Project) -> None:
    shop, backups = good, good.folder / "backups"
    file, program, secret = shop.folder / "inventory.yaml", shop.folder / "shop/deploy.sh", shop.folder / "secret"
    expectations, models = shop.folder / "shop/migrations.expect.yaml", shop.folder / "shop/lessons/models.py"
    manifest, code = next(backups.glob("shop/backups/*/manifest.json")), models.read_text()
    kept = manifest.read_text()

    taken = (datetime.now(UTC) - timedelta(hours=40)).isoformat()
    manifest.write_text(json.dumps(json.loads(kept) | {"taken_at": taken, "system": "1"}))
    file.chmod(0o666)
    (backups / "shop").chmod(0o755)
    program.chmod(0o644)
    models.write_text(code + "# more\n")
    expectations.write_text("- nonsense\n")
    done = found(
        shop,
        {
            "inventory": ("fail", "can be written by everybody", f"chmod o-w {file}"),
            "shop store": ("warn", "can be read by others", f"chmod -R go-rwx {backups}/shop"),
            "shop backups": ("warn", "older than 26 h", "inv backup --target=shop"),
            "shop same-server": ("warn", "on a server other than that of", "env:DATABASE_URL"),
            "shop programs": ("fail", "deploy: shop/deploy.sh is not executable", "chmod +x shop/deploy.sh"),
            "shop declarations": ("fail", "migrations.expect.yaml", ""),
            "shop commit": ("warn", "uncommitted changes", "git -C shop status"),
        },
    )
    assert told(done, "skip") == {}
    assert stat.S_IMODE((backups / "shop").stat().st_mode) == 0o755
    file.chmod(0o644)
    (backups / "shop").chmod(0o700)
    program.chmod(0o755)
    expectations.unlink()
    models.write_text(code)

    damaged = json.loads(kept)
    damaged["files"]["fingerprint.jsonl"][1] += 1
    manifest.write_text(json.dumps(damaged))
    secret.write_text(shop.production + "\n")
    secret.chmod(0o644)
    inventory(shop, database="file:secret")
    done = found(
        shop,
        {
            "shop address": ("fail", "can be read by others", f"chmod 600 {secret}"),
            "shop backups": ("fail", "fingerprint.jsonl has another size than the", "inv backup --target=shop"),
        },
    )
    assert {event["said"] for event in told(done, "skip").values()} == {
        "skipped, since address failed",
        "skipped, since production's server failed",
    }
    manifest.write_text(kept)
    secret.chmod(0o600)

    models.write_text(code + "import nothing_of_that_name\n")
    inventory(shop, store="inventory.yaml/backups")
    found(
        shop,
        {
            "shop store": ("fail", "is not writable", "ls -ld"),
            "shop app": ("fail", "No module named 'nothing_of_that_name'", "python manage.py check"),
            "shop commit": ("warn", "uncommitted changes", "git"),
        },
    )
    models.write_text(code)
    inventory(shop, store="backups")
    found(shop, {})


@ROOT_ONLY
def test_a_store_that_is_full_or_read_only(good: Project) -> None:
    store = good.folder / "backups"
    shutil.rmtree(store)
    store.mkdir()
    none = ("warn", "there is no backup", "inv backup --target=shop")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(store)], check=True)
    try:
        found(good, {"shop space": ("fail", "1.0 MB free; a backup takes at most", "du -sh"), "shop backups": none})
        subprocess.run(["mount", "-o", "remount,ro", str(store)], check=True)
        done = found(good, {"shop store": ("fail", "read-only file system", f"ls -ld {store}")})
        assert "shop space" in told(done, "skip")
    finally:
        subprocess.run(["umount", str(store)], check=True)


def test_what_is_wrong_with_a_server(good: Project, server: Server, make_database: Callable[..., str]) -> None:
    shop, production = good, good.production
    database = production.rsplit("/", 1)[1]

    shop.env |= {
        "DATABASE_URL": production.replace("@", "wrong@"),
        "TEST_DATABASE_URL": "postgresql://postgres:hidden-word@127.0.0.1:1/shop",
    }
    refused = "no connection to 127.0.0.1:1: Connection refused"
    done = found(
        shop,
        {
            "shop server": ("fail", "password authentication failed", "correct user and password in env:DATABASE_URL"),
            "shop-test server": ("fail", refused, "check host and port in env:TEST_DATABASE_URL"),
        },
    )
    assert "wrong@" not in done.out and "hidden-word" not in done.out
    assert told(done, "skip")["shop app"]["said"] == "skipped, since server failed"
    shop.env["DATABASE_URL"] = production + "_gone"
    shop.env.pop("TEST_DATABASE_URL")
    found(
        shop,
        {
            "shop server": ("fail", "does not exist", "correct the address in env:DATABASE_URL"),
            "shop-test address": ("fail", "env:TEST_DATABASE_URL is empty", "export TEST_DATABASE_URL="),
        },
    )

    # The test target is production itself; runs have left something; a program is missing.
    shop.env |= {"DATABASE_URL": production, "TEST_DATABASE_URL": production.replace("127.0.0.1", "localhost")}
    inventory(shop, health=["no-such-program", "-x"])
    make_database("shop_replaced_20200101_020000_a1b2")
    name = sql.Identifier(database)
    with admin(server) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
        found(
            shop,
            {
                "shop writes": ("fail", "is FROZEN", "inv unfreeze --target=shop"),
                "shop leftovers": ("warn", "older than 7 days", "inv discard-replaced"),
                "shop programs": ("fail", "health: no-such-program is not on PATH", "inventory.yaml"),
                "shop-test other": ("fail", "is the database of shop", "the address of another database"),
            },
        )
        connection.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(name))
        old = sql.Identifier(f"{database}_replaced_20200101_020000_a1b2")
        young = sql.Identifier(f"{database}_replaced_{datetime.now(UTC):%Y%m%d}_020000_a1b2")
        connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(old, young))

    # The test database is one that somebody may need, and nothing is deployed.
    inventory(shop, health=["true"], deploy=None)
    shop.env["TEST_DATABASE_URL"] = make_database("elses")
    shop.query("INSERT INTO django_migrations (app, name, applied) VALUES ('lessons', '0009_newer', now())")
    done = found(
        shop,
        {
            "shop programs": ("warn", "`health` is never checked", "deploy: "),
            "shop migrations": ("fail", "unknown to this release: lessons.0009_newer", "check out a release"),
            "shop-test other": ("warn", "is not a clone of shop", "is needed"),
        },
    )
    assert told(done, "ok")["shop leftovers"]["said"].startswith(f"1 kept database beside {database}, ")


@pytest.fixture
def weak(good: Project, server: Server) -> Iterator[tuple[Project, Callable[[str], None]]]:
    """Reached by a role that has the rights that docs/how-to/rights.md names; and what grants or revokes."""
    shop = good
    database = shop.production.rsplit("/", 1)[1]
    role = f"weak_{database}"

    def execute(text: str, on: str = database) -> None:
        filled = sql.SQL(text).format(database=sql.Identifier(database), role=sql.Identifier(role))  # type: ignore[arg-type]
        with psycopg.connect(server.url(on), autocommit=True) as connection:
            connection.execute(filled)

    execute("CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'weak-word'; ALTER DATABASE {database} OWNER TO {role}")
    with psycopg.connect(shop.production, autocommit=True) as connection:
        query = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'"
        for (name,) in connection.execute(query).fetchall():
            connection.execute(f"ALTER TABLE {name} OWNER TO {role}".encode())
    at = shop.production.split("@")[1]
    shop.env["DATABASE_URL"] = f"postgresql://{role}:weak-word@{at}"
    shop.env["TEST_DATABASE_URL"] = f"postgresql://{role}:weak-word@{at.replace('_shop', '_test')}"
    yield shop, execute
    execute(
        "ALTER DATABASE {database} OWNER TO postgres; REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; "
        "DROP ROLE {role}"
    )


@pytest.mark.slow
def test_a_right_that_is_missing(weak: tuple[Project, Callable[[str], None]]) -> None:
    shop, execute = weak
    role = f"weak_{shop.production.rsplit('/', 1)[1]}"
    found(shop, {})
    execute("SELECT lo_create(4711); CREATE EXTENSION citext; CREATE EXTENSION pageinspect")
    with psycopg.connect(shop.production):
        found(
            shop,
            {
                "shop reading": (
                    "fail",
                    "may not read 1 large object",
                    f'GRANT SELECT ON LARGE OBJECT 4711 TO "{role}"',
                ),
                "shop sessions": (
                    "warn",
                    f"{role} may not terminate the sessions of postgres",
                    "end the sessions of postgres",
                ),
                "shop-test extensions": ("fail", "only a superuser may create pageinspect", "on the test server"),
            },
        )
    execute("DROP EXTENSION pageinspect; SELECT lo_unlink(4711); ALTER TABLE lessons_booking ENABLE ROW LEVEL SECURITY")
    execute("ALTER TABLE lessons_booking FORCE ROW LEVEL SECURITY")
    policies = "policies hide rows of public.lessons_booking"
    found(shop, {"shop reading": ("fail", policies, f'ALTER ROLE "{role}" BYPASSRLS')})

    # A clone that the role may not make, and the run that it leaves; and nothing of what a release needs.
    execute("ALTER TABLE lessons_booking DISABLE ROW LEVEL SECURITY; ALTER ROLE {role} NOCREATEDB")
    assert shop.inv("clone-prod-to-test").code == 4
    execute("ALTER DATABASE {database} OWNER TO postgres; CREATE SCHEMA more; CREATE TABLE more.t AS SELECT 1 AS v")
    lacks = f"{role} does not own {shop.production.rsplit('/', 1)[1]} and may not create databases and may not change"
    found(
        shop,
        {
            "shop reading": ("fail", f"{role} may not read more.t", f'GRANT pg_read_all_data TO "{role}"'),
            "shop changing": ("fail", lacks, f'ALTER ROLE "{role}" CREATEDB; ALTER TABLE … OWNER TO "{role}"'),
            "shop run": ("warn", "clone-prod-to-test", "inv status --target=shop"),
            "shop-test cloning": ("fail", "may not create databases: no clone", f'ALTER ROLE "{role}" CREATEDB'),
        },
    )


def test_no_client_tools(good: Project, tmp_path: Path) -> None:
    """As on a machine that has none: an environment with the tool's own libraries, and neither wheel nor packages."""
    code = "import ops.infra.postgres.client as p; p._PATTERNS = (); p.wheel_bin = lambda: None; "
    code += "from invoke.main import program; "
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("sh", "git", "true"):
        (bare / name).symlink_to(str(shutil.which(name)))
    (bare / "python").write_text(f'#!/bin/sh\nexec {good.command()[0]} "$@"\n')
    (bare / "python").chmod(0o755)
    good.env["PATH"] = str(bare)
    code += "import sys; sys.argv = ['inv', 'doctor', '--json']; program.run()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=good.folder, env=good.env, capture_output=True, text=True, timeout=60
    )
    made = Done(done.returncode, done.stdout, done.stderr)
    events = told(made, "warn", "fail")
    assert list(events) == ["shop tools"] and made.code == 4, made.out + made.err
    assert "psql, pg_dump and pg_restore are not installed" in events["shop tools"]["said"]
    assert "apt-get install postgresql-client" in made.outcome["hint"]
    assert {"shop reading", "shop app", "shop-test cloning"} <= set(told(made, "skip"))


def test_a_standby_and_clear_text_are_told() -> None:
    there = ServerSession("17.2 (Debian)", 17, 0.03, False, "TLSv1.3", 0, 0.01, False, False)
    assert answered(there, "env:X").said == "PostgreSQL 17.2, connected in 30 ms, TLSv1.3"
    clear = answered(replace(there, tls=""), "env:X")
    assert clear.status == "warn" and "clear text" in clear.said and "sslmode=require" in clear.hint
    assert answered(replace(there, tls="", local=True), "env:X").status == "ok"
    standby = answered(replace(there, standby=True), "env:X")
    assert standby.status == "fail" and "standby" in standby.said and "env:X" in standby.hint


def test_clocks() -> None:
    assert compared(0.5, 0.1).status == compared(-2.3, 0.4).status == "ok"
    assert compared(-CLOCKS[0] - 1, 0.1).status == "warn" and "behind" in compared(-9, 0).said
    assert compared(CLOCKS[1] + 1, 0.1).status == "fail" and "61 s ahead of" in compared(61, 0.1).said


@pytest.mark.skipif(not shutil.which("pgbouncer"), reason="pgbouncer is not installed: apt-get install pgbouncer")
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_in_between(good: Project, mode: str, tmp_path: Path) -> None:
    parts = conninfo_to_dict(good.production)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path("/tmp") / f"pooler-{port}"
    folder.mkdir(mode=0o755)
    (folder / "users").write_text(f'"postgres" "{parts["password"]}"\n')
    user = "user = nobody" if os.geteuid() == 0 else ""
    (folder / "pooler.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={parts['port']}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nauth_type = plain\nauth_file = {folder}/users\npool_mode = {mode}\n"
        f"unix_socket_dir =\n{user}\n"
    )
    process = subprocess.Popen(["pgbouncer", "-q", str(folder / "pooler.ini")])
    try:
        for _ in range(50):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        good.env["DATABASE_URL"] = good.production.replace(f":{parts['port']}/", f":{port}/")
        said = {"transaction": "gives several clients one session", "session": "drops the settings at the start"}[mode]
        done = found(good, {"shop pooler": ("fail", said, "set env:DATABASE_URL to the address of the server itself")})
        assert list(told(done, "skip")) == ["shop app", "shop rehearsal", "shop migrations"]
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def test_every_check_says_why_and_what_it_needs() -> None:
    for one in (*PRODUCTION, *TEST):
        assert one.why.endswith(".") and len(one.why) > 30, one
        names = {other.name for other in (*PRODUCTION, *TEST)} | {"production's server"}
        assert set(one.after) <= names, one


MADE_UP = '''
"""A check of the moon."""

from ops.doctor.check import Finding, Subject, check, warn


@check("moon", "server")
def moon(subject: Subject) -> Finding:
    """Whether the moon is up: a release by daylight is watched by more people."""
    return warn(f"the moon is up over {subject.target}", "wait until it sets")
'''


def test_a_check_is_added_by_one_file(good: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "moon.py").write_text(MADE_UP)
    monkeypatch.setattr(ops.doctor, "__path__", [*ops.doctor.__path__, str(tmp_path)])
    try:
        found(good, {"shop moon": ("warn", "the moon is up over shop", "wait until it sets")})
    finally:
        CHECKS.pop("moon", None)
        sys.modules.pop("ops.doctor.moon", None)


def test_a_check_that_needs_a_later_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check("early", "later")(lambda _: ok(""))
    try:
        with pytest.raises(ValueError, match="check early needs later"):
            checks("production")
    finally:
        CHECKS.pop("early")


@pytest.mark.slow
def test_copies_with_readable_people_are_told(good: Project) -> None:
    path = good.folder / "inventory.yaml"
    text = path.read_text()
    inventory(good, defang={"keep": ["public.auth_user"]})
    unclear = "neither masks, clears nor keeps public.lessons_teacher.name"
    found(good, {"shop copies": ("warn", unclear, "inv clone-prod-to-test")})
    inventory(good, defang={**CLASSIFIED, "mask": {"public.lessons_teachers.name": "name"}})
    lines = [line.strip() for line in path.read_text().splitlines()]
    line = lines.index("public.lessons_teachers.name: name") + 1
    wrong = f"inventory.yaml:{line}: shop: public.lessons_teachers.name: the column does not exist"
    found(good, {"shop copies": ("warn", wrong, "correct this line of the inventory")})
    inventory(good, defang={**CLASSIFIED, "sql": ["nowhere.sql"]})
    found(good, {"shop copies": ("warn", "nowhere.sql: no such file", "ls -l nowhere.sql")})
    content = yaml.safe_load(text)
    del content["all"]["children"]["production"]["hosts"]["shop"]["defang"]
    path.write_text(yaml.safe_dump(content))
    found(good, {"shop copies": ("warn", "clones contain readable personal data: public.auth_user.", "defang: {}")})


def test_what_a_rollback_could_not_restore_is_said_with_restore(weak: tuple[Project, Callable[[str], None]]) -> None:
    shop, execute = weak
    role = f"weak_{shop.production.rsplit('/', 1)[1]}"
    execute("CREATE FUNCTION admin() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE PUBLICATION told FOR ALL TABLES")
    assert shop.inv("backup").code == 0
    done = shop.inv("doctor", "--restore", "--json", "--target=shop")
    [check] = [event for event in done.events if event.get("check") == "restore"]
    assert check["status"] == "fail" and "function public.admin" in check["said"], check
    assert f"ALTER FUNCTION public.admin() OWNER TO {role}   on production" in check["said"], check
    assert "publication told: only a superuser may publish FOR ALL TABLES" in check["said"], check
    assert shop.beside("tried") == []
    execute("DROP FUNCTION admin; DROP PUBLICATION told")


@pytest.mark.slow
def test_a_release_is_refused_where_a_rollback_could_not_restore_all(
    weak: tuple[Project, Callable[[str], None]],
) -> None:
    shop, execute = weak
    execute("CREATE FUNCTION admin() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    before = shop.fingerprint()
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 3 and "ALTER FUNCTION public.admin() OWNER TO weak_" in done.out, done.out + done.err
    assert "frozen" not in done.out.split("REFUSED")[-1], done.out
    assert shop.fingerprint() == before and shop.beside("tried") == []
    execute("DROP FUNCTION admin")
    done = shop.inv("release", "--confirm=shop")
    assert "objects were restored beside production as weak_" in done.out, done.out + done.err
    assert "the maintenance window is closed" in done.out, done.out

"""Who may read what is kept, which rights suffice, and that nothing goes on where an address leads elsewhere."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Done, Project, admin, drop_databases
from tests.support.servers import own_server
from tests.support.tiers import quick

Make = Callable[..., Project]


def wide(folder: Path) -> list[str]:
    """What in a folder others may read or write."""
    return [str(path) for path in (folder, *folder.rglob("*")) if path.lstat().st_mode & 0o077]


def under(shop: Project, umask: int, *words: str) -> Done:
    """Call ``inv`` under a umask."""
    done = subprocess.run(
        shop.command(*words), cwd=shop.folder, env=shop.env, capture_output=True, text=True, umask=umask, timeout=240
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("umask", quick([0o000, 0o077], 0o000))
def test_what_is_kept_is_private_whatever_the_umask(project: Make, umask: int) -> None:
    shop = project("b", freeze="always", deploy=["sh", "-c", "touch deployed"])
    done = under(shop, umask, "release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert wide(shop.folder / "backups") == []
    # What the application writes keeps the operator's own.
    assert stat.S_IMODE((shop.folder / "shop/deployed").stat().st_mode) == 0o666 & ~umask


def test_a_store_that_is_too_wide_is_tightened(project: Make) -> None:
    shop = project("b")
    store = shop.folder / "backups"
    (store / "shop/runs/old").mkdir(parents=True)
    (store / "shop/runs/old/a.log").write_text("x")
    for path in (store, store / "shop", *(store / "shop").rglob("*")):
        path.chmod(0o777)
    assert under(shop, 0o000, "backup").code == 0
    assert wide(store / "shop") == []
    assert store.stat().st_mode & 0o022 == 0


@pytest.mark.parametrize("part", ["", "runs", "backups"])
def test_a_link_that_leads_out_of_the_store_is_refused(project: Make, part: str, tmp_path: Path) -> None:
    shop = project("b")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = shop.folder / "backups/shop" / part if part else shop.folder / "backups/shop"
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    done = shop.inv("backup")
    assert done.code == 2, done.out + done.err
    assert "a link that leads out of the store" in done.out and "Try: rm " in done.out
    assert list(elsewhere.iterdir()) == []


def test_a_secret_that_others_can_read_is_refused(project: Make) -> None:
    shop = project("b", database="file:secret url")
    path = shop.folder / "secret url"
    path.write_text(shop.production + "\n")
    for mode, said in ((0o640, "can be read by others"), (0o604, "can be read by others")):
        path.chmod(mode)
        done = shop.inv("backup")
        assert (done.code, said in done.out) == (2, True), done.out + done.err
        assert f"Try: chmod 600 '{path}'" in done.out
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, 65534, -1)
        assert "belongs to another user" in shop.inv("backup").out
        os.chown(path, 0, -1)
    assert shop.inv("backups").code == 0
    path.write_bytes(b"\xff\xfe")
    assert shop.inv("backup").code == 2


@pytest.mark.parametrize("how", ["PGPASSFILE", "home", "url"])
def test_a_passfile_is_used_and_refused_where_others_can_read_it(project: Make, how: str, tmp_path: Path) -> None:
    shop = project("b")
    head, rest = shop.production.split("@")
    user, password = head.removeprefix("postgresql://").split(":")
    path = tmp_path / ".pgpass"
    path.write_text(f"*:*:*:{user}:{password}\n")
    shop.env["DATABASE_URL"] = f"postgresql://{user}@{rest}" + (f"?passfile={path}" if how == "url" else "")
    if how == "PGPASSFILE":
        shop.env["PGPASSFILE"] = str(path)
    if how == "home":
        shop.env["HOME"] = str(tmp_path)
    path.chmod(0o640)
    done = shop.inv("status", "--json")
    assert f"{path} can be read by others" in done.out, done.out + done.err
    path.chmod(0o600)
    now = shop.inv("status", "--json")
    assert '"frozen": false' in now.out, now.out + now.err


def test_libpqs_own_variables_lead_nowhere_else(project: Make) -> None:
    shop = project("b")
    shop.env |= {"PGHOSTADDR": "127.0.0.9", "PGPORT": "1", "PGOPTIONS": "-c nonsense=1", "PGSERVICE": "none"}
    assert shop.inv("freeze", "--confirm=shop").code == 0
    assert shop.query("SHOW default_transaction_read_only") == [("on",)]


# --- markers and identity


@pytest.fixture
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Another server, with databases of the same names as the first one's would have."""
    with own_server("second") as made:
        yield made


def stopped(shop: Project) -> str:
    """A release that stopped when the clone was to be migrated; gives the run."""
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    good = path.read_text()
    path.write_text(good.replace("operations = [", 'operations = [migrations.RunSQL("SELECT 1 / 0"),'))
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 4, done.out + done.err
    path.write_text(good)
    return str(done.outcome["run"])


def everything(server: Server) -> list[tuple[object, ...]]:
    """All databases of a server, with what marks and settings they have."""
    with admin(server) as connection:
        return connection.execute(
            "SELECT d.oid, datname, datallowconn, shobj_description(d.oid, 'pg_database'), s.setconfig::text "
            "FROM pg_database d LEFT JOIN pg_db_role_setting s ON s.setdatabase = d.oid ORDER BY 1"
        ).fetchall()


@pytest.mark.slow
def test_a_run_does_not_go_on_where_its_addresses_lead_elsewhere(project: Make, server: Server, second: Server) -> None:
    shop = project("b")
    run = stopped(shop)
    before = shop.fingerprint()
    stem = shop.production.rsplit("/", 1)[1].removesuffix("_shop")
    production, test = shop.production, shop.test
    with admin(second) as connection:
        for name in (f"{stem}_shop", f"{stem}_test"):
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    there = everything(second)
    for changed, said in (
        ({"TEST_DATABASE_URL": production}, f"the database {stem}_shop, not {stem}_test"),
        ({"TEST_DATABASE_URL": production.replace("127.0.0.1", "localhost")}, f"the database {stem}_shop, not"),
        ({"TEST_DATABASE_URL": second.url(f"{stem}_test")}, "another server"),
        ({"DATABASE_URL": second.url(f"{stem}_shop")}, "another server"),
        ({"DATABASE_URL": test, "TEST_DATABASE_URL": production}, f"the database {stem}_test, not {stem}_shop"),
    ):
        kept = dict(shop.env)
        shop.env |= changed
        for word in ("resume", "undo"):
            done = shop.inv(word, f"--run={run}", "--confirm=shop", "--json")
            assert (done.code, said in done.outcome["reason"]) == (3, True), (changed, done.out)
            assert "nothing was changed" in done.outcome["reason"] and done.outcome["hint"]
        shop.env = kept
    assert shop.fingerprint() == before
    assert everything(second) == there
    drop_databases(second, stem)
    done = shop.inv("undo", f"--run={run}", "--confirm=shop")
    assert done.code == 0, done.out + done.err


def test_the_steps_own_gates_look_at_the_clones_mark(scene: Make, server: Server) -> None:
    """As if the first look had not been: what the application migrates must carry the mark of this very clone."""
    shop = scene("cloned")
    name = shop.test.rsplit("/", 1)[1]
    with admin(server) as connection:
        marked = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
        ).fetchone()
        assert marked
        run = str(marked[0]).rsplit(" ", 1)[1]
        for mark, said in (("mine", "is not a clone"), (None, "it has no mark")):
            words = sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(mark))
            connection.execute(words)
            done = shop.inv("migrate-test", "--json")
            assert (done.code, said in done.outcome["reason"]) == (3, True), done.out
    assert run
    with psycopg.connect(shop.test) as connection:
        assert connection.execute("SELECT to_regclass('lessons_session')").fetchone() == (None,)


def test_a_test_target_that_is_anothers_production_is_refused(project: Make, make_database: Callable[..., str]) -> None:
    import yaml

    shop = project("b")
    path = shop.folder / "inventory.yaml"
    content = yaml.safe_load(path.read_text())
    content["all"]["children"]["production"]["hosts"]["other"] = {"database": "env:OTHER_URL"}
    path.write_text(yaml.safe_dump(content))
    other = make_database("other")
    shop.env |= {"OTHER_URL": other, "TEST_DATABASE_URL": other.replace("127.0.0.1", "localhost")}
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute("CREATE TABLE canary AS SELECT 1 AS v")
    done = shop.inv("clone-prod-to-test", "--target=shop", "--json")
    assert (done.code, "is the database of other" in done.outcome["reason"]) == (3, True), done.out
    with psycopg.connect(other) as connection:
        assert connection.execute("SELECT v FROM canary").fetchone() == (1,)


# --- which rights suffice

READER = """
GRANT CONNECT ON DATABASE {database} TO {role};
GRANT pg_read_all_data TO {role};
"""


@pytest.fixture
def reader(project: Make, server: Server) -> Iterator[tuple[Project, str, Callable[[str], None]]]:
    """A project whose production is reached by a role that may only read; its name; and what grants or revokes."""
    shop = project("b")
    database = shop.production.rsplit("/", 1)[1]
    role = f"reader_{database}"

    def execute(text: str, on: str = database) -> None:
        filled = sql.SQL(text).format(database=sql.Identifier(database), role=sql.Identifier(role))  # type: ignore[arg-type]
        with psycopg.connect(server.url(on), autocommit=True) as connection:
            connection.execute(filled)

    execute("CREATE ROLE {role} LOGIN PASSWORD 'just-reading'")
    execute("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC")
    shop.env["DATABASE_URL"] = f"postgresql://{role}:just-reading@{shop.production.split('@')[1]}"
    yield shop, role, execute
    execute("DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_role_that_only_reads_is_enough_for_a_backup(reader: tuple[Project, str, Callable[[str], None]]) -> None:
    shop, role, execute = reader
    execute(READER)
    execute("CREATE SCHEMA more; CREATE TABLE more.t AS SELECT 1 AS v; CREATE SEQUENCE more.s; SELECT lo_create(4711)")
    execute("GRANT SELECT ON LARGE OBJECT 4711 TO {role}")
    before = shop.fingerprint()
    done = shop.inv("backup", "--json")
    assert done.code == 0, done.out + done.err
    assert shop.fingerprint() == before
    assert shop.inv("backups", "--json").events[0]["rows"] == sum(rows for rows, _ in before.values())
    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(shop.env["DATABASE_URL"]) as connection:
        connection.execute("DELETE FROM lessons_booking")


@pytest.mark.parametrize(
    ("less", "said", "right"),
    [
        ("REVOKE pg_read_all_data FROM {role}", "permission denied", "GRANT pg_read_all_data TO"),
        ("REVOKE CONNECT ON DATABASE {database} FROM {role}", "denied for database", "GRANT CONNECT ON DATABASE"),
        ("SELECT lo_create(4712)", "permission denied for large object 4712", "GRANT SELECT ON LARGE OBJECT 4712 TO"),
        (
            "ALTER TABLE lessons_booking ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON lessons_booking USING (true)",
            "row-level security policy",
            "BYPASSRLS",
        ),
    ],
    ids=["tables", "connect", "large object", "policy"],
)
def test_a_role_with_less_is_told_what_is_missing_and_leaves_no_backup(
    reader: tuple[Project, str, Callable[[str], None]], less: str, said: str, right: str
) -> None:
    shop, role, execute = reader
    execute(READER)
    execute(less)
    done = under(shop, 0o000, "backup", "--json")
    assert done.code == 4, done.out + done.err
    assert said in done.outcome["reason"] and "\n" not in done.outcome["reason"], done.outcome
    assert right in done.outcome["hint"] and role in done.outcome["hint"] + done.outcome["reason"], done.outcome
    assert shop.inv("backups", "--json").out == ""
    assert not (shop.folder / "backups").exists() or wide(shop.folder / "backups") == []

"""A server whose messages are German: its sessions begin, and its failures are understood."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Project, admin
from tests.projects import write_project
from tests.support.project import project_env
from tests.support.servers import QUICK, own_server

pytestmark = pytest.mark.slow
DEBIAN = Path("/usr/lib/postgresql/15/bin")
WORDS = Path("/usr/share/locale/de/LC_MESSAGES/postgres-15.mo")


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Debian's PostgreSQL, with a German locale that is made here; and a role that is no superuser."""
    if not (WORDS.exists() and (DEBIAN / "initdb").exists() and shutil.which("localedef")):
        pytest.skip("German messages are needed: apt-get install postgresql-15 locales")
    folder = tmp_path_factory.mktemp("locales")
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")], capture_output=True)
    if made.returncode > 1:
        pytest.skip("German messages are needed: apt-get install postgresql-15 locales")
    for path in (folder, *folder.parents):
        if path.is_relative_to("/dev/shm") or path.is_relative_to("/tmp"):
            path.chmod(path.stat().st_mode | 0o055)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCPATH", str(folder))
        with own_server("german", QUICK | {"lc_messages": "de_DE.UTF-8"}, DEBIAN) as server:
            with admin(server) as c:
                c.execute("CREATE ROLE app LOGIN CREATEDB PASSWORD 'x'; CREATE ROLE owner")
                with pytest.raises(psycopg.Error, match="existiert nicht"):
                    c.execute("SELECT * FROM nirgends")
            yield server


def shop_of(server: Server, folder: Path, name: str, user: str) -> Project:
    """A filled project whose production is reached by a role; its database belongs to that role."""
    write_project(folder, "b", {"retries": 1, "lock_timeout": 1.0})
    head = server.url("x").rsplit("@", 1)
    where = f"postgresql://{user}:x@{head[1]}" if user != "postgres" else server.url("x")
    urls = [f"{where.rsplit('/', 1)[0]}/{name}{what}" for what in ("", "_test")]
    with admin(server) as c:
        c.execute(f"CREATE DATABASE {name} OWNER {user}".encode())
    shop = Project(folder, urls[0], urls[1], project_env(server, urls[0], urls[1]))
    for words in (["migrate", "lessons", "0001"], ["migrate", "contenttypes"], ["migrate", "auth"], ["fill"]):
        shop.manage(*words)
    return shop


@pytest.mark.parametrize("user", ["postgres", "app"])
def test_a_release_and_its_way_back_work(german: Server, tmp_path: Path, user: str) -> None:
    """What a server of 15 does not know of the settings of our sessions, it says in German."""
    shop = shop_of(german, tmp_path / "project", f"whole_{user}", user)
    for words in (["release"], ["rollback", "--backup=latest"]):
        done = shop.inv(*words, "--confirm=shop")
        assert done.code == 0, done.out + done.err
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]


@pytest.mark.parametrize("user", ["postgres", "app"])
def test_a_lock_that_is_not_to_be_had_is_waited_for_again(german: Server, tmp_path: Path, user: str) -> None:
    shop = shop_of(german, tmp_path / "project", f"locked_{user}", user)
    content = yaml.safe_load((shop.folder / "inventory.yaml").read_text())
    content["all"]["children"]["production"]["hosts"]["shop"]["freeze"] = "never"
    (shop.folder / "inventory.yaml").write_text(yaml.safe_dump(content))
    for words in (["clone-prod-to-test"], ["migrate-test"], ["verify"]):
        assert shop.inv(*words).code == 0
    with psycopg.connect(shop.production) as holder:
        holder.execute("LOCK TABLE lessons_lesson IN ACCESS SHARE MODE")
        done = shop.inv("promote", "--confirm=shop")
        holder.execute("SELECT 1")
    assert done.code == 4, done.out + done.err
    assert "lock timeout" in done.out and "inv resume" in done.out, done.out


def test_what_can_not_be_restored_is_named(german: Server, tmp_path: Path) -> None:
    """As a superuser in English, with what to type; else with the object and all that the server says."""
    for user, said in (("postgres", "the role gone does not exist on this"), ("app", "Rolle »gone« existiert nicht")):
        shop = shop_of(german, tmp_path / user, f"gone_{user}", user)
        with admin(german) as c:
            c.execute("CREATE ROLE gone")
        with psycopg.connect(german.url(f"gone_{user}"), autocommit=True) as c:
            c.execute("GRANT SELECT ON lessons_teacher TO gone")
        assert shop.inv("backup").code == 0
        with psycopg.connect(german.url(f"gone_{user}"), autocommit=True) as c:
            c.execute("DROP OWNED BY gone; DROP ROLE gone")
        done = shop.process("doctor", "--restore")
        assert said in done.out and ("CREATE ROLE" in done.out or user == "app"), done.out
        done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
        assert done.code == 3 and 'CREATE ROLE "gone" NOLOGIN' in done.out, done.out

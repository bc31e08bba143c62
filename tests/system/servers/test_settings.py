"""What the inventory and the role of the database may be: deploy, health, freeze, a role without superuser rights."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable

import psycopg
import pytest

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Project, admin
from tests.support.tiers import quick

SQL_ADD = 'migrations.AddField("lesson", "note", models.TextField(null=True))'


def steps(shop: Project, *words: str) -> list[str]:
    done = shop.inv(*words, "--json", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    return [event["step"] for event in done.events if event["event"] == "step" and event["status"] == "done"]


@pytest.mark.slow
def test_deploy_and_health_follow_the_data(project: Callable[..., Project]) -> None:
    given = {"deploy": ["sh", "-c", 'echo "$RELEASE" >> ../deployed'], "health": ["sh", "-c", "test -s ../deployed"]}
    shop = project("b", **given)
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@e", "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=shop.folder, check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=shop.folder, capture_output=True, text=True
    ).stdout.strip()
    assert "promote.deploy" in steps(shop, "release")
    assert (shop.folder / "deployed").read_text().split() == [commit]
    assert "rollback.deploy" in steps(shop, "rollback", "--backup=latest")
    assert (shop.folder / "deployed").read_text().split() == [commit, commit]


@pytest.mark.slow
def test_an_unhealthy_deployment_is_not_done(scene: Callable[..., Project]) -> None:
    shop = scene("certified", deploy=["true"], health=["false"])
    done = shop.inv("promote", "--json", "--confirm=shop")
    assert done.code == 4, done.out + done.err
    assert '"Deploy the application" ended, but its proof does not hold' in done.outcome["reason"]
    assert done.outcome["hint"] == f"inv resume --run={done.outcome['run']} --target=shop"
    assert "the migration is applied on production" in done.outcome["stands"]
    command = f"inv rollback --target=shop --backup={done.outcome['run']}_last"
    assert f"\n  {command}   restores production" in done.outcome["stands"]
    back = shop.inv(*command.split()[1:], "--confirm=shop")
    assert "production is still frozen" not in shop.inv("status").out
    assert back.code == 4 or back.code == 0
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]


@pytest.mark.parametrize(
    ("freeze", "operations", "frozen"),
    quick(
        [
            ("auto", SQL_ADD, False),
            ("always", SQL_ADD, True),
            ("never", 'migrations.RenameModel("Lesson", "Session")', False),
        ],
        "auto",
    ),
)
def test_freeze(project: Callable[..., Project], freeze: str, operations: str, frozen: bool) -> None:
    shop = project(operations, freeze=freeze, checks=[])
    assert ("promote.freeze" in steps(shop, "release")) is frozen


def test_a_closed_window_is_refused_before_production(scene: Callable[..., Project]) -> None:
    shop = scene("certified", window={"days": ["mon"], "hours": "00:00-00:01", "zone": "UTC"})
    done = shop.inv("promote", "--json", "--confirm=shop")
    if done.code == 0:
        pytest.skip("it is Monday, one minute past midnight: run the tests again")
    assert done.code == 3, done.out + done.err
    assert "the maintenance window is closed" in done.outcome["reason"]
    assert not shop.query("SELECT 1 FROM django_migrations WHERE name = '0002_session'")


@pytest.mark.slow
def test_an_ordinary_owner_can_do_all_of_it(project: Callable[..., Project], server: Server) -> None:
    shop = project("c")
    name = shop.production.rsplit("/", 1)[1]
    role, secret = f"owner_{name}", "an-owner's-secret"
    with admin(server) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'an-owner''s-secret'".encode())
        connection.execute(f"ALTER DATABASE {name} OWNER TO {role}".encode())
    try:
        with psycopg.connect(shop.production, autocommit=True) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                connection.execute(f'ALTER TABLE "{table}" OWNER TO {role}'.encode())
        superuser, rest = shop.production.split("@")
        shop.production = f"postgresql://{role}:an-owner%27s-secret@{rest}"
        shop.test = shop.production.replace("_shop", "_test").replace(role.replace("_shop", "_test"), role)
        shop.env |= {"DATABASE_URL": shop.production, "TEST_DATABASE_URL": shop.test}
        before = shop.fingerprint()
        steps(shop, "release")
        steps(shop, "rollback", "--backup=latest")
        assert shop.fingerprint() == before
        assert steps(shop, "undo") == []
        for path in shop.folder.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path
        assert superuser
    finally:
        with admin(server) as connection:
            stem = name.removesuffix("_shop")
            found = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [stem])
            for (database,) in found.fetchall():
                connection.execute(f'DROP DATABASE "{database}" WITH (FORCE)'.encode())
            connection.execute(f"DROP ROLE {role}".encode())


def terminal(shop: Project, answer: bytes, *words: str) -> tuple[int, str]:
    """Run ``inv`` on a terminal and answer its question."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        shop.command(*words),
        cwd=shop.folder,
        env=shop.env | {"TERM": "xterm"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        preexec_fn=_controlling,
    )
    os.close(follower)
    said, answered, deadline = b"", False, time.monotonic() + 90
    while time.monotonic() < deadline:
        if select.select([leader], [], [], 0.2)[0]:
            try:
                chunk = os.read(leader, 4096)
            except OSError:
                break
            said += chunk
        if not answered and b"to continue:" in said:
            os.write(leader, answer)
            answered = True
        if process.poll() is not None and not select.select([leader], [], [], 0)[0]:
            break
    os.close(leader)
    return process.wait(30), said.decode(errors="replace")


def _controlling() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_the_name_is_typed_on_a_terminal(scene: Callable[..., Project]) -> None:
    shop = scene("certified")
    code, said = terminal(shop, b"shop\n", "promote")
    assert code == 0, said
    assert "Type shop to continue:" in said and "1 migration" in said


@pytest.mark.parametrize(("answer", "code"), quick([(b"shpo\n", 3), (b"\x03", 130), (b"\n", 3)], b"shpo\n"))
def test_anything_else_leaves_production_alone(scene: Callable[..., Project], answer: bytes, code: int) -> None:
    shop = scene("certified")
    before = shop.fingerprint()
    found, said = terminal(shop, answer, "promote")
    assert found == code, said
    assert shop.fingerprint() == before
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]
    assert "Traceback" not in said


HOSTILE = (
    "statement_timeout = '1ms'", "lock_timeout = '1ms'", "idle_session_timeout = '5ms'",
    "idle_in_transaction_session_timeout = '5ms'", "quote_all_identifiers = on", "standard_conforming_strings = off",
    "default_transaction_isolation = 'serializable'", "default_transaction_deferrable = on", "search_path = nowhere",
)  # fmt: skip


def test_no_setting_of_the_role_stands_in_the_tools_way(scene: Callable[..., Project]) -> None:
    shop = scene("backed_up")
    user, name = shop.query("SELECT quote_ident(current_user), quote_ident(current_database())")[0]
    for one in HOSTILE:
        shop.query(f"ALTER ROLE {user} IN DATABASE {name} SET {one}", "postgres")
    ours = psycopg.connect(shop.production, autocommit=True, options="-c statement_timeout=0 -c idle_session_timeout=0")
    with ours as connection:
        connection.execute("DELETE FROM public.lessons_booking WHERE id <= 5")
    for words in (
        ["salvage", "--backup=latest", "--table=lessons_booking", "--confirm=shop"],
        ["freeze", "--confirm=shop"], ["unfreeze", "--confirm=shop"], ["backup"],
        ["rollback", "--backup=latest", "--confirm=shop"],
    ):  # fmt: skip
        done = shop.inv(*words)
        assert done.code == 0, done.out + done.err

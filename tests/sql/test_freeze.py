"""A freeze: who could still write is looked for first, every role is covered, and all of it is put back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg
import pytest

from tests.support.client import Client, Finished, as_role, quoted

Named = Callable[..., str]
SETTINGS = """SELECT coalesce(r.rolname, ''), s.setconfig FROM pg_db_role_setting s
JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE datname = '{}' ORDER BY 1"""
SETTING = "default_transaction_read_only"


@pytest.fixture
def live(role: str, client: Client, named: Named) -> str:
    """A database with a table to which everybody may write, whose owner is an ordinary role."""
    name = named("It's \"live\"", "CREATE TABLE t (v int)", "GRANT ALL ON t TO PUBLIC")
    client.ask(f"ALTER DATABASE {quoted(name)} OWNER TO {quoted(role)}")
    return name


def writes(client: Client, live: str, role: str) -> bool:
    """Whether a new session of a role writes."""
    try:
        client.ask("INSERT INTO t VALUES (1)", live, user=role, password="x")
    except psycopg.errors.ReadOnlySqlTransaction:
        return False
    return True


@pytest.mark.parametrize("before", ["", "off", "no", "on"])
@pytest.mark.parametrize("everywhere", ["off", "on", ""])
def test_a_roles_own_setting_does_not_let_it_write_and_is_put_back(
    other_role: str, client: Client, live: str, before: str, everywhere: str
) -> None:
    role, where = quoted(other_role), f"IN DATABASE {quoted(live)}"
    if everywhere:
        client.ask(f"ALTER ROLE {role} SET {SETTING} = {everywhere}")
    client.ask(f"ALTER ROLE {role} {where} SET work_mem = '8MB'")
    if before:
        client.ask(f"ALTER ROLE {role} {where} SET {SETTING} = {before}")
    former = client.ask(SETTINGS.format(live.replace("'", "''")))
    wrote = writes(client, live, other_role)
    for _ in range(2):
        client.must("freeze.sql", live=live)
        assert not writes(client, live, other_role)
        client.must("check_frozen.sql", live, wanted="on")
    for _ in range(2):
        client.must("unfreeze.sql", live=live)
        assert writes(client, live, other_role) == wrote
        client.must("check_frozen.sql", live, wanted="off")
    now = client.ask(SETTINGS.format(live.replace("'", "''")))
    assert str(now).replace("=no'", "=off'") == str(former).replace("=no'", "=off'")


def test_the_databases_own_setting_is_put_back(client: Client, live: str) -> None:
    client.ask(f"ALTER DATABASE {quoted(live)} SET {SETTING} = off")
    for _ in range(2):
        client.must("freeze.sql", live=live)
    client.must("check_frozen.sql", live, wanted="on")
    client.must("unfreeze.sql", live=live)
    assert client.ask(SETTINGS.format(live.replace("'", "''"))) == [("", [f"{SETTING}=off"])]


def test_a_role_that_only_reads_is_no_freeze(other_role: str, client: Client, live: str) -> None:
    client.ask(f"ALTER ROLE {quoted(other_role)} SET {SETTING} = on")
    assert not writes(client, live, other_role)
    client.ask(f"ALTER ROLE {quoted(other_role)} IN DATABASE {quoted(live)} SET {SETTING} = on")
    client.must("check_frozen.sql", live, wanted="off")
    assert client.run("check_frozen.sql", live, wanted="on").returncode == 3


def untouched(client: Client, live: str) -> bool:
    """Whether a database has no setting."""
    return client.ask(SETTINGS.format(live.replace("'", "''"))) == []


def test_a_setting_of_a_role_that_is_not_ours_is_refused_first(
    role: str, other_role: str, client: Client, live: str
) -> None:
    client.ask(f"ALTER ROLE {quoted(other_role)} SET {SETTING} = off")
    with client.connect(live, user=role, password="x") as ours:
        done = client.run("freeze.sql", live=live, env=as_role(role))
        assert (done.returncode, f'"{other_role}", whose own {SETTING} is off' in done.stderr) == (3, True), done.stderr
        assert f'ALTER ROLE "{other_role}" RESET {SETTING}' in done.stderr
        ours.execute("INSERT INTO t VALUES (1)")
    assert untouched(client, live)
    client.ask(f"ALTER ROLE {quoted(other_role)} RESET {SETTING}")
    client.must("freeze.sql", live=live, env=as_role(role))


def test_our_roles_own_setting_is_ours_to_cover(role: str, client: Client, live: str) -> None:
    client.ask(f"ALTER ROLE {quoted(role)} SET {SETTING} = off")
    client.must("freeze.sql", live=live, env=as_role(role))
    assert not writes(client, live, role)
    client.must("unfreeze.sql", live=live, env=as_role(role))
    assert untouched(client, live) and writes(client, live, role)


def test_a_session_that_is_not_ours_to_end_is_refused_first(
    role: str, other_role: str, client: Client, live: str
) -> None:
    with (
        client.connect(live, user=other_role, password="x") as other,
        client.connect(live, user=role, password="x") as ours,
    ):
        done = client.run("freeze.sql", live=live, env=as_role(role))
        assert done.returncode == 3
        assert f'a session of "{other_role}"' in done.stderr and "pg_terminate_backend(" in done.stderr
        assert f'GRANT "{other_role}" TO "{role}"' in done.stderr
        ours.execute("INSERT INTO t VALUES (1)")
        other.execute("INSERT INTO t VALUES (1)")
    assert untouched(client, live)


def test_an_administrators_open_transaction_is_refused_and_an_idle_session_is_not(
    role: str, client: Client, live: str
) -> None:
    with client.connect(live) as administrator:
        administrator.execute("BEGIN; SELECT 1")
        done = client.run("freeze.sql", live=live, env=as_role(role))
        assert (done.returncode, "an open transaction of the administrator postgres" in done.stderr) == (3, True)
        assert untouched(client, live)
        administrator.execute("COMMIT")
        client.must("freeze.sql", live=live, env=as_role(role))


def test_a_prepared_transaction_is_refused_first(own: Client) -> None:
    own.ask("CREATE DATABASE prepared")
    own.ask("CREATE TABLE t (v int)", "prepared")
    with own.connect("prepared") as session:
        session.execute("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'it''s'")
        done = own.run("freeze.sql", live="prepared")
        assert (done.returncode, "ROLLBACK PREPARED 'it''s'" in done.stderr) == (3, True), done.stderr
        session.execute("ROLLBACK PREPARED 'it''s'")
        assert untouched(own, "prepared")
    own.must("freeze.sql", live="prepared")


def test_a_subscription_is_refused_first(own: Client) -> None:
    own.ask("CREATE DATABASE subscriber")
    made = "CREATE SUBSCRIPTION \"Süb\" CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)"
    own.ask(made, "subscriber")
    own.must("freeze.sql", live="subscriber")
    own.must("unfreeze.sql", live="subscriber")
    own.ask('ALTER SUBSCRIPTION "Süb" ENABLE', "subscriber")
    done = own.run("freeze.sql", live="subscriber")
    assert (done.returncode, 'ALTER SUBSCRIPTION "Süb" DISABLE' in done.stderr) == (3, True), done.stderr
    assert untouched(own, "subscriber")
    for end in ("ALTER {} DISABLE", "ALTER {} SET (slot_name = NONE)", "DROP {}"):
        own.ask(end.format('SUBSCRIPTION "Süb"'), "subscriber")


def test_a_freeze_that_fails_midway_is_taken_back_at_once(
    role: str, other_role: str, client: Client, live: str
) -> None:
    done: list[Finished] = []
    freezing = threading.Thread(target=lambda: done.append(client.run("freeze.sql", live=live, env=as_role(role))))
    with client.connect("postgres") as holder:
        # It has looked who is there, and waits for what it changes; then somebody comes.
        holder.execute("BEGIN; LOCK TABLE pg_db_role_setting IN EXCLUSIVE MODE")
        freezing.start()
        waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'pg_db_role_setting'::regclass"
        deadline = time.monotonic() + 20
        while not client.ask(waits) and time.monotonic() < deadline:
            time.sleep(0.05)
        with client.connect(live, user=other_role, password="x") as other:
            holder.execute("ROLLBACK")
            freezing.join()
            assert (done[0].returncode, f'a session of "{other_role}"' in done[0].stderr) == (3, True), done[0].stderr
            other.execute("INSERT INTO t VALUES (1)")
    assert untouched(client, live) and writes(client, live, role)


def test_to_administer_a_role_is_not_to_be_it(role: str, other_role: str, client: Client, live: str) -> None:
    """Whoever makes a role since PostgreSQL 16 may administer it, and neither end its sessions nor give it anything."""
    client.ask(f"GRANT {quoted(other_role)} TO {quoted(role)} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
    given = {"live": live, "incoming": f"{live} new", "aside": f"{live} old", "env": as_role(role)}
    client.must("create_database.sql", name=f"{live} new", like=live, marker="m", run="7", env=as_role(role))
    with client.connect(live, user=other_role, password="x") as other:
        done = client.run("swap.sql", **given)
        assert (done.returncode, f"may not end: {other_role} on {live}" in done.stderr) == (3, True), done.stderr
        other.execute("SELECT 1")
    client.must("swap.sql", **given)
    client.ask(f"ALTER DATABASE {quoted(live)} OWNER TO {quoted(other_role)}")
    client.must("create_database.sql", name=f"{live} x", like=live, marker="m", run="7", env=as_role(role))
    owner = f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{live.replace(chr(39), chr(39) * 2)} x'"
    assert client.ask(owner) == [(role,)]
    for name in (f"{live} x", f"{live} old"):
        client.ask(f"DROP DATABASE {quoted(name)}")
    client.ask(f"ALTER DATABASE {quoted(live)} OWNER TO {quoted(role)}")


def test_an_administrators_session_that_does_nothing_is_named(role: str, client: Client, live: str) -> None:
    """A monitor holds such a one, so it does not stop the freeze; but it could write."""
    with client.connect(live) as idle:
        idle.execute("SELECT 1")
        done = client.run("freeze.sql", live=live, env=as_role(role))
        assert done.returncode == 0, done.stderr
        assert f'WARNING: a session of the administrator postgres, which "{role}" may not end, could still write: ' in (
            done.stdout
        )
        assert str(idle.info.backend_pid) in done.stdout
        idle.execute("INSERT INTO t VALUES (7)")
    client.must("unfreeze.sql", live=live, env=as_role(role))
    assert "WARNING" not in client.run("freeze.sql", live=live).stdout
    client.must("unfreeze.sql", live=live)

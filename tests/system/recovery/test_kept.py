"""What a rollback keeps: listed, swapped in again, undone, removed by name and age; settings follow every exchange."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Done, Project, admin
from tests.support.project import begin, ended
from tests.system.cli.test_pages import paste

Make = Callable[..., Project]


def ok(done: Done) -> Done:
    assert done.code == 0, done.out + done.err
    return done


def live(shop: Project) -> str:
    return shop.production.rsplit("/", 1)[1]


def beside(shop: Project) -> list[str]:
    """The databases beside production, by the rest of their names."""
    stem = live(shop)
    found = shop.query(f"SELECT datname FROM pg_database WHERE starts_with(datname, '{stem}_') ORDER BY 1", "postgres")
    return [str(name) for (name,) in found]


def rolled_back(scene: Make, **target: object) -> tuple[Project, dict[str, tuple[int, str]], str]:
    """A shop that was rolled back after something was written; what was live before, and its name."""
    shop = scene("replaced", **target)
    before = {table: (rows, checksum) for table, (rows, checksum) in read(shop.folder / "replaced.json").items()}
    assert shop.query("SELECT count(*) FROM lessons_teacher") == [(10,)]
    (name,) = beside(shop)
    return shop, before, name


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_it_is_listed_swapped_in_undone_and_removed(scene: Make) -> None:
    shop, replaced, name = rolled_back(scene, keep_replaced=0)
    shop.query("INSERT INTO lessons_teacher (name) VALUES ('Später')")
    after = shop.fingerprint()
    status = ok(shop.inv("status")).out
    run = name.split("_replaced_")[1]
    assert f"kept:    {name} (" in status and f"was live until rollback {run} replaced it" in status
    assert f"inv rollback --to-replaced={name} --target=shop" in status
    assert f"inv discard-replaced {name} --target=shop" in status

    done = ok(shop.inv("rollback", "--to-replaced", "--confirm=shop", "--json"))
    assert "lessons_teacher: 11 rows live, 11 in the kept database, with other content" in done.out
    assert shop.fingerprint() == replaced
    second = done.outcome["run"]
    assert beside(shop) == [f"{live(shop)}_replaced_{second}"]
    assert any(f"{second}_safety" in line for line in shop.inv("backups").out.splitlines())

    undone = ok(shop.inv("undo", "--confirm=shop", "--json"))
    assert undone.outcome["undone"] is True
    assert shop.fingerprint() == after
    assert beside(shop) == [name]

    for words, code, said in [
        (["--confirm=shop"], 3, f"Try: --confirm={name}"),
        ([f"--confirm={name}"], 0, "discard-replaced is done"),
    ]:
        removed = shop.inv("discard-replaced", name, *words)
        assert removed.code == code and said in removed.out, removed.out + removed.err
    assert beside(shop) == []
    assert shop.fingerprint() == after
    assert "Traceback" not in status


@pytest.mark.slow
def test_the_pages_do_the_same_by_hand(scene: Make) -> None:
    shop, replaced, name = rolled_back(scene, keep_replaced=0)
    rolled = shop.fingerprint()
    ok(shop.inv("runbooks"))
    done = paste(shop, "rollback-to-replaced")
    assert done.returncode == 0, done.stdout + done.stderr
    assert shop.fingerprint() == replaced
    (kept,) = beside(shop)
    assert kept.endswith("_hand")
    # What a hand has kept is in no journal, but what was restored by a run carries its mark.
    ok(shop.inv("rollback", "--to-replaced", "--confirm=shop"))
    assert shop.fingerprint() == rolled
    (kept,) = beside(shop)
    done = paste(shop, "discard-replaced", KEPT=kept)
    assert done.returncode == 0, done.stdout + done.stderr
    assert beside(shop) == []
    assert shop.fingerprint() == rolled


def test_what_is_young_or_not_ours_or_in_use_stays(scene: Make, server: Server) -> None:
    shop, _, name = rolled_back(scene)
    stem = live(shop)
    foreign = f"{stem}_replaced_20200101_000000_abcd"
    with admin(server) as connection:
        connection.execute(f'CREATE DATABASE "{foreign}"'.encode())
    for wanted, code, said, hint in [
        (name, 3, "for at least 7 days (keep_replaced)", f"inv discard-replaced {name} --target=shop   from 20"),
        (foreign, 3, "no run in this store made it", "inv status --target=shop"),
        (stem, 3, "is the live database", "inv status"),
        (name[:-1], 2, "there is no kept database", name),
        (f"{stem}_test", 2, "there is no kept database", "inv status"),
        ("postgres", 2, "there is no kept database", "inv status"),
        ("x'; DROP DATABASE y; --", 2, "there is no kept database", "inv status"),
    ]:
        done = shop.inv("discard-replaced", wanted, f"--confirm={wanted}")
        assert (done.code, said in done.out, hint in done.out) == (code, True, True), (wanted, done.out, done.err)
    inventory = shop.folder / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("app:", "keep_replaced: 0\n          app:", 1))
    shop.query(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true', "postgres")
    done = shop.inv("discard-replaced", name, f"--confirm={name}")
    assert done.code == 3 and "accepts connections" in done.out, done.out + done.err
    assert beside(shop) == sorted([name, foreign])


@pytest.mark.slow
def test_which_one_is_meant_must_be_said_where_there_are_several(scene: Make) -> None:
    shop, _, first = rolled_back(scene)
    ok(shop.inv("rollback", "--backup=latest", "--confirm=shop"))
    second = next(name for name in beside(shop) if name != first)
    done = shop.inv("rollback", "--to-replaced", "--confirm=shop")
    assert done.code == 2, done.out
    assert "name one" in done.out and f"Try: inv rollback --to-replaced={second}" in done.out
    ok(shop.inv("rollback", f"--to-replaced={first}", "--confirm=shop"))
    assert shop.query("SELECT count(*) FROM lessons_teacher") == [(11,)]
    assert shop.inv("rollback", "--to-replaced=nope", "--confirm=shop").code == 2
    assert shop.inv("rollback", "--to-replaced", "--backup=latest", "--confirm=shop").code == 2


@pytest.mark.slow
def test_what_an_undo_keeps_can_be_swapped_in_again(scene: Make) -> None:
    shop, before, _ = rolled_back(scene)
    shop.query("INSERT INTO lessons_teacher (name) VALUES ('dazwischen')")
    restored = shop.fingerprint()
    ok(shop.inv("undo", "--confirm=shop"))
    assert shop.fingerprint() == before
    (kept,) = beside(shop)
    assert "_undone_" in kept
    assert "until that run was undone" in shop.inv("status").out
    assert "there is no replaced database" in shop.inv("rollback", "--to-replaced", "--confirm=shop").out
    ok(shop.inv("rollback", f"--to-replaced={kept}", "--confirm=shop"))
    assert shop.fingerprint() == restored


@pytest.mark.parametrize("step", ["look_at_kept", "carry_over", "swap"])
@pytest.mark.parametrize("word", ["resume", "undo"])
@pytest.mark.slow
def test_killed_in_between_it_can_be_ended_both_ways(scene: Make, step: str, word: str) -> None:
    shop, replaced, name = rolled_back(scene)
    rolled = shop.fingerprint()
    process = begin(shop, f"rollback-to-replaced.{step}", "rollback", "--to-replaced", "--confirm=shop")
    process.send_signal(signal.SIGKILL)
    ended(process)
    assert "inv resume --run=" in shop.inv("status").out
    ok(shop.inv(word, "--confirm=shop"))
    assert shop.fingerprint() == (replaced if word == "resume" else rolled)
    closed = shop.query(f"SELECT datallowconn FROM pg_database WHERE datname LIKE '{live(shop)}\\__%'", "postgres")
    assert closed == [(False,)]
    assert word == "resume" or beside(shop) == [name]


@pytest.fixture
def odd_roles(server: Server) -> Iterator[tuple[str, str]]:
    """Two roles whose names need quotes."""
    names = ('Öwner "of" it', "App Role")
    with admin(server) as connection:
        for name in names:
            quoted = '"' + name.replace('"', '""') + '"'
            connection.execute(f"DROP ROLE IF EXISTS {quoted}; CREATE ROLE {quoted} LOGIN CREATEDB".encode())
    yield names
    # The databases that they own go with the fixture of databases, which ends before this one.
    with admin(server) as connection:
        for name in names:
            connection.execute(('DROP ROLE "' + name.replace('"', '""') + '"').encode())


ODD = """
ALTER DATABASE {db} OWNER TO {owner};
ALTER DATABASE {db} CONNECTION LIMIT 5;
REVOKE CONNECT ON DATABASE {db} FROM PUBLIC;
GRANT CONNECT ON DATABASE {db} TO {app} WITH GRANT OPTION;
GRANT TEMPORARY ON DATABASE {db} TO {app};
ALTER DATABASE {db} SET search_path = '$user', "Schema, mit Komma", public;
ALTER DATABASE {db} SET shop.tenant = 'it''s, "x" = y';
ALTER DATABASE {db} SET client_encoding = 'LATIN1';
ALTER DATABASE {db} SET datestyle = 'SQL, DMY';
ALTER ROLE {app} IN DATABASE {db} SET search_path = "App", public;
ALTER ROLE {app} IN DATABASE {db} SET statement_timeout = '9s';
COMMENT ON DATABASE {db} IS 'the shop''s own
second line';
"""
LOOK = """
SELECT pg_get_userbyid(datdba), datconnlimit, datistemplate, dattablespace,
    (SELECT array_agg(g ORDER BY g) FROM (SELECT concat_ws(' ', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE
        pg_get_userbyid(grantee) END, privilege_type, is_grantable) AS g FROM aclexplode(datacl)) s),
    (SELECT array_agg(c ORDER BY c) FROM (SELECT setrole::regrole || ' ' || unnest(setconfig) AS c
        FROM pg_db_role_setting WHERE setdatabase = d.oid) s),
    regexp_replace(shobj_description(oid, 'pg_database'), '^generalprobe [^\\n]*\\n', '')
FROM pg_database d WHERE datname = '{db}'
"""


def look(shop: Project) -> list[tuple[Any, ...]]:
    return shop.query(LOOK.format(db=live(shop)), "postgres")


@pytest.fixture
def odd(odd_roles: tuple[str, str], project: Make) -> tuple[Project, str]:
    """A shop with everything odd about its database that does not follow a name; the second role, quoted."""
    shop = project("b")
    owner, app = ('"' + name.replace('"', '""') + '"' for name in odd_roles)
    shop.query(ODD.format(db=f'"{live(shop)}"', owner=owner, app=app), "postgres")
    return shop, app


@pytest.mark.slow
def test_all_that_belongs_to_a_database_follows_every_exchange(odd: tuple[Project, str]) -> None:
    shop, app = odd
    wanted = look(shop)
    assert "Komma" in str(wanted) and "second line" in str(wanted) and wanted[0][1] == 5
    ok(shop.inv("backup"))
    ok(shop.inv("rollback", "--backup=latest", "--confirm=shop"))
    assert look(shop) == wanted
    # What is changed after the rollback holds for whichever database is live.
    shop.query(
        f'ALTER DATABASE "{live(shop)}" CONNECTION LIMIT 6; REVOKE TEMPORARY ON DATABASE "{live(shop)}" FROM {app};'
        f'ALTER DATABASE "{live(shop)}" RESET datestyle; ALTER ROLE {app} IN DATABASE "{live(shop)}" RESET search_path',
        "postgres",
    )
    wanted = look(shop)
    ok(shop.inv("undo", "--confirm=shop"))
    assert look(shop) == wanted
    ok(shop.inv("rollback", "--backup=latest", "--confirm=shop"))
    assert look(shop) == wanted
    ok(shop.inv("rollback", f"--to-replaced={next(n for n in beside(shop) if '_replaced_' in n)}", "--confirm=shop"))
    assert look(shop) == wanted
    ok(shop.inv("undo", "--confirm=shop"))
    assert look(shop) == wanted


@pytest.mark.slow
def test_a_freeze_after_the_rollback_holds_for_what_comes_back(scene: Make) -> None:
    shop, _, _ = rolled_back(scene)
    ok(shop.inv("freeze", "--confirm=shop"))
    ok(shop.inv("rollback", "--to-replaced", "--confirm=shop"))
    assert shop.query("SHOW default_transaction_read_only") == [("on",)]
    ok(shop.inv("unfreeze", "--confirm=shop"))
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]

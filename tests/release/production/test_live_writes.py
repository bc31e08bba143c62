"""A production that is used while it is held against the rehearsal: all that is counted of a table is of one moment."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from ops.application import inside
from ops.release.certificate import Moved
from ops.release.production.live_writes import account
from ops.release.production.production_check import hold
from ops.release.production.witness import Witness
from ops.verdict.databases import Databases
from ops.verdict.row_hash import Pair, Proof, Source
from tests.support.client import Client

ROWS = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' || n FROM generate_series(1, 100) n"

# Of the program that runs within the application, without what it begins with there.
_INSIDE: dict[str, Any] = {}
exec(inside.program(inside.MIGRATE).partition("\nfor alias in connections")[0], _INSIDE)  # noqa: S102
tell_savepoints = _INSIDE["tell_savepoints"]


class Used(Databases):
    """Users delete a row whenever rows were read."""

    def __init__(self, sides: dict[str, psycopg.Connection[Any]], user: psycopg.Connection[Any]) -> None:
        super().__init__(sides)
        self.user = user

    def hashes(self, *given: Any, **more: Any) -> Generator[int, None, None]:
        yield from super().hashes(*given, **more)
        self.user.execute("DELETE FROM t WHERE id = (SELECT min(id) FROM t)")


def proof(*names: str) -> Proof:
    both = (Source("public.t", tuple(Pair(name, "text") for name in names)),)
    return Proof(both, both)


def certificate(moves: Sequence[Moved], schema: str) -> Any:
    return SimpleNamespace(moves=moves, since=None, schema_after=schema, schema_parts_after={}, pending=(), sources={})


def test_a_row_that_users_delete_meanwhile_is_gone_and_not_changed(
    client: Client, named: Callable[..., str], tmp_path: Path
) -> None:
    name = named("live", ROWS)
    whole = client.fingerprint(name)
    found = certificate([Moved(table="public.t", to=("public.t",), proofs=(proof("id", "v"),))], whole.schema)
    with client.connect(name) as one, client.connect(name) as user:
        held = hold(found, whole, Used({"before": one}, user), tmp_path, frozen=False)
        noted = held.tables["public.t"]
        assert noted.keys is not None
        assert (noted.keys.rows, [one.rows for one in noted.proofs]) == (100, [100])
        said, _ = account(found, held, whole, Used({"after": one}, user))
    assert [sentence for sentence in said if "changed" in sentence] == []
    assert "2 of 100 rows of public.t are missing in public.t; nothing shows how many users deleted" in said[0]


def test_a_witness_tells_row_by_row_what_the_migrations_wrote(
    client: Client, named: Callable[..., str], tmp_path: Path
) -> None:
    name = named("witness", ROWS)
    whole = client.fingerprint(name)
    move = Moved(table="public.t", to=("public.t",), proofs=(proof("id", "v"),))
    found = certificate([move], whole.schema)
    with client.connect(name) as one, client.connect(name) as user:
        held = hold(found, whole, Databases({"before": one}), tmp_path, frozen=False).tables["public.t"]
        witness = Witness(one, user)
        user.execute("DELETE FROM t WHERE id = 1; UPDATE t SET v = 'user' WHERE id = 2")
        with client.connect(name) as migration, migration.transaction():
            migration.execute("ALTER TABLE t ADD w text; UPDATE t SET w = 'x' WHERE id BETWEEN 10 AND 20")
            migration.execute("DELETE FROM t WHERE id IN (30, 31); UPDATE t SET v = 'lost' WHERE id IN (2, 40, 50)")
        user.execute("DELETE FROM t WHERE id = 3; UPDATE t SET v = 'user' WHERE id IN (4, 50)")
        with client.connect(name) as now:
            look = Databases({"after": now})
            mine = witness.transactions(look, [])
            # What a user wrote first (2) or last (50) is not the migrations' alone.
            assert witness.count(move, held, look, mine) == (2, 1, True)


def test_a_witness_knows_nothing_of_a_table_that_was_written_anew(
    client: Client, named: Callable[..., str], tmp_path: Path
) -> None:
    name = named("anew", ROWS)
    whole = client.fingerprint(name)
    move = Moved(table="public.t", to=("public.t",), proofs=(proof("id", "v"),))
    with client.connect(name) as one, client.connect(name) as user:
        held = hold(certificate([move], ""), whole, Databases({"before": one}), tmp_path, frozen=False)
        witness = Witness(one, user)
        user.execute("ALTER TABLE t ADD u float DEFAULT random()")
        look = Databases({"after": user})
        assert witness.count(move, held.tables["public.t"], look, witness.transactions(look, [])) is None


def test_a_witness_hears_of_what_is_written_within_savepoints(
    client: Client, named: Callable[..., str], tmp_path: Path
) -> None:
    """By Django's own migrate; a function's, too, and none of users' who are at work."""
    name = named("savepoints", ROWS + "; CREATE TABLE django_migrations (id bigserial, app text, name text)")
    whole = client.fingerprint(name)
    move = Moved(table="public.t", to=("public.t",), proofs=(proof("id", "v"),))
    with client.connect(name) as one, client.connect(name) as heard, client.connect(name) as user:
        held = hold(certificate([move], ""), whole, Databases({"before": one}), tmp_path, frozen=False)
        witness = Witness(one, heard)
        with client.connect(name) as migration, migration.transaction():
            with migration.transaction():
                migration.execute("DELETE FROM t WHERE id IN (30, 31)")
            with user.transaction():
                with user.transaction():
                    user.execute("DELETE FROM t WHERE id = 32")
                user.execute("UPDATE t SET v = 'user' WHERE id = 33")
            migration.execute(
                "DO $$ BEGIN UPDATE t SET v = 'lost' WHERE id = 40; EXCEPTION WHEN division_by_zero THEN NULL; END $$"
            )
            migration.execute("INSERT INTO django_migrations (app, name) VALUES ('a', '0002')")
            tell_savepoints(SimpleNamespace(cursor=migration.cursor))
        look = Databases({"after": user})
        assert witness.alive
        mine = witness.transactions(look, [])
        assert witness.count(move, held.tables["public.t"], look, mine) == (2, 1, True)
        user.execute("SELECT pg_terminate_backend(%s, 5000)", [heard.info.backend_pid])
        assert not witness.alive


def test_a_savepoint_of_users_who_are_still_at_work_is_not_taken_for_one_of_the_migrations(
    client: Client, named: Callable[..., str], tmp_path: Path
) -> None:
    name = named("others", ROWS + "; CREATE TABLE django_migrations (id bigserial, app text, name text)")
    with client.connect(name) as heard, client.connect(name) as user, client.connect(name) as migration:
        heard.execute("LISTEN generalprobe")
        with migration.transaction(), user.transaction():
            with migration.transaction():
                migration.execute("DELETE FROM t WHERE id IN (30, 31)")
                before = migration.execute("SELECT xmax::text FROM t WHERE id = 30").fetchall()
            user.execute("DELETE FROM t WHERE id = 1")
            with user.transaction():
                user.execute("UPDATE t SET v = 'user' WHERE id = 2")
                (theirs,) = user.execute("SELECT xmin::text FROM t WHERE id = 2").fetchone() or ("",)
            with migration.transaction():
                migration.execute("UPDATE t SET v = 'late' WHERE id = 50")
            migration.execute("INSERT INTO django_migrations (app, name) VALUES ('a', '0002')")
            tell_savepoints(SimpleNamespace(cursor=migration.cursor))
        told = {number for note in heard.notifies(timeout=20, stop_after=1) for number in note.payload.split(",")}
    assert told and not before
    assert theirs not in told


def test_a_migration_without_savepoints_asks_for_none(client: Client, named: Callable[..., str]) -> None:
    """Where the server counts them: each id since the migration began would be asked under its locks."""
    name = named("none", ROWS + "; CREATE TABLE django_migrations (id bigserial, app text, name text)")
    with client.connect(name) as migration:
        if migration.info.server_version < 160000:
            pytest.skip("needs PostgreSQL 16 or later")
        for saved in (False, True):
            asked: list[str] = []
            cursor = type("Asked", (psycopg.Cursor,), {"execute": _noting(asked)})
            with migration.transaction():
                migration.execute("DELETE FROM t WHERE id = 30")
                if saved:
                    with migration.transaction():
                        migration.execute("DELETE FROM t WHERE id = 31")
                migration.execute("INSERT INTO django_migrations (app, name) VALUES ('a', '0002')")
                tell_savepoints(SimpleNamespace(cursor=lambda cursor=cursor: cursor(migration)))
            assert any("generate_series" in query for query in asked) is saved, asked


def _noting(asked: list[str]) -> Callable[..., Any]:
    def execute(self: Any, query: Any, *given: Any, **more: Any) -> Any:
        asked.append(str(query))
        return psycopg.Cursor.execute(self, query, *given, **more)

    return execute

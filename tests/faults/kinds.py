"""Kinds of production and of release that the stage plays beside the plain one, and the clients that use production."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

MORE = """
from django.db import migrations, models
class Migration(migrations.Migration):
    dependencies = [("lessons", "%s")]
    %s
    operations = [%s]
"""
Migrations = dict[str, tuple[str, str, str]]
# Each changes what the fingerprint sees, so that one applied twice, or by half, shows.
MIGRATIONS: Migrations = {
    "0003_more": (
        "0002_session",
        "",
        """migrations.RunSQL("insert into lessons_teacher(id, name) values (5000, 'Neu');"
            " select setval('lessons_teacher_id_seq', 5000)")""",
    ),
    "0004_email": (
        "0003_more",
        "atomic = False",
        'migrations.AddField("teacher", "email", models.CharField(max_length=50, null=True)), '
        """migrations.RunSQL("update lessons_teacher set email = 'a@b' where id = 1")""",
    ),
}
COLUMN = "alter table lessons_session add if not exists note text"
BATCHES = (COLUMN, *(f"update lessons_session set note = concat(note, '+') where id % 4 = {n}" for n in range(4)))
INDEXES = ("create index concurrently teacher_name on lessons_teacher (name)",)
INDEXES += ("create index concurrently session_title on lessons_session (title)",)
# The writer's own table; a migration changes its shape and half of its rows.
WRITTEN = "create table live_write (id int primary key, value text)"
NOTED = "alter table live_write add note text; update live_write set note = 'x' where id % 2 = 0"


PAUSE = "select pg_sleep(0.3)"


def _operations(*statements: str) -> str:
    return ", ".join(f"migrations.RunSQL({one!r})" for one in statements)


@dataclass(frozen=True)
class Kind:
    """A kind of production and release.

    Attributes:
        last: a fifth migration, as in ``MIGRATIONS``.
        batches: what it commits one after the other.
        filled: SQL that production gets before the release.
        target: keys of the inventory.
        amid: a query that finds a row of production when the migrations are at work in the middle.
        reads: a client holds snapshots of production, one after the other.
    """

    last: tuple[str, str, str] | None = None
    batches: tuple[str, ...] = ()
    filled: str = ""
    target: dict[str, object] = field(default_factory=dict)
    amid: str = ""
    reads: bool = False

    @property
    def migrations(self) -> Migrations:
        return MIGRATIONS | ({"0005_last": self.last} if self.last else {})


PLAIN = Kind()
LIVE = ("0004_email", "", f"migrations.RunSQL({NOTED!r})")
KINDS = {
    "batched": Kind(
        ("0004_email", "atomic = False", _operations(*(text for batch in BATCHES for text in (batch, PAUSE)))),
        batches=BATCHES,
        amid="select from lessons_session where note is not null limit 1",
    ),
    "concurrent": Kind(
        ("0004_email", "atomic = False", _operations(*INDEXES)),
        amid="select from pg_index where not indisvalid",
        reads=True,
    ),
    "live": Kind(LIVE, filled=WRITTEN),
    "live, not frozen": Kind(LIVE, filled=WRITTEN, target={"freeze": "never"}),
}


class Client(threading.Thread):
    """A user of production, who comes back whenever the session ends."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.end = url, threading.Event()

    def run(self) -> None:
        while not self.end.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
                    while not self.end.is_set():
                        self.use(connection)
            except psycopg.Error:
                self.end.wait(0.05)

    def use(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        raise NotImplementedError


class Reader(Client):
    """Holds snapshots: what is built concurrently has to wait for each of them."""

    def use(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT 1")
        self.end.wait(0.5)
        connection.execute("COMMIT")


class Writer(Client):
    """Writes, and knows what was acknowledged: ``rows`` are the values that must be there, None of one that must not
    be; of those in ``unsure`` the server never said whether it was done. While ``still`` is held nothing is written."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.rows: dict[int, str | None] = {}
        self.unsure: set[int] = set()
        self.number, self.still = 0, threading.Lock()

    def use(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        with self.still:
            self._write(connection)
        self.end.wait(0.02)

    def _write(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self.number += 1
        key, value = self.number, f"value {self.number}"
        query = "INSERT INTO live_write (value, id) VALUES (%s, %s)"
        if self.number % 3 == 0:
            key, query = self.number - 2, "UPDATE live_write SET value = %s WHERE id = %s"
        elif self.number % 7 == 0:
            key, query = self.number - 3, "DELETE FROM live_write WHERE %s <> '' AND id = %s"
        try:
            found = connection.execute(query.encode(), [value, key])
        except psycopg.errors.ReadOnlySqlTransaction:
            raise
        except psycopg.Error:
            self.unsure.add(key)
            raise
        if found.rowcount:
            self.rows[key] = None if query.startswith("DELETE") else value

    def lost(self, *databases: dict[int, str]) -> list[int]:
        """The keys whose acknowledged state is in none of these."""
        known = [(key, value) for key, value in self.rows.items() if key not in self.unsure]
        return [key for key, value in known if all(rows.get(key) != value for rows in databases)]


@contextmanager
def used(client: Client) -> Iterator[None]:
    """Let a client use production."""
    client.start()
    try:
        yield
    finally:
        client.end.set()
        client.join(20)

"""The exchange of two databases by name, there and back, also when something is in the way."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.support.client import Client, as_role, quoted

Three = tuple[str, str, str]
Arrange = Callable[[str, str, str], Three]


@pytest.fixture(scope="module")
def arrange(client: Client) -> Iterator[Arrange]:
    """Gives a database of old and one of new content these names, so that not every test has to create two."""
    stem = f"s{uuid.uuid4().hex[:8]}_"  # ten bytes of 63
    numbers: dict[str, int] = {}

    def names() -> dict[int, str]:
        return dict(client.ask(f"SELECT oid, datname FROM pg_database WHERE starts_with(datname, '{stem}')"))

    def run(live: str, incoming: str, aside: str) -> Three:
        for what in ("old", "new"):
            if numbers.get(what) not in names():
                client.ask(f"CREATE DATABASE {quoted(stem + what)}")
                client.ask(f"CREATE TABLE t AS SELECT '{what}' AS v", stem + what)
                numbers[what] = next(number for number, found in names().items() if found == stem + what)
        for step in ("old", "new"), (live, incoming):
            for number, name in zip(numbers.values(), step, strict=True):
                if names()[number] != stem + name:
                    client.ask(f"ALTER DATABASE {quoted(names()[number])} RENAME TO {quoted(stem + name)}")
                client.ask(f"ALTER DATABASE {quoted(stem + name)} ALLOW_CONNECTIONS true")
        return stem + live, stem + incoming, stem + aside

    yield run
    for name in names().values():
        client.ask(f"DROP DATABASE {quoted(name)} WITH (FORCE)")


@pytest.fixture
def two(arrange: Arrange) -> Three:
    """A live database, an incoming one, and a name for the former."""
    return arrange("live", "incoming", "aside")


def content(client: Client, database: str) -> str:
    """Whose content a database has."""
    return str(client.ask("SELECT v FROM t", database)[0][0])


def standing(client: Client, *names: str) -> dict[str, bool]:
    """Which of these databases are there, and whether they are open."""
    return dict(client.ask(f"SELECT datname, datallowconn FROM pg_database WHERE datname IN ({literals(names)})"))


def literals(names: tuple[str, ...]) -> str:
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)


def test_do_undo_and_do_again(client: Client, two: Three) -> None:
    live, incoming, aside = two
    for content_of_live in ("new", "old", "new"):
        client.must("swap.sql", live=live, incoming=incoming, aside=aside)
        assert content(client, live) == content_of_live
        assert standing(client, live, incoming, aside) == {live: True, aside: False}
        incoming, aside = aside, incoming


def test_the_closed_one_has_the_former_content(client: Client, two: Three) -> None:
    live, incoming, aside = two
    client.must("swap.sql", live=live, incoming=incoming, aside=aside)
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        content(client, aside)
    client.ask(f"ALTER DATABASE {aside} ALLOW_CONNECTIONS true")
    assert content(client, aside) == "old"


def test_it_works_where_no_live_database_is(client: Client, two: Three) -> None:
    live, incoming, aside = two
    client.ask(f"DROP DATABASE {live}")
    client.must("swap.sql", live=live, incoming=incoming, aside=aside)
    assert (content(client, live), standing(client, *two)) == ("new", {live: True})


def test_a_second_time_it_changes_nothing(client: Client, two: Three) -> None:
    live, incoming, aside = two
    for _ in range(2):
        client.must("swap.sql", live=live, incoming=incoming, aside=aside)
        assert (content(client, live), standing(client, *two)) == ("new", {live: True, aside: False})


def test_again_after_a_crash_with_the_gate_closed_it_finishes(client: Client, two: Three) -> None:
    live, incoming, aside = two
    client.ask(f"ALTER DATABASE {live} ALLOW_CONNECTIONS false")
    client.must("swap.sql", live=live, incoming=incoming, aside=aside)
    assert (content(client, live), standing(client, *two)) == ("new", {live: True, aside: False})


def test_again_after_a_crash_behind_the_renames_it_opens_the_gate(client: Client, two: Three) -> None:
    live, incoming, aside = two
    client.must("swap.sql", live=live, incoming=incoming, aside=aside)
    client.ask(f"ALTER DATABASE {live} ALLOW_CONNECTIONS false")
    client.must("swap.sql", live=live, incoming=incoming, aside=aside)
    assert content(client, live) == "new"


def test_a_failed_swap_leaves_the_live_database_open(client: Client, two: Three) -> None:
    live, incoming, _ = two
    done = client.run("swap.sql", live=live, incoming=incoming, aside="template1")
    assert done.returncode == 3
    assert 'not swapped: database "template1" already exists' in done.stderr
    assert (content(client, live), content(client, incoming)) == ("old", "new")


def test_without_either_database_it_fails(client: Client, two: Three) -> None:
    done = client.run("swap.sql", live=two[2] + "_1", incoming=two[2] + "_2", aside=two[2])
    assert done.returncode == 3
    assert "there is neither" in done.stderr


@pytest.mark.parametrize(
    ("live", "incoming", "aside"),
    [
        ("It's \"live\"", "It's \"new\"", "It's \"old\""),
        ("live  one ", " live  one", "live one"),
        ("Zürich ☃", "数据", "Ærø"),
        ("50 % :'live' $1 \\n {}", "$$ ; --", "\t'"),
        ("l" * 53, "i" * 53, "a" * 53),
        ("ü" * 26 + "l", "ü" * 26 + "i", "ü" * 26 + "a"),
    ],
    ids=["quotes", "blanks", "unicode", "signs", "63 bytes", "63 bytes of umlauts"],
)
def test_any_name_can_be_swapped(client: Client, arrange: Arrange, live: str, incoming: str, aside: str) -> None:
    live, incoming, aside = arrange(live, incoming, aside)
    client.must("swap.sql", live=live, incoming=incoming, aside=aside)
    assert (content(client, live), standing(client, live, incoming, aside)) == ("new", {live: True, aside: False})
    client.must("swap.sql", live=live, incoming=aside, aside=incoming)
    assert (content(client, live), standing(client, live, incoming, aside)) == ("old", {live: True, incoming: False})


def test_a_failed_swap_of_a_quoted_name_says_which(client: Client, arrange: Arrange) -> None:
    live, incoming, _ = arrange("It's \"live\"", "It's \"new\"", "")
    done = client.run("swap.sql", live=live, incoming=incoming, aside=live)
    assert done.returncode == 3
    assert f'not swapped: database "{live}" already exists' in done.stderr
    assert content(client, live) == "old"


class Busy(threading.Thread):
    """A client that reconnects and selects in a loop, and keeps when and what it saw."""

    def __init__(self, client: Client, database: str, keeps: bool) -> None:
        super().__init__(daemon=True)
        self.url, self.keeps = client.server.url(database), keeps
        self.seen: list[tuple[float, str]] = []
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True) as connection:
                    self.select(connection)
                    while self.keeps and not self.done.is_set():
                        self.select(connection)
            except psycopg.Error:
                pass

    def select(self, connection: psycopg.Connection) -> None:
        self.seen.append((time.monotonic(), connection.execute("SELECT v FROM t").fetchall()[0][0]))

    @property
    def gap(self) -> float:
        moments = [moment for moment, _ in self.seen]
        return max(later - earlier for earlier, later in zip(moments, moments[1:], strict=False))


def test_busy_clients_are_away_only_for_a_moment(client: Client, two: Three) -> None:
    live, incoming, aside = two
    crowd = [Busy(client, live, keeps) for keeps in (False, True, False)]
    for busy in crowd:
        busy.start()
    for _ in range(4):
        time.sleep(0.15)
        client.must("swap.sql", live=live, incoming=incoming, aside=aside)
        incoming, aside = aside, incoming
    time.sleep(0.15)
    for busy in crowd:
        busy.done.set()
    for busy in crowd:
        busy.join(10)
        assert busy.gap < 2
        assert (busy.seen[0][1], busy.seen[-1][1]) == ("old", "old")
        changes = [v for (_, v), (_, former) in zip(busy.seen[1:], busy.seen, strict=False) if v != former]
        assert changes == ["new", "old", "new", "old"]


def test_a_session_on_the_incoming_database_is_no_hindrance(client: Client, two: Three) -> None:
    live, incoming, aside = two
    with client.connect(incoming) as session:
        session.execute("BEGIN; LOCK TABLE t")
        client.must("swap.sql", live=live, incoming=incoming, aside=aside)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert content(client, live) == "new"


def test_a_session_that_is_not_ours_to_end_leaves_everything_as_it_is(role: str, client: Client, two: Three) -> None:
    live, incoming, aside = two
    for name in (live, incoming):
        client.ask(f"ALTER DATABASE {name} OWNER TO {quoted(role)}")
    try:
        with client.connect(live) as session:
            assert client.run("swap.sql", live=live, incoming=incoming, aside=aside, env=as_role(role)).returncode == 3
            assert (session.execute("SELECT v FROM t").fetchall(), content(client, live)) == ([("old",)], "old")
        client.must("swap.sql", live=live, incoming=incoming, aside=aside, env=as_role(role))
        assert content(client, live) == "new"
    finally:
        for name in standing(client, *two):
            client.ask(f"ALTER DATABASE {name} OWNER TO postgres")


def test_the_proof_of_a_swap_holds_only_for_the_marked_and_open_one(client: Client, two: Three) -> None:
    live, incoming, aside = two
    given = {"live": live, "incoming": incoming, "marker": "generalprobe restored shop, run 1"}
    client.ask(f"COMMENT ON DATABASE {incoming} IS 'generalprobe restored shop, run 1'")
    assert "is not swapped in yet" in client.run("check_swapped.sql", **given).stderr
    client.must("swap.sql", live=live, incoming=incoming, aside=aside)
    client.must("check_swapped.sql", **given)
    assert client.run("check_swapped.sql", **{**given, "marker": "generalprobe restored shop, run 2"}).returncode == 3
    client.ask(f"ALTER DATABASE {live} ALLOW_CONNECTIONS false")
    assert client.run("check_swapped.sql", **given).returncode == 3


def test_a_prepared_transaction_is_named_and_the_gate_stays_open(own: Client) -> None:
    for name, what in (("live", "old"), ("incoming", "new")):
        own.ask(f"CREATE DATABASE {quoted(name)}")
        own.ask(f"CREATE TABLE t AS SELECT '{what}' AS v", name)
    given = {"live": "live", "incoming": "incoming", "aside": "aside"}
    own.ask("BEGIN; INSERT INTO t VALUES ('pending'); PREPARE TRANSACTION 'kept'", "live")
    done = own.run("swap.sql", **given)
    assert done.returncode == 3
    assert "a prepared transaction on live is in the way" in done.stderr
    assert content(own, "live") == "old"
    assert standing(own, *given.values()) == {"live": True, "incoming": True}

    own.ask("COMMIT PREPARED 'kept'", "live")
    own.must("swap.sql", **given)
    assert content(own, "live") == "new"

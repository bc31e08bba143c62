"""A production that is used: statements that clients send again and again, frozen or not."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


class Load:
    """Clients, each a thread with a session of its own, one for each statement.

    ``done`` counts how often each statement was executed, ``refused`` how often the server would not have it: it is
    frozen, ends sessions, or the table is another one by now. A client goes on after that.
    """

    def __init__(self, url: str, statements: tuple[str, ...], pause: float) -> None:
        self.url, self.statements, self.pause = url, statements, pause
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.end = threading.Event()

    def client(self, statement: str) -> None:
        """Execute one statement until the end."""
        while not self.end.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True) as connection:
                    while not self.end.wait(self.pause):
                        connection.execute(statement.encode())
                        self.done[statement] += 1
            except psycopg.Error:
                self.refused[statement] += 1
                self.end.wait(self.pause)


@contextmanager
def writing(url: str, *statements: str, pause: float = 0.02) -> Iterator[Load]:
    """Keep a database busy.

    Args:
        url: the database.
        statements: SQL, each executed by a client of its own.
        pause: seconds between two statements of one client.
    """
    load = Load(url, statements, pause)
    clients = [threading.Thread(target=load.client, args=(one,), daemon=True) for one in statements]
    for client in clients:
        client.start()
    try:
        yield load
    finally:
        load.end.set()
        for client in clients:
            client.join(10)

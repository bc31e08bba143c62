"""Bytes of a database without an encoding, read and written as they are."""

from __future__ import annotations

from collections.abc import Callable

from psycopg.types.json import Json

from ops.infra.postgres.raw_text import read_raw_text
from tests.support.client import Client

Named = Callable[..., str]


def test_any_bytes_go_there_and_back(client: Client, named: Named) -> None:
    name = f"{named('raw')}_ascii"
    client.ask(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    try:
        with client.connect(name) as connection:
            read_raw_text(connection)
            connection.execute(rb"CREATE TABLE t AS SELECT convert_from('\x4dfcc3bc', 'SQL_ASCII') AS v")
            [(text,)] = connection.execute("SELECT v FROM t").fetchall()
            assert text == "M\udcfcü"
            assert connection.execute("SELECT count(*) FROM t WHERE v = %s", [text]).fetchone() == (1,)
            assert connection.execute("SELECT count(*) FROM t WHERE v = ANY (%s)", [[text]]).fetchone() == (1,)
            assert connection.execute("SELECT json_build_object('v', v) FROM t").fetchone() == ({"v": text},)
    finally:
        client.ask(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_database_with_an_encoding_stays_as_it_is(client: Client, named: Named) -> None:
    with client.connect(named("plain")) as connection:
        read_raw_text(connection)
        assert connection.info.encoding == "utf-8"
        assert connection.execute("SELECT %s::json", [Json({"a": "ü"})]).fetchone() == ({"a": "ü"},)

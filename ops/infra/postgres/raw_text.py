"""Read and write text of a database without an encoding (SQL_ASCII) as unchanged bytes."""

from __future__ import annotations

import json
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.types.string import StrDumper, StrDumperUnknown

# Bytes that are invalid in UTF-8 become surrogates, which are written as the same bytes.
_AS_IT_IS = ("utf-8", "surrogateescape")
_TYPES = ("text", "varchar", "bpchar", "name")


class _TextLoader(Loader):
    def load(self, data: Buffer) -> Any:
        return bytes(data).decode(*_AS_IT_IS)


class _JsonLoader(_TextLoader):
    def load(self, data: Buffer) -> Any:
        return json.loads(super().load(data))


class _UnknownDumper(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        return obj.encode(*_AS_IT_IS)


class _TextDumper(StrDumper):
    def dump(self, obj: str) -> Buffer | None:
        return obj.encode(*_AS_IT_IS)


def read_raw_text(connection: psycopg.Connection[Any]) -> None:
    """Let a connection read and write any bytes if its database has no encoding; else do nothing."""
    if connection.info.parameter_status("server_encoding") != "SQL_ASCII":
        return
    connection.execute("SET client_encoding = 'SQL_ASCII'")
    for name in _TYPES:
        connection.adapters.register_loader(name, _TextLoader)
    for name in ("json", "jsonb"):
        connection.adapters.register_loader(name, _JsonLoader)
    for dumper in (_TextDumper, _UnknownDumper):
        connection.adapters.register_dumper(str, dumper)

"""A whole database, as the server's own programs tell it: nothing of the tool's SQL or Python looks here."""

from __future__ import annotations

import difflib
import hashlib
import os
import subprocess
from typing import Any

import psycopg

from ops.infra.postgres.embedded_server import Server

USERS = "!~ '^(pg_|information_schema$)'"
QUESTIONS = {
    "settings": "SELECT coalesce(r.rolname, ''), s FROM pg_db_role_setting "
    "LEFT JOIN pg_roles r ON r.oid = setrole JOIN pg_database d ON d.oid = setdatabase, unnest(setconfig) s "
    "WHERE datname = current_database() ORDER BY 1, 2",
    "database": "SELECT datdba::regrole::text, datacl::text, datconnlimit, datistemplate, encoding, datcollate, "
    "datctype, dattablespace, (SELECT string_agg(line, '|') FROM "
    "regexp_split_to_table(shobj_description(oid, 'pg_database'), chr(10)) line "
    "WHERE line !~ '^generalprobe ') FROM pg_database WHERE datname = current_database()",
    "sequences": "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2",
    "large objects": "SELECT oid, lomowner::regrole::text, lomacl::text, md5(lo_get(oid)), "
    "obj_description(oid, 'pg_largeobject') FROM pg_largeobject_metadata ORDER BY 1",
    "extensions": "SELECT extname, extversion, extowner::regrole::text, extnamespace::regnamespace::text "
    "FROM pg_extension ORDER BY 1",
    "analyzed": f"SELECT schemaname, tablename, attname FROM pg_stats WHERE schemaname {USERS} ORDER BY 1, 2, 3",
    "extended statistics": "SELECT stxname FROM pg_statistic_ext s JOIN pg_statistic_ext_data d ON d.stxoid = s.oid "
    "ORDER BY 1",
    "estimates": "SELECT oid::regclass::text, reltuples FROM pg_class WHERE relkind IN ('r', 'm', 'p', 'i') "
    f"AND relnamespace::regnamespace::text {USERS} ORDER BY 1",
    "indexes": "SELECT indexrelid::regclass::text, indisvalid, indisready, indisclustered, indisreplident "
    "FROM pg_index WHERE indrelid >= 16384 AND indrelid::regclass::text !~ '^pg_toast' ORDER BY 1",
    "filled": "SELECT oid::regclass::text, relispopulated FROM pg_class WHERE relkind = 'm' ORDER BY 1",
    "triggers": "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal "
    "ORDER BY 1, 2",
}
TABLES = (
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
    "ON n.oid = c.relnamespace WHERE (c.relkind = 'r' OR c.relkind = 'm' AND c.relispopulated) AND "
    f"n.nspname {USERS} AND c.relpersistence <> 't' ORDER BY 1"
)
OWN = "SELECT name, setting FROM pg_settings WHERE source IN ('database', 'user', 'database user') ORDER BY 1"


def state(server: Server, name: str, **role: str) -> dict[str, list[Any]]:
    """Everything of a database: its schema with owners and grants, settings, rows, numbers, statistics.

    Args:
        role: who is to say under which settings a session of his begins.
    """
    words = [str(server.bin / "pg_dump"), "--schema-only", f"--dbname={server.url(name)}"]
    dumped = subprocess.run(words, capture_output=True, text=True, check=True, env={"PATH": os.defpath}).stdout
    found: dict[str, list[Any]] = {
        "schema": [line for line in dumped.splitlines() if line and not line.startswith(("--", "\\"))]
    }
    with psycopg.connect(server.url(name), autocommit=True) as connection:
        connection.execute("SET search_path = pg_catalog")
        for key, text in QUESTIONS.items():
            found[key] = connection.execute(text.encode()).fetchall()
        tables = [str(table) for (table,) in connection.execute(TABLES.encode()).fetchall()]
        found["rows"] = [_rows(connection, table) for table in tables]
    with psycopg.connect(server.url(name), **role) as connection:  # type: ignore[arg-type]
        found["own settings"] = connection.execute(OWN).fetchall()
    return found


def _rows(connection: psycopg.Connection[Any], table: str) -> tuple[str, int, str]:
    """How many rows a table has, and a digest of what COPY writes of them."""
    with connection.cursor().copy(f"COPY (SELECT * FROM {table}) TO STDOUT".encode()) as copied:
        lines = b"".join(map(bytes, copied)).split(b"\n")
    return table, len(lines) - 1, hashlib.sha256(b"\n".join(sorted(lines))).hexdigest()


def compare(one: dict[str, list[Any]], two: dict[str, list[Any]]) -> list[str]:
    """Every line that only one of two states has."""
    found = []
    for key in one:
        lines = difflib.unified_diff([str(x) for x in one[key]], [str(x) for x in two[key]], lineterm="", n=0)
        found += [f"{key}: {line}" for line in lines if not line.startswith(("---", "+++", "@@"))]
    return found

"""Complete the tables of a salvage's scratch database if pg_restore could not restore everything.

A salvage reads rows: it needs only the columns of its tables."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg

from ops.core.errors import StepFailed
from ops.core.sql_names import identifier
from ops.core.text import listed
from ops.infra.postgres.failure_text import Trouble, troubles
from ops.verdict.fingerprint import Table


def complete(connection: psycopg.Connection[Any], target: str, needed: Collection[Table], printed: str) -> str:
    """Create missing required tables, with columns only.

    Args:
        connection: to the scratch database.
        target: the server's target, for an error.
        needed: the required tables.
        printed: the output of pg_restore for tables, types and functions.

    Returns:
        one line that names what is left out; empty if nothing is.

    Raises:
        StepFailed: a required table cannot be created; the message has pg_restore's reason.
    """
    found = troubles(printed)
    made = [table.name for table in needed if not _is_there(connection, table)]
    for table in needed:
        if table.name in made:
            _make(connection, target, table, found)
    left = [one.object or one.said for one in found if one.object.removeprefix("table ") not in made]
    said = [f"left out, since no row needs it: {listed(left)}"] if left else []
    said += [f"restored with their columns only: {listed(sorted(made))}"] if made else []
    return "; ".join(said)


def _is_there(connection: psycopg.Connection[Any], table: Table) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table.name]).fetchone()
    return bool(row and row[0])


def _make(connection: psycopg.Connection[Any], target: str, table: Table, found: list[Trouble]) -> None:
    columns = ", ".join(f"{identifier(column.name)} {column.type}" for column in table.columns)
    try:
        connection.execute(f"CREATE TABLE {table.name} ({columns})".encode())
    except psycopg.Error as error:
        first = next((one for one in found if one.object.endswith(f" {table.name}")), None) or next(iter(found), None)
        said = first.sentence if first else str(error.diag.message_primary)
        raise StepFailed(f"{target}: {table.name} can't be restored: {said}", first.then if first else "") from None

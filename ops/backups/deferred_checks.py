"""Defer what may fail while rows are restored: checks that depend on other tables, the time or settings; views.

Such a check is removed before the rows are restored, added again NOT VALID, and validated at the end. Materialized
views are filled at the end, with production's search_path. A failure loses no row and is reported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

import ops
from ops.backups.restored_objects import LOOSE
from ops.core.records import read_records
from ops.infra.postgres.failure_kind import BY_PATH
from ops.infra.postgres.failure_text import Trouble, explain

_VIEW = "materialized view "
# SQLSTATE of a view that reads an unfilled view, and the classes of a foreign server that does not answer. psycopg maps
# them to OperationalError.
_NOT_FILLED, _FOREIGN = "55000", ("08", "HV")
# SQLSTATE of a domain that an array or a composite type of a column uses: its rows can't be checked later.
_WITHIN = "0A000"
# Checks that are not inherited, or whose parents have been dropped by now.
_CHECKS = """
SELECT CASE k.conrelid WHEN 0 THEN 'DOMAIN ' || k.contypid::regtype ELSE 'TABLE ' || k.conrelid::regclass END,
       quote_ident(k.conname), pg_get_constraintdef(k.oid), k.connoinherit
FROM pg_constraint k LEFT JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_type t ON t.oid = k.contypid
WHERE k.oid::text = ANY (%s) AND k.coninhcount = 0 AND pg_has_role(coalesce(c.relowner, t.typowner), 'USAGE')
ORDER BY 1, 2
"""
_COMMENT = """
SELECT obj_description(k.oid, 'pg_constraint') FROM pg_constraint k WHERE quote_ident(k.conname) = %s AND %s IN (
    'DOMAIN ' || nullif(k.contypid, 0)::regtype, 'TABLE ' || nullif(k.conrelid, 0)::regclass)
"""


@dataclass(frozen=True)
class Check:
    """A check that was removed before the rows.

    ``on`` is ``TABLE`` or ``DOMAIN`` with its name. All fields are written as in SQL."""

    on: str
    name: str
    definition: str
    alone: bool = False

    @property
    def called(self) -> str:
        """Return the check's name for messages."""
        return f"check {self.name} of {self.on.split(' ', 1)[1]}"

    def dropped(self) -> str:
        """Return the statement that drops the check."""
        return f"ALTER {self.on} DROP CONSTRAINT {self.name}"

    def added(self, definition: str) -> str:
        """Return the statement that adds the check with a definition."""
        return f"ALTER {self.on} ADD CONSTRAINT {self.name} {definition}"

    def validated(self) -> str:
        """Return the statement that validates the check against the present rows."""
        return f"ALTER {self.on} VALIDATE CONSTRAINT {self.name}"

    def commented(self, comment: str) -> str:
        """Return the statement that adds a comment to the check."""
        said = sql.Literal(comment).as_string(None)
        return f"COMMENT ON CONSTRAINT {self.name} ON {self.on.removeprefix('TABLE ')} IS {said}"


def views(objects: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Return the materialized views that are filled at the end, by their oids in the dump, in their order."""
    found = {
        said: name.removeprefix(_VIEW) for (kind, name), said in objects.items() if kind == LOOSE and _is_view(name)
    }
    return {number: found[number] for number in sorted(found, key=int)}


def checks(objects: Mapping[tuple[str, str], str]) -> bool:
    """Return True if a backup has checks to defer."""
    return any(kind == LOOSE and not _is_view(name) for kind, name in objects)


def _is_view(name: str) -> bool:
    return name.startswith(_VIEW)


def loosen(connection: psycopg.Connection[Any]) -> list[Check]:
    """Remove the checks to defer, after the tables are restored and before the rows are.

    A check that always holds takes each name, so that the restore of comments succeeds.

    Returns:
        the removed checks; inherited checks come first.
    """
    found: list[Check] = []
    connection.execute("SELECT set_config('search_path', 'pg_catalog', false)")
    with connection.transaction():
        while mine := _loose(connection):
            for row in mine:
                found.append(Check(*row))
                _execute(connection, found[-1].dropped())
        for one in found:
            # The server can't check the rows of each column with a domain, and there are none.
            more = " NO INHERIT" if one.alone else " NOT VALID" if one.on.startswith("DOMAIN ") else ""
            _execute(connection, one.added(f"CHECK (true){more}"))
    return found


def _loose(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    text = (Path(ops.__file__).parent / "sql/loose.sql").read_text(encoding="utf-8")
    listed = [row[0] for row in connection.execute(text.encode()).fetchall()]
    oids = [line["is"] for line in listed if not _is_view(line["name"])]
    return connection.execute(_CHECKS.encode(), [oids]).fetchall()


def tighten(connection: psycopg.Connection[Any], loosened: Iterable[Check], filled: Iterable[str], path: str) -> str:
    """Add the deferred checks again and validate them, fill the views, and report successes and failures.

    Args:
        connection: to the restored database; its search_path is changed.
        loosened: the checks that ``loosen`` removed.
        filled: the views to fill, as written in SQL, in the order of the archive.
        path: production's search_path.
    """
    aside, wanted = list(loosened), list(filled)
    connection.execute("SELECT set_config('search_path', 'pg_catalog', false)")
    with connection.transaction():
        comments = [connection.execute(_COMMENT.encode(), [one.name, one.on]).fetchone() for one in aside]
        for one in aside:
            _execute(connection, one.dropped())
        for one, comment in zip(aside, comments, strict=True):
            _execute(connection, f"{one.added(one.definition)} NOT VALID")
            if comment and comment[0]:
                _execute(connection, one.commented(str(comment[0])))
    connection.execute("SELECT set_config('search_path', %s, false)", [path])
    wrong = [_not_valid(one, why) for one in aside if (why := _tried(connection, one.validated()))]
    empty = fill(connection, wanted)
    said = []
    if aside:
        said.append(f"{len(aside) - len(wrong)} of {len(aside)} checks that depend on more than their row hold")
    if wanted:
        said.append(f"{len(wanted) - len(empty)} of {len(wanted)} materialized views were filled at the end")
    return "; ".join(said) + "".join(f"\nWARNING: {one}" for one in (*wrong, *empty))


def fill(connection: psycopg.Connection[Any], wanted: Iterable[str]) -> list[str]:
    """Fill materialized views with the session's search_path, and return messages about views that stay empty.

    A view that reads another unfilled view is tried again after that view."""
    left = list(wanted)
    while failed := {view: why for view in left if (why := _tried(connection, f"REFRESH {_VIEW}{view}"))}:
        if len(failed) == len(left):
            break
        left = list(failed)
    return [_not_filled(view, why) for view, why in failed.items()]


def _tried(connection: psycopg.Connection[Any], statement: str) -> Trouble | None:
    """Run a statement; return the server's error without row values, or None on success."""
    try:
        _execute(connection, statement)
    except psycopg.Error as error:
        state = error.sqlstate or ""
        foreign = not connection.broken and state.startswith(_FOREIGN)
        if isinstance(error, psycopg.OperationalError) and state != _NOT_FILLED and not foreign:
            raise
        if foreign:
            return Trouble("a foreign server does not answer", then="make the foreign server reachable")
        if state == _WITHIN and statement.startswith("ALTER DOMAIN "):
            said = "a column uses the domain within an array or a composite type, so its rows can't be checked"
            return Trouble(said, known=_WITHIN)
        return explain(error.diag.message_primary or "", error.diag.context or "", error.sqlstate or "")
    return None


def _not_valid(one: Check, why: Trouble) -> str:
    said = f"{one.called} is restored NOT VALID, so only new rows are checked"
    if why.known == _WITHIN:
        return f"{said}: {why.said}"
    then = why.then if why.known == BY_PATH else "correct the rows that do not hold"
    told = why.cause if why.known == BY_PATH else why.said
    return f"{said}: {told}: {then}, then   {one.validated()}"


def _not_filled(view: str, why: Trouble) -> str:
    then = f"{why.then}, then   " if why.then else ""
    said = why.cause or re.sub(r': ".*', ": …", why.said)
    return f"materialized view {view} is restored empty: {said}: {then}REFRESH MATERIALIZED VIEW {view}"


def _execute(connection: psycopg.Connection[Any], statement: str) -> None:
    connection.execute(statement.encode())


def read(path: Path) -> list[Check]:
    """Read the removed checks from a file.

    Raises:
        StepFailed: the file does not exist or is damaged.
    """
    return read_records(path, Check, "deferred checks")

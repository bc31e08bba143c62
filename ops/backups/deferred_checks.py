"""What a restore can't hold while rows come in: checks that depend on other tables, the time or settings, and
materialized views.

Such a check is put aside before the rows, added again NOT VALID, and validated; the views are filled at the end, under
production's search_path. Where that fails nothing is lost, and it is named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

import ops
from ops.backups.restored_objects import LOOSE
from ops.core.errors import StepFailed
from ops.infra.postgres.failure_kind import BY_PATH
from ops.infra.postgres.failure_text import Trouble, explain

_VIEW = "materialized view "
# A view that reads one that was not filled; its class is one of servers that are in no state to answer.
_NOT_FILLED = "55000"
# Those that no other one of these hands down any more.
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
    """A check that was put aside: ``on`` is ``TABLE`` or ``DOMAIN`` with its name, both as they are written in SQL."""

    on: str
    name: str
    definition: str
    alone: bool = False

    @property
    def called(self) -> str:
        """The check, as people call it."""
        return f"check {self.name} of {self.on.split(' ', 1)[1]}"

    def dropped(self) -> str:
        """The statement that takes it away."""
        return f"ALTER {self.on} DROP CONSTRAINT {self.name}"

    def added(self, definition: str) -> str:
        """The statement that adds it with a definition."""
        return f"ALTER {self.on} ADD CONSTRAINT {self.name} {definition}"

    def validated(self) -> str:
        """The statement that holds it against the rows that are there."""
        return f"ALTER {self.on} VALIDATE CONSTRAINT {self.name}"

    def commented(self, comment: str) -> str:
        """The statement that gives it a comment."""
        said = sql.Literal(comment).as_string(None)
        return f"COMMENT ON CONSTRAINT {self.name} ON {self.on.removeprefix('TABLE ')} IS {said}"


def views(objects: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """The materialized views of a backup that are filled at the end, by their numbers there, in their order."""
    found = {
        said: name.removeprefix(_VIEW) for (kind, name), said in objects.items() if kind == LOOSE and _is_view(name)
    }
    return {number: found[number] for number in sorted(found, key=int)}


def checks(objects: Mapping[tuple[str, str], str]) -> bool:
    """Whether a backup has checks that are put aside."""
    return any(kind == LOOSE and not _is_view(name) for kind, name in objects)


def _is_view(name: str) -> bool:
    return name.startswith(_VIEW)


def loosen(connection: psycopg.Connection[Any]) -> list[Check]:
    """Put such checks aside, in a database whose tables are there and whose rows are not; another one, which always
    holds, has the name meanwhile, so that comments find it.

    Returns:
        those that were put aside, the ones that others inherit first.
    """
    found: list[Check] = []
    connection.execute("SELECT set_config('search_path', 'pg_catalog', false)")
    with connection.transaction():
        while mine := _loose(connection):
            for row in mine:
                found.append(Check(*row))
                _execute(connection, found[-1].dropped())
        for one in found:
            _execute(connection, one.added("CHECK (true)" + (" NO INHERIT" if one.alone else "")))
    return found


def _loose(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    text = (Path(ops.__file__).parent / "sql/loose.sql").read_text(encoding="utf-8")
    listed = [row[0] for row in connection.execute(text.encode()).fetchall()]
    oids = [line["is"] for line in listed if not _is_view(line["name"])]
    return connection.execute(_CHECKS.encode(), [oids]).fetchall()


def tighten(connection: psycopg.Connection[Any], loosened: Iterable[Check], filled: Iterable[str], path: str) -> str:
    """Add such checks again and validate them, and fill such views; say what was done, and what did not hold.

    Args:
        connection: to the restored database; its search_path is another one afterwards.
        loosened: what ``loosen`` put aside.
        filled: the views to be filled, as they are written in SQL, in the order of the archive.
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
    """Fill materialized views under the session's search_path, those that read others behind them; say which stay
    empty, and why."""
    left = list(wanted)
    while failed := {view: why for view in left if (why := _tried(connection, f"REFRESH {_VIEW}{view}"))}:
        if len(failed) == len(left):
            break
        left = list(failed)
    return [_not_filled(view, why) for view, why in failed.items()]


def _tried(connection: psycopg.Connection[Any], statement: str) -> Trouble | None:
    """Why a statement is refused, in the server's words without values; None where it is not."""
    try:
        _execute(connection, statement)
    except psycopg.Error as error:
        if isinstance(error, psycopg.OperationalError) and error.sqlstate != _NOT_FILLED:
            raise
        return explain(error.diag.message_primary or "", error.diag.context or "", error.sqlstate or "")
    return None


def _not_valid(one: Check, why: Trouble) -> str:
    then = why.then if why.known == BY_PATH else "correct the rows that do not hold"
    told = why.cause if why.known == BY_PATH else why.said
    said = f"{one.called} is restored NOT VALID, so only new rows are held against it"
    return f"{said}: {told}: {then}, then   {one.validated()}"


def _not_filled(view: str, why: Trouble) -> str:
    then = f"{why.then}, then   " if why.then else ""
    said = why.cause or re.sub(r': ".*', ": …", why.said)
    return f"materialized view {view} is restored empty: {said}: {then}REFRESH MATERIALIZED VIEW {view}"


def _execute(connection: psycopg.Connection[Any], statement: str) -> None:
    connection.execute(statement.encode())


def dumped(found: Iterable[Check]) -> str:
    """Checks as text, for a file."""
    return json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False)


def read(path: Path) -> list[Check]:
    """Read what ``dumped`` wrote.

    Raises:
        StepFailed: it is not there, or damaged.
    """
    try:
        return [Check(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        raise StepFailed(f"{path}: it does not say which checks were put aside", "inv undo") from None

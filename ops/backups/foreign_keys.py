"""Restore foreign keys that the rows of a backup break.

Production can hold such rows: they were written while triggers were disabled, or by an incomplete restore.
pg_restore refuses such a key. The key is restored NOT VALID instead, and reported with the number of rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from ops.core.records import read_records
from ops.core.sql_names import identifier, parse
from ops.core.text import counted, listed

_NAME = r'(?:"(?:[^"]|"")*"|[^\s"]+)'
_ADDED = re.compile(rf"^ALTER TABLE (?:ONLY )?(.+)\n {{4}}ADD CONSTRAINT ({_NAME}) (FOREIGN KEY .+);$", re.MULTILINE)
_NOT_VALID = " NOT VALID"
_THERE = "SELECT conrelid, conname FROM pg_constraint WHERE contype = 'f' AND conparentid = 0"
_LEAVES = """
SELECT t.relid::regclass::text, ARRAY(SELECT conname::text FROM pg_constraint WHERE conrelid = t.relid)
FROM pg_partition_tree(%s::regclass) t WHERE t.isleaf ORDER BY 1
"""
_ABOUT = """
SELECT format('%%I on %%s %%s', %(name)s::text, i.type, i.identity),
       (SELECT format('SELECT count(*) FROM %%s f WHERE %%s AND NOT EXISTS (SELECT FROM %%s p WHERE %%s)',
                      concat(CASE f.relkind WHEN 'r' THEN 'ONLY ' END, k.conrelid::regclass),
                      string_agg(format('f.%%I IS NOT NULL', a.attname), ' AND '),
                      concat(CASE p.relkind WHEN 'r' THEN 'ONLY ' END, k.confrelid::regclass),
                      string_agg(format('p.%%I OPERATOR(%%I.%%s) f.%%I', b.attname, s.nspname, o.oprname, a.attname),
                                 ' AND '))
        FROM pg_constraint k JOIN pg_class f ON f.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid,
             unnest(k.conkey, k.confkey, k.conpfeqop) u (old, new, op)
             JOIN pg_operator o ON o.oid = u.op JOIN pg_namespace s ON s.oid = o.oprnamespace,
             pg_attribute a, pg_attribute b
        WHERE k.conrelid = i.oid AND k.conname = %(name)s AND (a.attrelid, a.attnum) = (k.conrelid, u.old)
          AND (b.attrelid, b.attnum) = (k.confrelid, u.new)
        GROUP BY k.oid, f.relkind, p.relkind)
FROM (SELECT c.oid, o.* FROM pg_class c CROSS JOIN LATERAL pg_identify_object('pg_class'::regclass, c.oid, 0) o
      WHERE c.oid = %(on)s::regclass) i
"""


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key as pg_dump writes it: table, name and definition in SQL; ``comment`` is a statement or empty."""

    on: str
    name: str
    definition: str
    comment: str = ""

    @property
    def called(self) -> str:
        """Return the key's name for messages."""
        return f"foreign key {self.name} of {self.on}"

    @property
    def added(self) -> str:
        """Return the statement that adds the key and checks all rows."""
        return f"ALTER TABLE {self.on} ADD CONSTRAINT {self.name} {self.definition}"

    @property
    def commented(self) -> str:
        """Return the statement that adds the comment, on one line."""
        found = re.fullmatch(r"(.+ IS )('(?:[^']|'')*')", self.comment, re.DOTALL)
        if not found or "\n" not in self.comment:
            return self.comment
        return found[1] + "E" + found[2].replace("\\", "\\\\").replace("\n", "\\n")

    @property
    def validated(self) -> str:
        """Return the statement that checks the rows of a key that is NOT VALID."""
        return f"ALTER TABLE {self.on} VALIDATE CONSTRAINT {self.name}"


@dataclass(frozen=True)
class BrokenKey:
    """A foreign key that the rows break: its name in the list of objects, and the message about it.

    ``parts`` are the names of the keys of its table's partitions, if these have the key instead of the table."""

    object: str
    reported: str
    parts: tuple[str, ...] = ()


def read_keys(script: str) -> list[ForeignKey]:
    """Read the foreign keys from a script that pg_restore wrote."""
    found = []
    for on, name, definition in _ADDED.findall(script):
        comment = re.search(rf"^COMMENT ON CONSTRAINT {re.escape(f'{name} ON {on}')} IS '(?:[^']|'')*'", script, re.M)
        found.append(ForeignKey(on, name, definition, comment[0] if comment else ""))
    return found


def add_missing(connection: psycopg.Connection[Any], keys: Iterable[ForeignKey]) -> list[BrokenKey]:
    """Add the foreign keys that a database lacks, and validate them.

    Returns:
        the keys that the rows break. They are NOT VALID. A server before 18 supports no NOT VALID key of a partitioned
        table; there each partition has the key, and only that of a partition whose rows break it is NOT VALID.

    Raises:
        psycopg.Error: the server refuses a key for another reason.
    """
    connection.execute("SELECT set_config('search_path', 'pg_catalog', false)")
    there = set(connection.execute(_THERE).fetchall())
    broken = []
    for key in keys:
        oid = connection.execute("SELECT %s::regclass::oid", [key.on]).fetchone()
        if oid and (oid[0], parse(key.name)[0]) not in there and (found := _add(connection, key)):
            broken.append(found)
    return broken


def _add(connection: psycopg.Connection[Any], key: ForeignKey) -> BrokenKey | None:
    try:
        connection.execute(f"{key.added.removesuffix(_NOT_VALID)}{_NOT_VALID}".encode())
    except (psycopg.errors.WrongObjectType, psycopg.errors.FeatureNotSupported):
        return _add_whole(connection, key)
    if key.comment:
        connection.execute(key.comment.encode())
    if key.definition.endswith(_NOT_VALID):
        return None
    if _is_violated(connection, key.validated):
        name, many = _about(connection, key)
        said = f"{key.called} is restored NOT VALID, so only new rows are checked"
        return BrokenKey(name, f"{said}: {_refer(many)} to no row: correct or delete them, then   {key.validated}")
    return None


def _add_whole(connection: psycopg.Connection[Any], key: ForeignKey) -> BrokenKey | None:
    if _is_violated(connection, key.added):
        return _add_to_partitions(connection, key)
    if key.comment:
        connection.execute(key.comment.encode())
    return None


def _add_to_partitions(connection: psycopg.Connection[Any], key: ForeignKey) -> BrokenKey:
    """Add a key to each partition.

    A key of the whole table takes over equal keys of its partitions, if they are validated."""
    leaves = connection.execute(_LEAVES.encode(), [key.on]).fetchall()
    made = [replace(key, on=leaf, name=_free(key.name, taken), comment="") for leaf, taken in leaves]
    wrong = []
    for one in made:
        if _is_violated(connection, one.added):
            connection.execute(f"{one.added}{_NOT_VALID}".encode())
            wrong.append(one)
    counts = [_about(connection, one)[1] for one in wrong]
    rows = _refer(sum(counts) if all(counts) else 0)
    said = f"{key.called} is restored on its {counted(len(made), 'partition')}, so new partitions lack it: this server"
    said = f"{said} has no NOT VALID key of a partitioned table. NOT VALID: {listed([one.on for one in wrong])}"
    then = "; ".join([*(one.validated for one in wrong), key.added, *([key.commented] if key.comment else [])])
    parts = tuple(_about(connection, one)[0] for one in made)
    said = f"{said}: {rows} to no row: correct or delete them, then   {then}"
    return BrokenKey(_about(connection, key)[0], said, parts)


def _free(name: str, taken: Collection[str]) -> str:
    """Return a name that no constraint of a table has: the given one, or one with a number."""
    plain = parse(name)[0]
    return next(
        identifier(one) for one in (plain, *(f"{plain[:55]}_{n}" for n in range(1, len(taken) + 2))) if one not in taken
    )


def _is_violated(connection: psycopg.Connection[Any], statement: str) -> bool:
    """Run a statement that checks a key, and return True if the rows break the key."""
    try:
        connection.execute(statement.encode())
    except psycopg.errors.ForeignKeyViolation:
        return True
    return False


def _about(connection: psycopg.Connection[Any], key: ForeignKey) -> tuple[str, int]:
    """Return the key's name in the list of objects, and how many rows break it; 0 if this can't be counted."""
    row = connection.execute(_ABOUT.encode(), {"on": key.on, "name": parse(key.name)[0]}).fetchone()
    assert row is not None
    try:
        count = connection.execute(str(row[1]).encode()).fetchone() if row[1] else None
    except psycopg.Error:
        count = None  # Row security, or a key over a period: report no number instead of failing the restore.
    many = int(count[0]) if count else 0
    return str(row[0]), many


def _refer(many: int) -> str:
    return f"{counted(many, 'row')} {'refers' if many == 1 else 'refer'}" if many else "rows refer"


def names(path: Path) -> dict[str, tuple[str, ...]]:
    """Read the names of the broken keys, each with those of its partitions, from a file; empty without a file.

    Raises:
        StepFailed: the file is damaged.
    """
    found = read_records(path, BrokenKey, "broken foreign keys", optional=True)
    return {one.object: tuple(one.parts) for one in found}

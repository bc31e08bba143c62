"""Read declarations: ``migrations.expect.yaml`` states what migrations may remove or change, and why.

The file is beside ``manage.py`` (docs/how-to/allow-a-loss.md). ``declare`` compares it with a verdict. A loss within
the declared limit is allowed. An exceeded declaration, or one that did not happen, is refused like an undeclared loss.
Pure: this module reads files and queries no server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from ops.core.errors import Code, InventoryError
from ops.core.files import sha256
from ops.core.yaml_lines import Node, nearest, read, shown, translated
from ops.verdict.expect.limits import FORMS, NOTHING, Amount, Limit

FILE = "migrations.expect.yaml"
KINDS = ("lost", "changed", "duplicated")
# Values that may differ between production and the rehearsal. The clone has no such loss.
DIFFERS = "differs"
EXAMPLE = '- {table: lessons_note, lost: 120, why: "moved to the wiki, agreed with Anna"}'
_MIGRATION = re.compile(r"[A-Za-z_]\w*\.\w+")
_IDENTIFIER = re.compile(r'"((?:[^"]|"")+)"|([^".\s](?:[^".]*[^".\s])?)')


def _filled(value: object) -> object:
    if isinstance(value, str) and not re.search(r"\w", value):
        raise PydanticCustomError("inventory", "{text}", {"text": "is empty", "hint": 'why: "who agreed, and why"'})
    return value


def _name(value: object) -> object:
    if isinstance(value, str) and parts(value) is None:
        raise PydanticCustomError(
            "inventory", "{text}", {"text": "is not a table name", "hint": "table: lessons_note   or   schema.table"}
        )
    return value


def _amount(value: object) -> object:
    if not isinstance(value, int | str) or Limit.read(value) is None:
        raise PydanticCustomError("inventory", "{text}", {"text": "is not an amount", "hint": FORMS})
    return value


Most = Annotated[Amount, BeforeValidator(_amount)]


class _Entry(BaseModel):
    """Hold one entry of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    table: Annotated[str, BeforeValidator(_name)] = ""
    object: Annotated[str, Field(min_length=1)] | None = None
    column: Annotated[str, Field(min_length=1)] | None = None
    lost: Most | None = None
    changed: Most | None = None
    duplicated: Most | None = None
    differs: Most | None = None
    why: Annotated[str, BeforeValidator(_filled)]


@dataclass(frozen=True)
class Expectation:
    """Hold what one migration may do to a table, to a column, or to an ``object`` that is not a table.

    ``amounts`` maps ``lost``, ``changed`` and ``duplicated`` to the highest number of rows, or of values of a column:
    a count, a share (``5 %``) or ``all``. ``where`` is file and line.
    """

    migration: str
    table: tuple[str, str]
    column: str
    amounts: Mapping[str, Amount]
    why: str
    where: str
    object: str = ""

    @property
    def what(self) -> str:
        """Return the name of the table, column or object for messages."""
        return self.object or named(self.table) + (f".{self.column}" if self.column else "")

    def limit(self, kind: str) -> Limit:
        """Return the limit of one kind."""
        return Limit.read(self.amounts.get(kind, 0)) or NOTHING


@dataclass(frozen=True)
class Expectations:
    """Hold all declarations of an application. ``digest`` is the file's sha256, or empty without a file."""

    entries: tuple[Expectation, ...] = ()
    digest: str = ""
    file: str = FILE


def parts(name: str) -> tuple[str, str] | None:
    """Split a table name into schema (default ``public``) and table. Return None if it is not a table name."""
    found, at = [], 0
    while match := _IDENTIFIER.match(name, at):
        found.append(match[1].replace('""', '"') if match[1] else match[2])
        at = match.end()
        if at == len(name):
            break
        if name[at] != ".":
            return None
        at += 1
    if at != len(name) or name.endswith(".") or not 1 <= len(found) <= 2:
        return None
    return (found[0], found[1]) if len(found) == 2 else ("public", found[0])


def named(table: tuple[str, str]) -> str:
    """Return a table's name as the file has it."""
    return ".".join(
        part if "." not in part and '"' not in part else '"' + part.replace('"', '""') + '"' for part in table
    )


def places(app: Path, manage: Sequence[str]) -> list[Path]:
    """Return where the file may be: in the application's folder, or beside the ``manage.py`` of ``app.manage``.

    Args:
        app: ``app.dir``, absolute.
        manage: ``app.manage``.
    """
    return list(dict.fromkeys((app / name).resolve() for name in names(manage)))


def names(manage: Sequence[str]) -> list[str]:
    """Return the same paths relative to the application's folder."""
    scripts = [PurePosixPath(word) for word in manage if word.endswith(".py")]
    return list(dict.fromkeys([FILE, *(str(script.parent / FILE) for script in scripts[:1])]))


def find(app: Path, manage: Sequence[str]) -> Path | None:
    """Return the application's file, or None."""
    return next((path for path in places(app, manage) if path.exists()), None)


def load(path: Path | None, shown_as: str = "") -> Expectations:
    """Read the declarations. Without a file, there are none.

    Raises:
        InventoryError: the file is invalid. The error has file, line and what to write instead.
    """
    if path is None:
        return Expectations()
    try:
        root = read(path)
    except InventoryError as error:
        if error.code == Code.NO_INVENTORY:
            error.hint = f"a readable {FILE}, or none"
        raise
    root = _renamed(root, shown_as or str(path))
    found = []
    for migration, node in root.mapping("the file", f"lessons.0007_drop_notes:\n  {EXAMPLE}").items():
        if not _MIGRATION.fullmatch(migration):
            raise node.wrong(f"{shown(migration)} is not a migration name", "write app.name: lessons.0007_drop_notes")
        if not isinstance(node.value, tuple) or not node.value:
            raise node.wrong(f"{migration}: should be a list of tables and columns", EXAMPLE)
        found += [_entry(migration, item) for item in node.value]
    _check_twins(found)
    return Expectations(tuple(found), sha256(path), root.file)


def _renamed(node: Node, file: str) -> Node:
    """Return the same values with another file name for errors."""
    if isinstance(node.value, dict):
        return Node({key: _renamed(value, file) for key, value in node.value.items()}, node.line, file)
    if isinstance(node.value, tuple):
        return Node(tuple(_renamed(value, file) for value in node.value), node.line, file)
    return Node(node.value, node.line, file)


def _entry(migration: str, node: Node) -> Expectation:
    found = node.mapping(f"{migration}: an entry", EXAMPLE)
    try:
        entry = _Entry.model_validate(node.plain() or {})
    except ValidationError as error:
        raise translated(error, migration, node, found, _hint) from None
    amounts = {kind: amount for kind in (*KINDS, DIFFERS) if (amount := getattr(entry, kind)) is not None}
    if not amounts:
        raise node.wrong(f"{migration}: an entry has no amount", f"lost: {FORMS}")
    if entry.differs and not entry.column:
        raise found[DIFFERS].wrong(f"{migration}: `differs` counts values of a column", "column: token")
    if entry.column and entry.duplicated:
        raise found["duplicated"].wrong(f"{migration}: `duplicated` counts rows", "remove `column:`")
    if not entry.table and not entry.object:
        raise node.wrong(f"{migration}: `table` is missing", EXAMPLE)
    if entry.object and (entry.table or entry.column or entry.duplicated):
        raise node.wrong(f"{migration}: an object can have only `lost` and `changed`", "object: large objects")
    table, where = parts(entry.table) or ("", ""), f"{node.file}:{node.line}"
    return Expectation(migration, table, entry.column or "", amounts, entry.why.strip(), where, entry.object or "")


def _hint(path: Sequence[str | int], problem: str) -> str:
    key = str(path[0])
    if problem == "extra_forbidden":
        guess = nearest(key, _Entry.model_fields)
        return f"write `{guess}:`" if guess else f"known keys: {', '.join(_Entry.model_fields)}"
    return {"table": "table: lessons_note", "column": "column: price", "why": 'why: "who agreed, and why"'}.get(
        key, f"{key}: {FORMS}"
    )


def _check_twins(entries: Sequence[Expectation]) -> None:
    seen: dict[tuple[object, ...], str] = {}
    for entry in entries:
        for kind in entry.amounts:
            key = (entry.migration, entry.table, entry.object, entry.column, kind)
            if key in seen:
                raise InventoryError(
                    f"{entry.where}: {entry.migration}: {kind} of {entry.what} is given twice, first in {seen[key]}",
                    "remove one of the two entries",
                )
            seen[key] = entry.where

"""Choose the entries of a dump's table of contents to restore, and their order (``pg_restore --use-list``).

An entry is left out only if the new database has it already or gets it in another way."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

# The entry's number, its catalog's oid, and the object's oid in the dumped database.
_ENTRY = re.compile(r"\d+; \d+ (\d+) (.+)$")
_DATA = ("TABLE DATA ", "SEQUENCE SET ", "BLOB", "STATISTICS DATA ")
# These refer to restored objects. A right that an owner lacks would refuse the owner's rows.
_LATER = ("ACL ", "DEFAULT ACL ", "COMMENT ", "SECURITY LABEL ")
_FILLED = "MATERIALIZED VIEW DATA "
_KEY = "FK CONSTRAINT "
_KEY_COMMENT = re.compile(r"COMMENT \S+ CONSTRAINT ")
# An event trigger must not fire during a restore.
_WATCHER = re.compile(r"(?:(?:COMMENT|SECURITY LABEL) - )?EVENT TRIGGER ")
_PUBLIC = re.compile(r"SCHEMA - public (.+)$")
_REMARK = re.compile(r"COMMENT - EXTENSION (.+?)(?: \S*)?$")


@dataclass(frozen=True)
class Place:
    """Describe the database to restore into, and the role that restores.

    Args:
        owner: the owner of the new database's schema public.
        beyond: the superusers, to whom the role cannot give an object; empty if the role is a superuser.
        others: the extensions that the new database has already and that belong to another role.
        schemas: the schemas that the new database has already and that are the backup's
            (``ops.backups.schema_rights``).
    """

    owner: str = ""
    beyond: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    schemas: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Entries:
    """Hold the list's lines: those before the rows, the rest, foreign keys, event triggers; and what is left out.

    ``said`` names the entries that are left out, with the reason."""

    first: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    last: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def chosen(
    lines: Iterable[str], place: Place, views: Collection[str], *, owned: bool, apart: bool, keyed: bool = False
) -> Entries:
    """Divide an archive's list.

    Args:
        lines: the output of ``pg_restore --list``.
        views: the materialized views that are filled at the end, by their oids in the dumped database.
        owned: owners are restored.
        apart: restore tables first, so that checks can be removed before rows are restored.
        keyed: restore foreign keys after all rows and indexes, each followed by its comment, and event triggers last.
    """
    found = Entries()
    before, key = apart, False
    there = tuple(f"SCHEMA - {name} " for name in place.schemas)
    for line in lines:
        match = _ENTRY.match(line)
        if not match:
            continue
        number, entry = match.groups()
        if entry.startswith(there):
            continue
        if entry.startswith(_FILLED) and number in views:
            continue  # The step that fills these views reports them.
        if why := _without(entry, place, owned=owned):
            found.said.append(why)
            continue
        key = keyed and (entry.startswith(_KEY) or key and bool(_KEY_COMMENT.match(entry)))
        if key or (keyed and _WATCHER.match(entry)):
            (found.keys if key else found.last).append(line)
            continue
        before = before and not entry.startswith(_DATA)
        (found.first if before and not entry.startswith(_LATER) else found.rest).append(line)
    return found


def _without(entry: str, place: Place, *, owned: bool) -> str:
    """Return why an entry is left out; empty if it is restored."""
    public = _PUBLIC.match(entry)
    if owned and public and public[1] in place.beyond and public[1] != place.owner:
        return f"schema public belongs to {place.owner} there, and not to {public[1]}"
    remark = _REMARK.match(entry)
    if remark and remark[1].strip('"') in place.others:
        return f"the template already has extension {remark[1]} with its own comment"
    return ""

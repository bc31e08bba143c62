"""Which entries of a dump's table of contents are restored, and which come before its rows (``pg_restore --use-list``).

Left out is only what a restore can do without: the new database has it already, or gets it in another way.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

# The entry's own number, and those of its catalog and of the object in the database that was dumped.
_ENTRY = re.compile(r"\d+; \d+ (\d+) (.+)$")
_DATA = ("TABLE DATA ", "SEQUENCE SET ", "BLOB", "STATISTICS DATA ")
# They belong to objects that are there by then; a right that was taken from an owner would keep his rows out.
_LATER = ("ACL ", "DEFAULT ACL ", "COMMENT ", "SECURITY LABEL ")
_FILLED = "MATERIALIZED VIEW DATA "
_KEY = "FK CONSTRAINT "
_KEY_COMMENT = re.compile(r"COMMENT \S+ CONSTRAINT ")
# Such a trigger must not see what a restore does at its end.
_WATCHER = re.compile(r"(?:(?:COMMENT|SECURITY LABEL) - )?EVENT TRIGGER ")
_PUBLIC = re.compile(r"SCHEMA - public (.+)$")
_REMARK = re.compile(r"COMMENT - EXTENSION (.+?)(?: \S*)?$")


@dataclass(frozen=True)
class Place:
    """Where it is restored, and as whom.

    Args:
        owner: the owner of the new database's schema public.
        beyond: the superusers, whom nothing can be given to; none where the role is one itself.
        others: the extensions that the new database has already, and that are not this role's.
        schemas: those that the new database has already, and that are the backup's (``ops.backups.schema_rights``).
    """

    owner: str = ""
    beyond: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    schemas: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Entries:
    """The lines that come before the rows, all others, the foreign keys and event triggers; and what is left out, and
    why."""

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
        lines: what ``pg_restore --list`` printed.
        views: the materialized views that are filled at the end, by their numbers in the dumped database.
        owned: owners are restored.
        apart: what makes tables comes first, so that checks can be put aside before there are rows.
        keyed: foreign keys come after all rows and indexes, each with its comment behind it, and event triggers last.
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
            continue  # Which are filled at the end is said then.
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
    """Why an entry is left out; empty where it is not."""
    public = _PUBLIC.match(entry)
    if owned and public and public[1] in place.beyond and public[1] != place.owner:
        return f"schema public belongs to {place.owner} in it, and not to {public[1]}"
    remark = _REMARK.match(entry)
    if remark and remark[1].strip('"') in place.others:
        return f"extension {remark[1]} is there by the template, with its own comment"
    return ""

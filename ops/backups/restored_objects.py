"""Compare all objects of a restored database with the backup: with owner, grants, comments and state.

``ops/sql/objects.sql`` records the objects in each fingerprint. The comparison detects a restore that stopped
halfway."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from types import MappingProxyType

Objects = Mapping[tuple[str, str], str]
# The foreign keys that rows break, each with the keys that its table's partitions have instead of the table.
Broken = Mapping[str, Collection[str]]

# Properties that depend on the roles and tablespaces of one server. A copy on another server has none of them.
_THERE = frozenset({"owner", "grants", "default privileges", "tablespace", "user mapping"})
# The kind of objects that are restored separately (ops/backups/deferred_checks.py).
LOOSE = "loose"
# Properties that no dump contains. Differences are reported.
_ORDER, _EXTENDER = "column order", "extension owner"
# A restore installs the version that its server has. A comment on an extension is its author's.
_NEVER = frozenset({"version", "extension comment", "spread", LOOSE, _ORDER, _EXTENDER})
# The kinds that each form of a restore leaves out.
LEAVES_OUT: dict[str, frozenset[str]] = {"": _NEVER, "bare": _NEVER | _THERE}
# Default grants have no line. A revoked default that is there again is a line too many.
_BOTH_WAYS = frozenset({"grants", "default privileges"})
_MAINTAIN = 170000
PUBLIC, _DEFAULT = "schema public", "pg_database_owner"


def missing(
    before: Objects, after: Objects, servers: tuple[int, int], form: str = "", broken: Broken = MappingProxyType({})
) -> list[str]:
    """Return what a restored database lacks or has differently, a sentence each; empty if it is complete.

    Args:
        before: the dumped objects; empty in a backup of an older version of this tool, then nothing is compared.
        after: the objects of the restored database.
        servers: the version numbers of both servers.
        form: empty for a complete restore, or ``bare`` for one without owners and grants.
        broken: the foreign keys that rows break; each is NOT VALID, or its table's partitions have these keys instead.
    """
    out = LEAVES_OUT[form]
    said = []
    for key in sorted({*before, *(key for key in after if before and key[0] in _BOTH_WAYS)}):
        kind, name = key
        if kind in out or (name == PUBLIC and servers[0] // 10000 != servers[1] // 10000):
            continue
        old, new = before.get(key), after.get(key)
        there = ("object", name)
        if kind == "constraint" and new in (unvalidated(before, name) or old, "f f" if name in broken else old):
            continue
        if kind == "constraint" and new is None and broken.get(name):
            said += [f"{_called(kind, part)} is missing" for part in broken[name] if (kind, part) not in after]
            continue
        if name == PUBLIC and (owner := _given_away(before, after)):
            if kind == "owner":
                continue
            old = old.replace(f'"{owner[0]}=', f'"{owner[1]}=') if old else old
        if kind == "owner" and new is None and there in after:
            continue  # The object has no owner; an older backup names the server's first role.
        if kind != "object" and (there in before) != (there in after):
            continue  # Reported for the object, or a schema that every new database has and the dumped one lacks.
        if kind in _BOTH_WAYS:
            said += _grants(kind, name, old, new, servers)
        elif new is None:
            said.append(f"{_called(kind, name)} is missing")
        elif old != new:
            said.append(f"{_called(kind, name)} differs{_how(kind, old or '', new)}")
    return said


def unvalidated(before: Objects, name: str) -> str | None:
    """Return the state of a deferred check that does not hold; None for other constraints."""
    return before.get(("constraint", name), "").removesuffix("t") + "f" if (LOOSE, name) in before else None


def left_open(before: Objects, after: Objects, form: str = "", broken: Broken = MappingProxyType({})) -> list[str]:
    """Return the permitted differences of a restored database, a sentence each; they lose no row.

    Args:
        before, after, form, broken: as in ``missing``.
    """
    said = [
        f"foreign key {name} is {'NOT VALID' if ('constraint', name) in after else 'on its partitions only'}: rows "
        "break it"
        for name in sorted(broken)
    ]
    said += not_dumped(before, after, form)
    if form:
        return said
    said += [
        f"check {name} is NOT VALID"
        for kind, name in sorted(before)
        if kind == LOOSE and (state := after.get(("constraint", name))) and state == unvalidated(before, name)
    ]
    if owner := _given_away(before, after):
        said.append(f"{PUBLIC} belongs to {owner[1]}, and not to {owner[0]}")
    return said


def not_dumped(before: Objects, after: Objects, form: str = "") -> list[str]:
    """Report what no dump contains and a restore made differently: an extension's owner, an order of columns."""
    said = []
    for (kind, name), old in sorted(before.items()):
        new = after.get((kind, name), old)
        if kind == _ORDER and new != old:
            said.append(f"the columns of {name} are in another order: {new}, before {old}")
        if kind == _EXTENDER and new != old and not form:
            said.append(f"{name} belongs to {new}, and not to {old}")
    return said


def _given_away(before: Objects, after: Objects) -> tuple[str, str] | None:
    """Return the owners of schema public if the restored one belongs to the database's owner instead."""
    old, new = (one.get(("owner", PUBLIC), "") for one in (before, after))
    return (old, new) if new == _DEFAULT and old != new and old else None


def _called(kind: str, name: str) -> str:
    if kind in ("object", "publication"):
        return name
    return (
        f"{kind} {name}"
        if kind in ("index", "trigger", "rule", "policy", "constraint") or name.startswith("of ")
        else f"{kind} of {name}"
    )


def _how(kind: str, old: str, new: str) -> str:
    """Return the old and new state, if it contains only role names and flags."""
    return (
        f" ({new}, was {old})" if kind in ("owner", "tablespace", "constraint", "index", "trigger", "rule") else ""
    )


def _grants(kind: str, name: str, old: str | None, new: str | None, servers: tuple[int, int]) -> list[str]:
    def read(text: str | None) -> set[str]:
        found = {str(one) for one in json.loads(text or "[]")}
        return {one for one in found if "=MAINTAIN" not in one} if min(servers) < _MAINTAIN else found

    lost, more = sorted(read(old) - read(new)), sorted(read(new) - read(old))
    if old is None or new is None:
        # The default has no line, so the line of the other side is the difference.
        now, then = (", ".join(sorted(read(text))) or "nobody's" if text else "the default" for text in (new, old))
        return [f"{_called(kind, name)} are {now}, were {then}"]
    listed = [f"without {', '.join(lost)}"] if lost else []
    listed += [f"with {', '.join(more)}"] if more else []
    return [f"{_called(kind, name)} differ ({'; '.join(listed)})"] if listed else []

"""Judge the dependents of tables (grants, policies, triggers, views, publications, comments), views and sequences.

If a table was recreated, its dependents must be recreated, too. If a table remains, a dependent may be dropped only if
the migrations' code names it: Django removes a field by ``DROP COLUMN … CASCADE``, which silently drops policies,
triggers and views. Lost views, publications and comments are only reported, because no data or rights depend on them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ops.core.sql_names import bare, identifier
from ops.core.text import listed
from ops.verdict.model import ObjectVerdict
from ops.verdict.objects.database_objects import Catalog, Hanging

KINDS = ("grant", "policy", "trigger", "log", "view", "publication", "comment")
REFUSED = ("grant", "policy", "trigger", "constraint", "log")
STAYING = ("policy", "trigger", "constraint", "log", "view")
PLURAL = {"policy": "policies", "constraint": "foreign keys", "log": "write-ahead log"}
SECURITY = ("ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY")
# Settings that a migration may turn off while it runs and must turn on again.
SWITCHES = (*SECURITY, "LOGGED")
SHOWN = 5

Says = Callable[[str, str], bool]
_CAST = re.compile(
    r'::(?:"[^"]+"|[a-z_]\w*(?:\.\w+)?)(?: varying| precision| with(?:out)? time zone)?(?:\([\d,]+\))?(?:\[\])*'
)
_WORD = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")+"|\w+|\S""")


def never(_kind: str, _name: str) -> bool:
    """Return False: no code names the object."""
    return False


@dataclass(frozen=True)
class Went:
    """Hold where a table's rows are.

    ``to``: the tables. ``numbers``: the new names of old columns that are numeric keys there. ``columns``: the new
    names of all columns.
    """

    to: tuple[str, ...]
    numbers: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)


def hanging(
    went: Mapping[str, Went], old: Catalog, new: Catalog, granted: Catalog, says: Says
) -> Iterator[ObjectVerdict]:
    """Yield the lost and changed dependents; see ``judge_objects``."""
    tables = {bare(table): bare(home.to[0]) for table, home in went.items() if len(home.to) == 1}
    for table, home in sorted(went.items()):
        if _anew(table, home.to, old, new):
            for kind in KINDS:
                was = (granted if kind == "grant" else old).of(table, kind)
                yield from _made_anew(kind, table, was, home, new, tables, granted)
    names = {number: name for name, number in new.oids.items()}
    for table in sorted(old.tables):
        if there := names.get(old.oids[table]):
            yield from _stays(table, there, tables | dict(went.get(table, Went(())).columns), old, new, says)
    yield from _others(went, old, new, granted)


def _anew(name: str, to: Sequence[str], old: Catalog, new: Catalog) -> bool:
    """Return True if an object was recreated, so that its dependents did not follow."""
    return name in old.oids and not any(new.oids.get(one) == old.oids[name] for one in to)


def _made_anew(
    kind: str, name: str, was: Sequence[Hanging], home: Went, new: Catalog, tables: Mapping[str, str], granted: Catalog
) -> Iterator[ObjectVerdict]:
    there = [one for to in home.to for one in new.of(to, kind)]
    lost, changed = compared(was, there, {**tables, **home.columns})
    by_default = _by_default(name, granted) if kind == "grant" else frozenset()
    lost = [one for one in lost if one.name not in by_default]
    where = ", ".join(home.to) if home.to != (name,) else "the new table"
    yield from _told(kind, name, (home.to[0], where), len(was), lost, changed)


def _stays(
    table: str, there: str, names: Mapping[str, str], old: Catalog, new: Catalog, says: Says
) -> Iterator[ObjectVerdict]:
    """Yield the lost and changed dependents of a table that was not recreated."""
    for kind in STAYING:
        was = old.of(table, kind)
        lost, changed = compared(was, new.of(there, kind), names)
        # The server updates a view's text after renames, so its text does not show a change.
        changed = [] if kind == "view" else changed
        # Foreign keys are part of the application's schema, which migrations may change.
        lost = [] if kind == "constraint" else lost
        meant = all(says(kind, one.name) and one.name not in SWITCHES for one in lost)
        meant = meant and all(says(kind, one.name) and not _disabled(one) for one in changed)
        yield from _told(kind, table, (there, there), len(was), lost, changed, refused=not meant)


def _disabled(one: Hanging) -> bool:
    return one.kind in ("trigger", "constraint") and one.definition.split(" ")[-1] == "D"


def _others(went: Mapping[str, Went], old: Catalog, new: Catalog, granted: Catalog) -> Iterator[ObjectVerdict]:
    """Yield the lost grants on recreated views, and on sequences that were replaced."""
    behind = {(table, column): name for name, one in new.counters.items() for table, column, _ in one.columns}
    for name in sorted(old.oids.keys() - old.tables):
        to = name
        for table, column, _ in old.counters[name].columns if name in old.counters else ():
            home = went.get(table, Went(()))
            to = behind.get((home.to[0], home.columns.get(column, column)), name) if len(home.to) == 1 else name
        # The sequence of an identity column needs no grant.
        if to in new.oids and _anew(name, (to,), old, new) and not (to in new.counters and new.counters[to].identity):
            kind = "sequences " if name in old.counters else ""
            was = granted.of(name, "grant")
            lost, changed = compared(was, new.of(to, "grant"), {})
            by_default = _by_default(name, granted, kind)
            yield from _told("grant", name, (to, to), len(was), [x for x in lost if x.name not in by_default], changed)


def _by_default(name: str, production: Catalog, kind: str = "") -> frozenset[str]:
    everywhere = production.defaults.get(kind, frozenset())
    return everywhere | production.defaults.get(kind + name.split(".", maxsplit=1)[0], frozenset())


def _told(
    kind: str,
    name: str,
    home: tuple[str, str],
    before: int,
    lost: Sequence[Hanging],
    changed: Sequence[Hanging],
    refused: bool = True,
) -> Iterator[ObjectVerdict]:
    said = [f"{home[1]} has no {_listed(lost)}"] if lost else []
    said += [f"{_listed(changed)} {'has' if len(changed) == 1 else 'have'} another definition"] if changed else []
    fixes = [_fix(kind, one.name, home[0]) for one in lost[:SHOWN]] + [_again(one, home[0]) for one in changed[:SHOWN]]
    if said:
        yield ObjectVerdict(
            f"{PLURAL.get(kind, f'{kind}s')} on {name}",
            "lost" if lost else "changed",
            before=before,
            lost=len(lost),
            changed=len(changed),
            note=", and ".join(said),
            fix="; ".join(dict.fromkeys(fix for fix in fixes if fix)),
            refused=refused and kind in REFUSED,
        )


def _listed(found: Sequence[Hanging]) -> str:
    return listed([one.name for one in found], SHOWN)


def _fix(kind: str, name: str, table: str) -> str:
    if kind == "grant":
        privilege, role = name.rsplit(" to ", 1)
        return f"GRANT {privilege} ON {table} TO {role if role == 'PUBLIC' else identifier(role)}"
    if name in SECURITY:
        return f"ALTER TABLE {table} {'FORCE' if name.startswith('FORCE') else 'ENABLE'} ROW LEVEL SECURITY"
    if kind == "log":
        return f"ALTER TABLE {table} SET LOGGED, because a crash empties an unlogged table"
    if kind == "publication":
        return f"ALTER PUBLICATION {identifier(name)} ADD TABLE {table}"
    what = {"policy": f"CREATE POLICY {identifier(name)} ON", "trigger": f"CREATE TRIGGER {identifier(name)} … ON"}
    return f"{what.get(kind, 'create it again on')} {table}" + (" …" if kind in what else "")


def _again(one: Hanging, table: str) -> str:
    if _disabled(one):
        return f"ALTER TABLE {table} ENABLE TRIGGER {'ALL' if one.kind == 'constraint' else identifier(one.name)}"
    return f"DROP POLICY {identifier(one.name)} ON {table}; {_fix(one.kind, one.name, table)}" * (one.kind == "policy")


def compared(
    before: Sequence[Hanging], after: Sequence[Hanging], names: Mapping[str, str]
) -> tuple[list[Hanging], list[Hanging]]:
    """Return the old dependents without a counterpart, and the new dependents that have only the same name.

    A counterpart has the same name and definition, or else the same definition. Each dependent is matched once.

    Args:
        names: new names of tables and columns in definitions, by their old names.
    """
    left, gone, changed = list(after), list(before), []
    for same in (_equal, _alike, _named):
        waiting, gone = gone, []
        for one in waiting:
            there = next((two for two in left if same(one, two, names)), None)
            if there is None:
                gone.append(one)
                continue
            left.remove(there)
            changed += [there] if same is _named else []
    return gone, changed


def _equal(one: Hanging, two: Hanging, names: Mapping[str, str]) -> bool:
    return one.name == two.name and _reads_alike(one, two, names)


def _alike(one: Hanging, two: Hanging, names: Mapping[str, str]) -> bool:
    return bool(one.definition) and _reads_alike(one, two, names)


def _named(one: Hanging, two: Hanging, _: Mapping[str, str]) -> bool:
    return one.name == two.name


def _reads_alike(one: Hanging, two: Hanging, names: Mapping[str, str]) -> bool:
    """Return True if two definitions are equal except for renames."""
    was, now = _words(one.definition), _words(two.definition)
    return len(was) == len(now) and all(a == b or names.get(a) == b for a, b in zip(was, now, strict=True))


def _words(definition: str) -> list[str]:
    """Return a definition's words without casts, which depend on whether a column is text or varchar."""
    text = _CAST.sub("", definition)
    while (bare_ := re.sub(r'(?<![\w"])\((\w+)\)', r"\1", text)) != text:
        text = bare_
    return [word[1:-1] if word.startswith('"') else word for word in _WORD.findall(text)]

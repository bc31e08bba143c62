"""What became of what hung on tables (grants, policies, triggers, views, publications, comments), views and sequences.

What hangs on a table that is another one now has to be made anew, as it was; what hangs on one that stays may go only
where the migrations' code names it: ``DROP COLUMN … CASCADE``, which is Django's way to remove a field, takes policies,
triggers and views along without a word. Views, publications and comments are told, and no more: nobody's data or rights
depend on them.
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
# What a migration turns off for its own sake and has to turn on again.
SWITCHES = (*SECURITY, "LOGGED")
SHOWN = 5

Says = Callable[[str, str], bool]
_CAST = re.compile(
    r'::(?:"[^"]+"|[a-z_]\w*(?:\.\w+)?)(?: varying| precision| with(?:out)? time zone)?(?:\([\d,]+\))?(?:\[\])*'
)
_WORD = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")+"|\w+|\S""")


def never(_kind: str, _name: str) -> bool:
    """No code names anything."""
    return False


@dataclass(frozen=True)
class Went:
    """Where a table's rows are: the tables, the new names of old columns that are numbers and keys there, and of all of
    its columns."""

    to: tuple[str, ...]
    numbers: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)


def hanging(
    went: Mapping[str, Went], old: Catalog, new: Catalog, granted: Catalog, says: Says
) -> Iterator[ObjectVerdict]:
    """What hung on something and does not hang on what it is now, or as something else; see ``judge_objects``."""
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
    """Whether what something is now is another one for the server, so that nothing followed it."""
    return name in old.oids and not any(new.oids.get(one) == old.oids[name] for one in to)


def _made_anew(
    kind: str, name: str, was: Sequence[Hanging], home: Went, new: Catalog, tables: Mapping[str, str], granted: Catalog
) -> Iterator[ObjectVerdict]:
    there = [one for to in home.to for one in new.of(to, kind)]
    lost, changed = compared(was, there, {**tables, **home.columns})
    by_default = _by_default(name, granted) if kind == "grant" else frozenset()
    lost = [one for one in lost if one.name not in by_default]
    where = ", ".join(home.to) if home.to != (name,) else "the new one"
    yield from _told(kind, name, (home.to[0], where), len(was), lost, changed)


def _stays(
    table: str, there: str, names: Mapping[str, str], old: Catalog, new: Catalog, says: Says
) -> Iterator[ObjectVerdict]:
    """A table that the server knows as the same one."""
    for kind in STAYING:
        was = old.of(table, kind)
        lost, changed = compared(was, new.of(there, kind), names)
        # A view's definition follows what is renamed; whether it is another one can't be told from its text.
        changed = [] if kind == "view" else changed
        # Which foreign keys there are is the application's schema.
        lost = [] if kind == "constraint" else lost
        meant = all(says(kind, one.name) and one.name not in SWITCHES for one in lost)
        meant = meant and all(says(kind, one.name) and not _disabled(one) for one in changed)
        yield from _told(kind, table, (there, there), len(was), lost, changed, refused=not meant)


def _disabled(one: Hanging) -> bool:
    return one.kind in ("trigger", "constraint") and one.definition.split(" ")[-1] == "D"


def _others(went: Mapping[str, Went], old: Catalog, new: Catalog, granted: Catalog) -> Iterator[ObjectVerdict]:
    """Grants on views that were made anew, and on sequences in whose place there are others."""
    behind = {(table, column): name for name, one in new.counters.items() for table, column, _ in one.columns}
    for name in sorted(old.oids.keys() - old.tables):
        to = name
        for table, column, _ in old.counters[name].columns if name in old.counters else ():
            home = went.get(table, Went(()))
            to = behind.get((home.to[0], home.columns.get(column, column)), name) if len(home.to) == 1 else name
        # An identity's sequence is used without a grant.
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
    said += [f"{_listed(changed)} {'is' if len(changed) == 1 else 'are'} defined otherwise"] if changed else []
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
        return f"ALTER TABLE {table} SET LOGGED, since a crash empties a table that is not"
    if kind == "publication":
        return f"ALTER PUBLICATION {identifier(name)} ADD TABLE {table}"
    what = {"policy": f"CREATE POLICY {identifier(name)} ON", "trigger": f"CREATE TRIGGER {identifier(name)} … ON"}
    return f"{what.get(kind, 'make it anew on')} {table}" + (" …" if kind in what else "")


def _again(one: Hanging, table: str) -> str:
    if _disabled(one):
        return f"ALTER TABLE {table} ENABLE TRIGGER {'ALL' if one.kind == 'constraint' else identifier(one.name)}"
    return f"DROP POLICY {identifier(one.name)} ON {table}; {_fix(one.kind, one.name, table)}" * (one.kind == "policy")


def compared(
    before: Sequence[Hanging], after: Sequence[Hanging], names: Mapping[str, str]
) -> tuple[list[Hanging], list[Hanging]]:
    """What hung on a table before and has no counterpart after, and what has one by its name alone, as it is after. A
    counterpart has the same name and definition, or the same definition, each once.

    Args:
        names: what tables and columns within definitions are called after, by their old names.
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
    """Whether two definitions are the same but for what was renamed."""
    was, now = _words(one.definition), _words(two.definition)
    return len(was) == len(now) and all(a == b or names.get(a) == b for a, b in zip(was, now, strict=True))


def _words(definition: str) -> list[str]:
    """A definition's words. A cast is none: the same column as text and as varchar is written with and without one."""
    text = _CAST.sub("", definition)
    while (bare_ := re.sub(r'(?<![\w"])\((\w+)\)', r"\1", text)) != text:
        text = bare_
    return [word[1:-1] if word.startswith('"') else word for word in _WORD.findall(text)]

"""Find the tables of a salvage, their roles, and the links between them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ops.recovery.salvage.column_mapping import Pairing
from ops.recovery.salvage.live_catalog import Catalog, LiveLink, LiveTable

MAIN, RELATED, LINKED = "main", "related", "linked"
SURROGATE = ("smallint", "integer", "bigint")


@dataclass
class Part:
    """A table of a salvage.

    Args:
        number: the number in the names of its session tables.
        role: ``main``: named by the operator; ``related``: dependent rows may be salvaged, too; ``linked``: its links
            to
        salvaged rows may be restored.
        cells: maps a live column to its column in the session's table.
        values: maps a live column to the operator's value.
    """

    number: int
    role: str
    pairing: Pairing
    live: LiveTable
    cells: dict[str, str]
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def staged(self) -> str:
        """Return the session's table with the backup's rows."""
        return f"pg_temp.s{self.number}"

    @property
    def keyed(self) -> bool:
        """Return True if rows are identified by the live table's primary key."""
        return bool(self.live.key) and all(name in self.cells for name in self.live.key)

    @property
    def renumbered(self) -> str:
        """Return the key column that a sequence can renumber; empty without one."""
        if len(self.live.key) != 1 or not self.keyed:
            return ""
        key = self.live.key[0]
        fits = self.live.column(key).type in SURROGATE and self.live.sequence(key)
        return key if fits else ""


@dataclass(frozen=True)
class Edge:
    """A foreign key between two tables of a salvage. ``renamed``: its columns have other names than in the backup."""

    number: int
    child: Part
    parent: Part
    link: LiveLink
    renamed: bool


@dataclass
class Closure:
    """All parts of a salvage and the links between them."""

    parts: list[Part]
    edges: list[Edge]

    def of(self, table: str) -> Part | None:
        """Return the part of a live table; None without one."""
        return next((part for part in self.parts if part.live.name == table), None)

    @property
    def inserting(self) -> list[Part]:
        """Return the parts that may get rows, parents first if possible."""
        return _ordered([part for part in self.parts if part.role != LINKED], self.edges)


def related(
    live: Catalog, sources: Mapping[str, str], main: Sequence[str], everything: bool
) -> list[tuple[str, str, str]]:
    """Return the other tables of a salvage.

    Args:
        sources: maps a live table to the backup's table.
        main: the live tables that the operator named.
        everything: include rows of related tables: those that refer to salvaged rows, and those that these require.

    Returns:
        source, live table and role, in the order of their names.
    """
    grown = set(main)
    if everything:
        while more := _children(live, grown) - grown:
            grown |= more
        while more := {link.to for name in grown for link in live[name].links if link.to in live} - grown:
            grown |= more
    links = _children(live, grown) - grown
    roles = {name: RELATED for name in grown - set(main)} | {name: LINKED for name in links}
    return [(sources[name], name, role) for name, role in sorted(roles.items()) if name in sources]


def _children(live: Catalog, names: Iterable[str]) -> set[str]:
    wanted = set(names)
    return {
        table.name
        for table in live.values()
        if not table.partitioned and any(link.to in wanted for link in table.links)
    }


def closure(live: Catalog, pairings: Sequence[tuple[Pairing, str]], values: Mapping[str, str]) -> Closure:
    """Assign numbers to the parts and find the links between them.

    Args:
        pairings: each with its role.
        values: the operator's values for columns that the backup lacks.
    """
    parts = []
    for number, (found_pairing, role) in enumerate(pairings):
        pairing, table = _fitting(found_pairing, role), live[found_pairing.into]
        cells = {new: f"c{place}" for place, new in enumerate(pairing.columns.values())}
        given = {name: value for name, value in values.items() if name in (*pairing.needed, *pairing.extra)}
        parts.append(Part(number, role, pairing, table, cells, given))
    found = Closure(parts, [])
    for part in parts:
        for link in part.live.links:
            parent = found.of(link.to)
            if parent and _carried(part, parent, link):
                back = {new: old for old, new in part.pairing.columns.items()}
                renamed = any(back[name] != name for name in link.columns)
                found.edges.append(Edge(len(found.edges), part, parent, link, renamed))
    return found


def _fitting(pairing: Pairing, role: str) -> Pairing:
    """Return the pairing; for a table of which only links are restored, without columns that do not fit."""
    unfit = {column for column, _, _ in pairing.unfit} if role == LINKED else set()
    return replace(pairing, columns={old: new for old, new in pairing.columns.items() if new not in unfit})


def _carried(child: Part, parent: Part, link: LiveLink) -> bool:
    """Return True if the backup has both ends of a link."""
    return all(name in child.cells for name in link.columns) and all(name in parent.cells for name in link.to_columns)


def _ordered(parts: list[Part], edges: Sequence[Edge]) -> list[Part]:
    """Return the parts, parents first; a cycle is broken at any part."""
    done: list[Part] = []
    left = list(parts)
    while left:
        free = [part for part in left if not any(_waits(part, other, edges) for other in left)]
        for part in free or left[:1]:
            done.append(part)
            left.remove(part)
    return done


def _waits(part: Part, other: Part, edges: Sequence[Edge]) -> bool:
    return part is not other and any(edge.child is part and edge.parent is other for edge in edges)


def into_others(part: Part, edges: Sequence[Edge]) -> Iterator[tuple[LiveLink, Edge | None]]:
    """Yield every foreign key of a part whose columns the backup has, with its edge if the parent is a part, too."""
    for link in part.live.links:
        if all(name in part.cells for name in link.columns):
            yield link, next((edge for edge in edges if edge.child is part and edge.link is link), None)

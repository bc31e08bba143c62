"""Which tables a salvage looks at together, in which part, and the links between them. Pure."""

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
        number: names its tables of the session.
        role: ``main``: the operator named it; ``related``: rows that belong to salvaged ones may come along;
            ``linked``: its links to salvaged rows may come back.
        cells: live column to its column in the session's table.
        values: live column to the value that the operator gave for it.
    """

    number: int
    role: str
    pairing: Pairing
    live: LiveTable
    cells: dict[str, str]
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def staged(self) -> str:
        """The session's table with the backup's rows."""
        return f"pg_temp.s{self.number}"

    @property
    def keyed(self) -> bool:
        """Rows are told apart by the live table's primary key."""
        return bool(self.live.key) and all(name in self.cells for name in self.live.key)

    @property
    def renumbered(self) -> str:
        """The key column for which new values can be had; empty where there is none."""
        if len(self.live.key) != 1 or not self.keyed:
            return ""
        key = self.live.key[0]
        fits = self.live.column(key).type in SURROGATE and self.live.sequence(key)
        return key if fits else ""


@dataclass(frozen=True)
class Edge:
    """A foreign key between two tables of a salvage; ``renamed``: it has another name than in the backup."""

    number: int
    child: Part
    parent: Part
    link: LiveLink
    renamed: bool


@dataclass
class Closure:
    """All parts of a salvage and the links among them; ``apart``: tables that lead to salvaged rows, and of which the
    backup holds nothing."""

    parts: list[Part]
    edges: list[Edge]

    def of(self, table: str) -> Part | None:
        """The part of a live table."""
        return next((part for part in self.parts if part.live.name == table), None)

    @property
    def inserting(self) -> list[Part]:
        """The parts into which rows may come, parents first as far as that can be."""
        return _ordered([part for part in self.parts if part.role != LINKED], self.edges)


def related(
    live: Catalog, sources: Mapping[str, str], main: Sequence[str], everything: bool
) -> list[tuple[str, str, str]]:
    """The other tables that belong to a salvage.

    Args:
        sources: live table to the backup's table.
        main: the live tables that the operator named.
        everything: rows of related tables come along: those that lead to salvaged rows, and those that these need.

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
    """Number the parts and find the links among them.

    Args:
        pairings: each with its role.
        values: what the operator gave for columns that the backup does not have.
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
    """Of a table whose links alone come back, columns that do not fit are not looked at."""
    unfit = {column for column, _, _ in pairing.unfit} if role == LINKED else set()
    return replace(pairing, columns={old: new for old, new in pairing.columns.items() if new not in unfit})


def _carried(child: Part, parent: Part, link: LiveLink) -> bool:
    """Whether the backup has both ends of a link."""
    return all(name in child.cells for name in link.columns) and all(name in parent.cells for name in link.to_columns)


def _ordered(parts: list[Part], edges: Sequence[Edge]) -> list[Part]:
    """Parents first; a circle is broken anywhere."""
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
    """Every foreign key of a part whose columns the backup has, with the edge where the parent is a part, too."""
    for link in part.live.links:
        if all(name in part.cells for name in link.columns):
            yield link, next((edge for edge in edges if edge.child is part and edge.link is link), None)

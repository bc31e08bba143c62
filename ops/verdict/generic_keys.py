"""Follow generic links (``GenericForeignKey``): a content type and a number, without a foreign key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from ops.core.sql_names import bare, identifier, literal
from ops.verdict.fingerprint import Fingerprint, Table
from ops.verdict.match import Home, Plan
from ops.verdict.row_hash import ROW, Pair, row_hash
from ops.verdict.type_casts import Both

TYPES = "public.django_content_type"


class Known(Protocol):
    """Define the required part of a comparison (``ops.verdict.comparison.Sides``)."""

    before: Fingerprint
    after: Fingerprint
    plan: Plan | None
    homes: dict[str, list[Home]]

    def content(self, old: Table, home: Home) -> list[Both]:
        """Return the columns that identify a table's rows, as pairs of both sides."""

    def pair(self, old: Table, name: str, new: Table, to: str) -> Both:
        """Return how to read an old column and the new column that holds its values."""


def generic_pair(sides: Known, old: Table, name: str, new: Table, to: str) -> Both | None:
    """Return how to read a column of a generic link on both sides, or None if its own value is still valid."""
    meant = next((pair for pair in columns(sides, old) if name in pair), None)
    if meant is None or TYPES not in sides.before.tables or TYPES not in sides.after.tables:
        return None
    went = list(_went(sides))
    if not set(meant) <= set(new.names):
        return None
    if name == meant[0]:
        names = {before: after for before, after, _, _ in went if before != after}
        types = [side.tables[TYPES] for side in (sides.before, sides.after)]
        same = types[0].checksum == types[1].checksum and not names
        return None if same else (_label(name, names), _label(to, {}))
    # No number can reference a row of a table without a key.
    renumbered = [way for way in went if not way[3].keyed and way[2].key and way[3].new.key]
    if not renumbered:
        return None
    one = {before: _content(sides, table, home, 0, name) for before, _, table, home in renumbered}
    two = {after: _content(sides, table, home, 1, to) for _, after, table, home in renumbered}
    for before, after, table, home in renumbered:
        if own := _own(sides, home):
            # Rows that were there before are read in the same way as those that were merged with them.
            mine, theirs, now = _of_both(sides, table, home, own)
            one[before], two[after] = _row(table, mine, name), _row(home.new, now, to)
            one[model_of(sides, own.new.name, "before")] = _row(sides.before.tables[own.new.name], theirs, name)
    return _chosen(name, meant[0], one), _chosen(to, meant[0], two)


def _own(sides: Known, home: Home) -> Home | None:
    """Return the home of a table into which another table's rows were merged, if its own rows have their keys."""
    homes = sides.homes.get(home.new.name, ())
    return next((its for its in homes if len(homes) == 1 and its.keyed and its.new.name == home.new.name), None)


def _of_both(sides: Known, table: Table, home: Home, own: Home) -> tuple[list[Pair], list[Pair], list[Pair]]:
    """Return how to read the columns that a merged table and the table that received it share, and the new table."""
    there, names = sides.before.tables[own.new.name], {to: name for name, to in own.mapping.items()}
    found = []
    for name in home.identity:
        to = home.mapping[name]
        if to in names:
            mine, theirs = sides.pair(table, name, home.new, to), sides.pair(there, names[to], home.new, to)
            found += [(mine[0], theirs[0], mine[1])] if mine[1] == theirs[1] else []
    return [one for one, _, _ in found], [two for _, two, _ in found], [new for _, _, new in found]


def made_plain(sides: Known, old: Table, name: str, new: Table, to: str, leads: tuple[str, str]) -> Both | None:
    """Return how to read a generic link on one side and a foreign key on the other: as model and number.

    Return None if the two columns are not such a pair.

    Args:
        leads: the tables that the old and the new column reference by a foreign key, or empty.
    """
    kinds = [next((kind for kind, number in columns(sides, table) if number == column), "")
             for table, column in ((old, name), (new, to))]  # fmt: skip
    if (
        TYPES not in sides.before.tables
        or not any(kinds)
        or [bool(kind) for kind in kinds] != [bool(table) for table in leads][::-1]
    ):
        return None
    moved = {table.name: home for _, _, table, home in _went(sides)}
    if kinds[0]:
        went = {before: after for before, after, _, _ in _went(sides) if before != after}
        one, two = _label(kinds[0], went).sql, literal(model_of(sides, leads[1], "after"))
        source = next((table for table, home in moved.items() if home.new.name == leads[1]), "")
    else:
        home = moved.get(leads[0])
        one, two = literal(model_of(sides, home.new.name if home else leads[0], "after")), type_of(kinds[1])
        source = leads[0]
    home = moved.get(source)
    if home and not home.keyed:
        table = sides.before.tables[source]
        numbers = _content(sides, table, home, 0, name), _content(sides, table, home, 1, to)
    else:
        numbers = f"{ROW}.{identifier(name)}::text", f"{ROW}.{identifier(to)}::text"
    return Pair(name, "text", sql=f"{one} || ' ' || {numbers[0]}"), Pair(
        to, "text", sql=f"{two} || ' ' || {numbers[1]}"
    )


def columns(sides: Known, table: Table) -> Iterator[tuple[str, str]]:
    """Yield the columns of a table's generic links: the content type and the number."""
    told = {(t, a): b for t, a, b in sides.plan.generic} if sides.plan else {}
    for column, (to, _) in table.links.items():
        if to == TYPES:
            stem = column.removesuffix("content_type_id")
            guess = next((name for name in (f"{stem}object_id", f"{stem}object_pk") if name in table.names), "")
            number = told.get((bare(table.name), column), guess)
            if number in table.names:
                yield column, number


def _went(sides: Known) -> Iterator[tuple[str, str, Table, Home]]:
    """Yield the old tables whose rows moved or have other keys or another model, with the labels of their models."""
    known = set(sides.plan.models_before.values()) if sides.plan else set()
    for name, homes in sides.homes.items():
        if known and bare(name) not in known:
            # A many-to-many table has no model, so no content type.
            continue
        if len(homes) == 1 and (homes[0].new.name != name or not homes[0].keyed or _relabelled(sides, name)):
            home = homes[0]
            was, now = model_of(sides, name, "before"), model_of(sides, home.new.name, "after")
            yield was, now, sides.before.tables[name], home


def model_of(sides: Known, table: str, side: str) -> str:
    """Return the label of a table's model from the application, or else by Django's default table names."""
    known = (sides.plan.models_before if side == "before" else sides.plan.models_after) if sides.plan else {}
    told = next((label for label, its in known.items() if its == bare(table)), "")
    return told or bare(table).replace("_", ".", 1)


def _relabelled(sides: Known, table: str) -> bool:
    """Return True if a table now belongs to another model: in another app, or by ``db_table``."""
    was, now = ({its: label for label, its in known.items()} for known in _models(sides))
    return bare(table) in was.keys() & now.keys() and was[bare(table)] != now[bare(table)]


def _models(sides: Known) -> tuple[Mapping[str, str], Mapping[str, str]]:
    return (sides.plan.models_before, sides.plan.models_after) if sides.plan else ({}, {})


def type_of(column: str) -> str:
    """Return SQL for the label of a content type's number."""
    return f"(SELECT t.app_label || '.' || t.model FROM {TYPES} t WHERE t.id = {ROW}.{identifier(column)})"


def _label(column: str, names: dict[str, str]) -> Pair:
    label = type_of(column)
    if names:
        whens = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in sorted(names.items()))
        label = f"CASE {label} {whens} ELSE {label} END"
    return Pair(column, "text", sql=label)


def _content(sides: Known, table: Table, home: Home, side: int, column: str) -> str:
    """Return SQL for the content of the row that a number references."""
    pairs = [pair[side] for pair in sides.content(table, home)]
    return _row(table if side == 0 else home.new, pairs, column)


def _row(table: Table, pairs: Sequence[Pair], column: str) -> str:
    """Return SQL for some columns of the row that a number references."""
    hashed = row_hash(pairs, "g") if pairs else "0"
    there = f"g.{identifier(table.key[0])}::text = {ROW}.{identifier(column)}::text"
    return f"(SELECT 'row ' || {hashed} FROM ONLY {table.name} g WHERE {there})"


def _chosen(column: str, kind: str, contents: dict[str, str]) -> Pair:
    whens = " ".join(f"WHEN {literal(label)} THEN {sql}" for label, sql in sorted(contents.items()))
    return Pair(column, "text", sql=f"CASE {type_of(kind)} {whens} ELSE {ROW}.{identifier(column)}::text END")

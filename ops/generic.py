"""Links by content type and number (``GenericForeignKey``), which no foreign key tells, followed to what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ops.fingerprint import Fingerprint, Table
from ops.homes import Home, Plan, bare
from ops.reading import Both
from ops.rows import ROW, Pair, identifier, literal, row_hash

TYPES = "public.django_content_type"


class Known(Protocol):
    """What has to be known of a comparison (``ops.sides.Sides``)."""

    before: Fingerprint
    after: Fingerprint
    plan: Plan | None
    homes: dict[str, list[Home]]

    def content(self, old: Table, home: Home) -> list[Both]:
        """What tells a table's rows apart, as pairs of both sides."""


def generic_pair(sides: Known, old: Table, name: str, new: Table, to: str) -> Both | None:
    """How one of the two columns is read on both sides; None where it is none, or its own value still says it."""
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
    renumbered = [(before, after, table, home) for before, after, table, home in went if not home.keyed]
    if not renumbered:
        return None
    one = {before: _content(sides, table, home, 0, name) for before, _, table, home in renumbered}
    two = {after: _content(sides, table, home, 1, to) for _, after, table, home in renumbered}
    return _chosen(name, meant[0], one), _chosen(to, meant[0], two)


def columns(sides: Known, table: Table) -> Iterator[tuple[str, str]]:
    """The columns of a table that hold a content type, each with the one that holds the number."""
    told = {(t, a): b for t, a, b in sides.plan.generic} if sides.plan else {}
    for column, (to, _) in table.links.items():
        if to == TYPES:
            stem = column.removesuffix("content_type_id")
            guess = next((name for name in (f"{stem}object_id", f"{stem}object_pk") if name in table.names), "")
            number = told.get((bare(table.name), column), guess)
            if number in table.names:
                yield column, number


def _went(sides: Known) -> Iterator[tuple[str, str, Table, Home]]:
    """Old tables whose rows are elsewhere or have other keys, by the labels of their models."""
    for name, homes in sides.homes.items():
        if len(homes) == 1 and (homes[0].new.name != name or not homes[0].keyed):
            home = homes[0]
            yield _model(sides, name, "before"), _model(sides, home.new.name, "after"), sides.before.tables[name], home


def _model(sides: Known, table: str, side: str) -> str:
    """The label of a table's model, as the application says; else as Django calls tables where nobody does."""
    known = (sides.plan.models_before if side == "before" else sides.plan.models_after) if sides.plan else {}
    told = next((label for label, its in known.items() if its == bare(table)), "")
    return told or bare(table).replace("_", ".", 1)


def _type_of(column: str) -> str:
    return f"(SELECT t.app_label || '.' || t.model FROM {TYPES} t WHERE t.id = {ROW}.{identifier(column)})"


def _label(column: str, names: dict[str, str]) -> Pair:
    label = _type_of(column)
    if names:
        whens = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in sorted(names.items()))
        label = f"CASE {label} {whens} ELSE {label} END"
    return Pair(column, "text", sql=label)


def _content(sides: Known, table: Table, home: Home, side: int, column: str) -> str:
    """The SQL of what the row holds that a number leads to."""
    pairs = [pair[side] for pair in sides.content(table, home)]
    name, key = (table.name, table.key[0]) if side == 0 else (home.new.name, home.new.key[0])
    hashed = row_hash(pairs, "g") if pairs else "0"
    there = f"g.{identifier(key)}::text = {ROW}.{identifier(column)}::text"
    return f"(SELECT 'row ' || {hashed} FROM ONLY {name} g WHERE {there})"


def _chosen(column: str, kind: str, contents: dict[str, str]) -> Pair:
    whens = " ".join(f"WHEN {literal(label)} THEN {sql}" for label, sql in sorted(contents.items()))
    return Pair(column, "text", sql=f"CASE {_type_of(kind)} {whens} ELSE {ROW}.{identifier(column)}::text END")

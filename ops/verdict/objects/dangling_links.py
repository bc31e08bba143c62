"""Find links without a constraint that reference lost rows: their value is unchanged, but the row is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from ops.core.sql_names import bare, identifier, split_names
from ops.verdict.fingerprint import Fingerprint
from ops.verdict.match import Plan
from ops.verdict.model import ColumnVerdict, TableVerdict, Verdict
from ops.verdict.objects.content_types import Types

BATCH = 5_000


@dataclass(frozen=True)
class Loose:
    """Hold a link after the migrations.

    ``table``, ``column``: the link. ``to``, ``key``: what it references now; empty for nothing. ``was``, ``old_key``:
    what it referenced before. ``where``: SQL for the content type of a generic link.
    """

    table: str
    column: str
    to: str
    key: str
    was: str
    old_key: str
    where: str = ""


def dangling(
    verdict: Verdict,
    prints: tuple[Fingerprint, Fingerprint],
    connections: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
    plan: Plan,
    types: Types,
) -> None:
    """Count the links that reference lost rows, and add them to the verdict on their columns.

    Args:
        verdict: the verdict on every table, which is updated.
        prints: fingerprints of the clone before and after.
        connections: the clone before the migrations, and the migrated clone.
        plan: the application's plan.
        types: the content types after the migrations.
    """
    lost = {table.table: table for table in verdict.tables if table.lost}
    homes = {to: table for table in verdict.tables for to in split_names(table.to or table.table) if table.mapping}
    for link in _links(lost, prints, plan, types):
        owner = homes.get(link.table)
        count = _count(link, connections) if owner else 0
        if owner and count:
            _say(owner, link, count)


def _links(
    lost: dict[str, TableVerdict], prints: tuple[Fingerprint, Fingerprint], plan: Plan, types: Types
) -> Iterator[Loose]:
    before, after = prints
    named = {bare(name): name for name in reversed(sorted(after.tables))}
    came = {to: name for name, table in lost.items() for to in split_names(table.to or table.table)}
    for table, column, to, key, constraint in plan.links_after:
        was = came.get(named.get(to, ""), "")
        if not constraint and was and table in named and before.tables[was].key:
            yield Loose(named[table], column, named[to], key, was, before.tables[was].key[0])
    models = {name: label for label, name in plan.models_before.items()}
    for table, kind, column in plan.generic:
        for was in sorted(lost if table in named else ()):
            label = models.get(bare(was), "")
            numbers = [number for number, name in types.labels.items() if label and name == label]
            to = named.get(plan.models_after.get(label, ""), "")
            key = after.tables[to].key[0] if to and after.tables[to].key else ""
            if numbers and before.tables[was].key:
                where = f"x.{identifier(kind)} = {numbers[0]}"
                yield Loose(named[table], column, to, key, was, before.tables[was].key[0], where)


def _count(link: Loose, connections: tuple[psycopg.Connection[Any], psycopg.Connection[Any]]) -> int:
    """Return how many rows reference no row now, but referenced a row before."""
    value = f"x.{identifier(link.column)}::text"
    there = (
        f"SELECT FROM {link.to} y WHERE y.{identifier(link.key)}::text = {value}" if link.to else "SELECT WHERE false"
    )
    where = f"{value} IS NOT NULL AND NOT EXISTS ({there})" + (f" AND {link.where}" if link.where else "")
    query = f"SELECT {value}, count(*) FROM ONLY {link.table} x WHERE {where} GROUP BY 1"
    key = f"y.{identifier(link.old_key)}::text"
    old = f"SELECT {key} FROM {link.was} y WHERE {key} = ANY (%s)"
    found = 0
    with connections[1].transaction(), connections[1].cursor("dangling") as cursor:
        cursor.execute(query.encode())
        while rows := cursor.fetchmany(BATCH):
            existed = {name for (name,) in connections[0].execute(old.encode(), [[name for name, _ in rows]])}
            found += sum(count for name, count in rows if name in existed)
    return found


def _say(owner: TableVerdict, link: Loose, count: int) -> None:
    name = next((old for old, new in owner.mapping.items() if new == link.column), link.column)
    column = next((one for one in owner.columns if one.column == name), None)
    if column is None:
        column = ColumnVerdict(name, "lost")
        owner.columns.append(column)
    # Do not count values again that the comparison has counted.
    if not column.lost and not column.changed:
        column.verdict, column.lost, column.dangling = "lost", count, True
        column.note = f"reference lost rows of {link.was}"
        owner.verdict = "lost"

"""Check content types of models that were moved to another app or renamed.

Permissions and links that reference such a content type must still find a model. Production's rows decide which model a
type meant before the release. The old migrations in the new release do not, because they may have been edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from ops.core.sql_names import bare, identifier, literal, split_names
from ops.core.text import counted
from ops.verdict.fingerprint import Fingerprint
from ops.verdict.match import Plan
from ops.verdict.model import ObjectVerdict, Verdict

TYPES, PERMISSIONS = "django_content_type", "auth_permission"
VERBS = ("add", "change", "delete", "view")


@dataclass(frozen=True)
class Types:
    """Hold the content types of one side: label by number, and the names of the two tables, or empty."""

    labels: Mapping[int, str]
    table: str = ""
    permissions: str = ""

    @classmethod
    def read(cls, connection: psycopg.Connection[Any], side: Fingerprint) -> Types:
        """Read the content types of a database."""
        named = {bare(name): name for name in reversed(sorted(side.tables))}
        if TYPES not in named:
            return cls({})
        rows = connection.execute(f"SELECT id, app_label || '.' || model FROM {named[TYPES]}".encode())
        return cls({int(number): str(label) for number, label in rows}, named[TYPES], named.get(PERMISSIONS, ""))


def models_of(plan: Plan, types: Types, before: Fingerprint) -> dict[str, str]:
    """Return the models before the release by production's content types: label to table.

    Args:
        plan: the plan of the new release's code.
        types: the content types of the clone before the migrations.
        before: fingerprint of the clone before the migrations.
    """
    known = set(types.labels.values())
    models = {label: table for label, table in plan.models_before.items() if label in known or not known}
    named = set(models.values())
    for table in map(bare, before.tables):
        # Django's default table name is app_model; a name with several underscores can be split in several ways.
        guesses = [f"{table[:at]}.{table[at + 1 :]}" for at, sign in enumerate(table) if sign == "_"]
        found = [label for label in guesses if label in known and label not in models]
        if table not in named and len(found) == 1:
            models[found[0]] = table
            named.add(table)
    for label, table in plan.models_before.items():
        # Edited old migrations have the model in its new app; production's row has the old app.
        name = label.split(".", 1)[1]
        found = sorted(one for one in known - models.keys() - plan.models_after.keys() if one.split(".", 1)[1] == name)
        if table not in named and len(found) == 1:
            models[found[0]] = table
            named.add(table)
    told = {label: table for label, table in plan.models_before.items() if table not in named}
    return {**told, **models}


def unlabelled(
    verdict: Verdict, plan: Plan, old: Types, new: Types, after: Fingerprint, connection: psycopg.Connection[Any]
) -> Iterator[ObjectVerdict]:
    """Yield content types of renamed models that rows still reference.

    Args:
        verdict: the verdict on every table.
        plan: the application's plan, with ``models_before`` from ``models_of``.
        old: content types before the migrations; ``new``: after the migrations.
        after: fingerprint of the migrated clone, the database of ``connection``.
    """
    called = {table: label for label, table in plan.models_after.items()}
    went = {bare(table.table): split_names(table.to or table.table) for table in verdict.tables if table.mapping}
    for number, label in sorted(old.labels.items()):
        to = went.get(plan.models_before.get(label, ""), ())
        now = called.get(bare(to[0]), "") if len(to) == 1 else ""
        if not now or now == label or new.labels.get(number) != label or label in plan.models_after:
            continue
        users = [(what, count) for what, count in _users(number, new, after, connection) if count]
        if not users:
            continue
        (app, model), (new_app, new_model) = label.split(".", 1), now.split(".", 1)
        listed = _listed(users)
        yield ObjectVerdict(
            f"content type {label}",
            "lost",
            lost=sum(count for _, count in users),
            note=f"the model is now {now}, but {listed} still reference the old content type",
            fix=f"UPDATE {TYPES} SET app_label = {literal(new_app)}, model = {literal(new_model)} "
            f"WHERE app_label = {literal(app)} AND model = {literal(model)}",
        )


def misnamed(old: Types, new: Types, after: Fingerprint, connection: psycopg.Connection[Any]) -> Iterator[str]:
    """Yield a sentence for each renamed content type whose granted permissions still have the old model's name.

    Up to Django 5.2, RenameModel does not rename the permissions. It adds new permissions, which nobody has.

    Args:
        old: content types before the migrations; ``new``: after the migrations.
        after: fingerprint of the migrated clone, the database of ``connection``.
    """
    for number, label in sorted(old.labels.items()):
        (_, model), (app, now) = label.split(".", 1), new.labels.get(number, label).split(".", 1)
        if now == model or not new.permissions:
            continue
        names = ", ".join(literal(f"{verb}_{model}") for verb in VERBS)
        through = f"SELECT p.id FROM {new.permissions} p WHERE p.content_type_id = {number} AND p.codename IN ({names})"
        links = [
            (t, c)
            for t, table in sorted(after.tables.items())
            for c, (to, _) in sorted(table.links.items())
            if to == new.permissions
        ]
        counts = [(t, _count(connection, t, f"x.{identifier(c)} IN ({through})")) for t, c in links]
        if listed := _listed(counts):
            fix = (
                f"UPDATE {PERMISSIONS} SET codename = replace(codename, {literal(f'_{model}')}, {literal(f'_{now}')}) "
                f"WHERE content_type_id = (SELECT id FROM {TYPES} WHERE app_label = {literal(app)} "
                f"AND model = {literal(now)})"
            )
            yield (
                f"content type {label} is now {app}.{now}, but {listed} reference permissions that are still named "
                f"…_{model}, so their holders lack …_{now}; add to the migration, after the rename: {fix}"
            )


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{counted(count, 'row')} of {what}" for what, count in counts if count)


def _count(connection: psycopg.Connection[Any], table: str, where: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM ONLY {table} x WHERE {where}".encode()).fetchone()
    return int(row[0]) if row else 0


def _users(
    number: int, types: Types, after: Fingerprint, connection: psycopg.Connection[Any]
) -> Iterator[tuple[str, int]]:
    """Yield the tables whose rows reference a content type, directly or by a permission, with their number."""
    through = f"SELECT p.id FROM {types.permissions} p WHERE p.content_type_id = {number}"
    for name, table in sorted(after.tables.items()):
        for column, (to, _) in sorted(table.links.items()):
            if to == types.table and name != types.permissions:
                where = f"x.{identifier(column)} = {number}"
            elif to == types.permissions and to:
                where = f"x.{identifier(column)} IN ({through})"
            else:
                continue
            yield name, _count(connection, name, where)

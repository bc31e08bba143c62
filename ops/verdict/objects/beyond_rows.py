"""Add objects other than rows to a verdict, by querying the clone before and after, and production."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from ops.core.sql_names import bare
from ops.verdict.fingerprint import Fingerprint
from ops.verdict.match import Plan
from ops.verdict.model import ObjectVerdict, Verdict
from ops.verdict.objects.content_types import Types, misnamed, unlabelled
from ops.verdict.objects.dangling_links import dangling
from ops.verdict.objects.database_objects import Catalog, large_objects, lost_objects
from ops.verdict.objects.embedded_keys import encoded_twice, numbers_held
from ops.verdict.objects.object_verdict import homes, judge_objects

FUNCTIONS = """SELECT p.oid::regprocedure::text, p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND p.prosrc IS NOT NULL
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY 1"""


@dataclass(frozen=True)
class Connections:
    """Hold read-only connections to the clone before the migrations, the migrated clone, and production."""

    before: psycopg.Connection[Any]
    after: psycopg.Connection[Any]
    production: psycopg.Connection[Any]


def complete(verdict: Verdict, before: Fingerprint, after: Fingerprint, sides: Connections, plan: Plan) -> None:
    """Add objects other than rows to a verdict.

    Args:
        before: fingerprint of the clone before the migrations; ``after``: of the migrated clone.
        plan: the application's plan, with ``models_before`` from ``content_types.models_of``.
    """
    sides.production.execute("SET default_transaction_read_only = on")
    sides.production.execute("SET search_path = pg_catalog")
    granted = Catalog.read(sides.production, counting=False)
    old, new = Catalog.read(sides.before), Catalog.read(sides.after)
    verdict.objects = judge_objects(homes(verdict, after), old, new, granted, partial(_says, plan))
    if before.large_objects != after.large_objects:
        verdict.objects += _large_objects(sides)
    prints, was, types = (before, after), Types.read(sides.before, before), Types.read(sides.after, after)
    verdict.objects += unlabelled(verdict, plan, was, types, after, sides.after)
    dangling(verdict, prints, (sides.before, sides.after), plan, types)
    encoded_twice(verdict, prints, sides.before, sides.after)
    verdict.remarks += misnamed(was, types, after, sides.after)
    verdict.remarks += _functions(verdict, after, sides.after)
    verdict.remarks += numbers_held(verdict, before, sides.before)
    verdict.remarks += [one.sentence for one in verdict.objects if not one.against]


def _says(plan: Plan, kind: str, name: str) -> bool:
    """Return True if the migrations' code names a policy or trigger, not only a column of that name.

    An operation of a library may change a policy or trigger without naming it, so it counts, too.
    """
    named = re.compile(rf"\b{kind}\b[^;]*?(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
    return any(named.search(one.code) or one.kind not in ("RunPython", "RunSQL") for one in plan.opaque)


def _functions(verdict: Verdict, after: Fingerprint, connection: psycopg.Connection[Any]) -> Iterator[str]:
    """Yield a sentence for each function that uses the old name of a table, so that its next call may fail."""
    there = {bare(name) for name in after.tables}
    gone = {bare(one.table): one.to for one in verdict.tables if one.to and bare(one.table) not in there}
    for function, text in connection.execute(FUNCTIONS.encode()) if gone else ():
        words = set(re.findall(r"\w+", text))
        if said := [f"{name}, whose rows are now in {to}" for name, to in sorted(gone.items()) if name in words]:
            yield f"function {function} uses {', '.join(said)}: its next call may fail; CREATE OR REPLACE FUNCTION"


def _large_objects(sides: Connections) -> list[ObjectVerdict]:
    count, lost, changed = lost_objects(large_objects(sides.before), large_objects(sides.after))
    if not lost and not changed:
        return []
    word = "lost" if lost else "changed"
    return [ObjectVerdict("large objects", word, before=count, lost=lost, changed=changed)]

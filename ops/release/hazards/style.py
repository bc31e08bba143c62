"""Define the rules for how a migration is written: its reverse, transaction and loops."""

from __future__ import annotations

from collections.abc import Iterator

from ops.release.hazards.rule import Found, Place, rule

# With fewer rows, users do not notice a loop over all rows.
MANY = 100_000

CONCURRENT = {"AddIndexConcurrently", "RemoveIndexConcurrently"}


@rule(
    "GP401",
    "note",
    what="{words} cannot be reversed",
    why="""`migrate` to an earlier migration fails at this operation. `inv rollback` does not need it: it restores the
    release's backup.""",
    how="{how}",
)
def irreversible(place: Place) -> Iterator[Found]:
    """Find operations that cannot be reversed."""
    operation = place.operation
    if operation.reversible:
        return
    how = {
        "RunPython": "    migrations.RunPython(forwards, backwards),\n"
        "or migrations.RunPython.noop as the second argument if nothing must be reversed.",
        "RunSQL": "    migrations.RunSQL(sql, reverse_sql=…),\n"
        "or reverse_sql=migrations.RunSQL.noop if nothing must be reversed.",
    }
    yield Found({"how": how.get(operation.acts_as, "Define database_backwards in the operation.")})


@rule(
    "GP402",
    "note",
    what="the migration is not atomic, and has {count} operations",
    why="""If an operation fails, the earlier ones are kept but the migration is not recorded. The next `migrate` starts
    with the first operation again and fails.""",
    how="Remove atomic = False. Or move the operation that needs it (an index built concurrently, a copy in batches) "
    "to a separate migration.",
)
def not_atomic(place: Place) -> Iterator[Found]:
    """Find migrations without a transaction that have several operations."""
    operation = place.operation
    first = not place.earlier or place.earlier[-1].migration != operation.migration
    if operation.atomic or not first:
        return
    whole = [one for one in (operation, *place.later) if one.migration == operation.migration and not one.state_only]
    if len(whole) > 1 and not {one.kind for one in whole} <= CONCURRENT:
        yield Found({"count": len(whole)})


@rule(
    "GP403",
    "lock",
    what="{words} loops over {model} row by row: {rows:,} rows{memory}",
    why="""Each row takes a round trip, and the transaction holds all its locks until the last row: users wait.""",
    how="""Use one statement instead:
    {model_name}.objects.update(…)                                    # each row from its own values: F()
    migrations.RunSQL("INSERT INTO … SELECT … FROM {table}", …),      # a copy
Or use batches: {model_name}.objects.iterator(chunk_size=2000) and bulk_create, in a migration with atomic = False.""",
)
def loops(place: Place) -> Iterator[Found]:
    """Find loops over all objects of a model, such as `for lesson in Lesson.objects.all()`."""
    seen = set()
    for loop in place.operation.loops:
        table = place.names.table(loop.table)
        rows = place.production.rows(table) if table else 0
        if rows >= MANY and table not in seen:
            seen.add(table)
            memory = ", all of them in memory" if loop.memory else ""
            values = {"model": loop.model, "model_name": loop.model.split(".")[-1], "memory": memory}
            yield Found(values, rows, table)

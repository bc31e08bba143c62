"""Rules about how a migration is written: its way back, its transaction, its loops."""

from __future__ import annotations

from collections.abc import Iterator

from ops.release.hazards.rule import Found, Place, rule

# From how many rows on a loop over all of them is felt.
MANY = 100_000

CONCURRENT = {"AddIndexConcurrently", "RemoveIndexConcurrently"}


@rule(
    "GP401",
    "note",
    what="{words} can't be reversed",
    why="""`migrate` to an earlier migration stops there. The way back of a release is its backup all the same:
    `inv rollback` brings the data of the moment before.""",
    how="{how}",
)
def irreversible(place: Place) -> Iterator[Found]:
    """RunPython or RunSQL without a way back."""
    operation = place.operation
    if operation.reversible:
        return
    how = {
        "RunPython": "    migrations.RunPython(forwards, backwards),\n"
        "or migrations.RunPython.noop as its second word, where nothing has to be taken back.",
        "RunSQL": "    migrations.RunSQL(sql, reverse_sql=…),\n"
        "or reverse_sql=migrations.RunSQL.noop, where nothing has to be taken back.",
    }
    yield Found({"how": how.get(operation.acts_as, "Give the operation a database_backwards.")})


@rule(
    "GP402",
    "note",
    what="the migration is not atomic, and has {count} operations",
    why="""If one of them fails, those before it stay done, and the migration is not recorded: `migrate` begins again
    with the first and fails on what is there.""",
    how="Take atomic = False away; or give what needs it (an index built concurrently, a copy in batches) a migration "
    "of its own with one operation.",
)
def not_atomic(place: Place) -> Iterator[Found]:
    """A migration that can stop half-way."""
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
    what="{words} goes through {model} row by row: {rows:,} rows{memory}",
    why="""Each row is a round trip, in one transaction that keeps every lock it has taken until the last row is done:
    users wait meanwhile.""",
    how="""One statement does the same, in seconds:
    {model_name}.objects.update(…)                                    # each row from its own values: F()
    migrations.RunSQL("INSERT INTO … SELECT … FROM {table}", …),      # a copy
or batches with {model_name}.objects.iterator(chunk_size=2000) and bulk_create, in a migration with atomic = False.""",
)
def loops(place: Place) -> Iterator[Found]:
    """`for lesson in Lesson.objects.all()`."""
    seen = set()
    for loop in place.operation.loops:
        table = place.names.table(loop.table)
        rows = place.production.rows(table) if table else 0
        if rows >= MANY and table not in seen:
            seen.add(table)
            memory = ", all of them in memory" if loop.memory else ""
            values = {"model": loop.model, "model_name": loop.model.split(".")[-1], "memory": memory}
            yield Found(values, rows, table)

"""Define the rules for migrations that production's rows make fail."""

from __future__ import annotations

from collections.abc import Iterator

from ops.application.operations import Operation, Together
from ops.release.hazards.data_loss import run_sql, sql_name
from ops.release.hazards.row_counts import quoted
from ops.release.hazards.rule import Found, Place, rule


def _keys(keys: list[str]) -> str:
    return f" (for example {', '.join(keys)})" if keys else ""


def _unless(place: Place) -> tuple[Operation, ...]:
    return tuple(place.changers())


@rule(
    "GP201",
    "stop",
    what="{words}: NOT NULL without a default, and {table} has {rows:,} rows",
    why="The existing rows have no value for the new column, so the migration fails with IntegrityError.",
    how="""Use three operations to give each row its own value:
    migrations.AddField("{model}", "{field}", …, null=True),
    migrations.RunPython(fill, migrations.RunPython.noop),
    migrations.AlterField("{model}", "{field}", …),
Or give all rows the same value: AddField(…, default=…, preserve_default=False).""",
)
def not_null_without_default(place: Place) -> Iterator[Found]:
    """Find a new NOT NULL column without a default in a table that has rows."""
    operation, field = place.operation, place.operation.after
    if operation.acts_as != "AddField" or field is None or field.many or field.null or field.fills:
        return
    if operation.new_column and place.rows:
        values = {"model": operation.model_name, "field": operation.field}
        yield Found(values, place.rows, place.table, operation.new_column, _unless(place))


@rule(
    "GP202",
    "stop",
    what="{words}: NOT NULL, and {rows:,} rows have no value in this column",
    why="PostgreSQL checks every row, so the migration fails with IntegrityError.",
    how="Set the missing values before this operation:\n{fill}\n"
    "Or give the AlterField a default: Django sets the missing values to the default.",
)
def not_null_on_nulls(place: Place) -> Iterator[Found]:
    """Find a column that becomes NOT NULL while rows hold NULL in the column."""
    operation, before, after = place.operation, place.operation.before, place.operation.after
    if operation.acts_as != "AlterField" or before is None or after is None or before.many or after.many:
        return
    if not before.null or after.null or after.default or after.db_default or not place.table:
        return
    column = place.column(operation.column)
    rows = place.production.count(place.table, f"{quoted(column)} IS NULL") if column else _never_filled(place)
    if rows:
        name, table = sql_name(operation.column), sql_name(operation.table)
        fill = run_sql(f"UPDATE {table} SET {name} = … WHERE {name} IS NULL")
        unless = _unless(place) if column else ()
        yield Found({"fill": fill}, rows, place.table, column or operation.column, unless)


def _never_filled(place: Place) -> int:
    """Count the rows without a value in a column that this plan adds without a default and no code fills."""
    for earlier in reversed(place.earlier):
        if earlier.opaque:
            return 0
        here = (earlier.new_table, earlier.new_column) == (place.operation.table, place.operation.column)
        if earlier.acts_as == "AddField" and here:
            return 0 if earlier.after is None or earlier.after.fills else place.rows
    return 0


@rule(
    "GP203",
    "stop",
    what="{words}: {columns} must be unique, and {rows:,} rows share their values{keys}",
    why="PostgreSQL builds a unique index over all rows, so the migration fails with IntegrityError.",
    how="{how}",
)
def unique_on_duplicates(place: Place) -> Iterator[Found]:
    """Find columns that become unique while rows share their values."""
    yield from _added_unique(place)
    for together in _unique_sets(place.operation):
        columns = [place.column(name) for name in together.columns]
        if not place.table or not all(columns):
            continue
        rows, keys = place.production.twins(place.table, columns, together.where, together.nulls)
        if rows:
            names = ", ".join(together.columns)
            look = f"SELECT {names}, count(*) FROM {sql_name(place.table)} GROUP BY {names} HAVING count(*) > 1"
            values = {
                "columns": names,
                "keys": _keys(keys),
                "how": f"Change the duplicate values first. To list the duplicate values:\n    {look};",
            }
            yield Found(values, rows, place.table, columns[0] if len(columns) == 1 else "", _unless(place))


def _unique_sets(operation: Operation) -> tuple[Together, ...]:
    before, after = operation.before, operation.after
    turns = operation.acts_as == "AlterField" and before and after and not before.unique and after.unique
    return operation.unique + ((Together(columns=(operation.column,)),) if turns and operation.column else ())


def _added_unique(place: Place) -> Iterator[Found]:
    """Find a new unique column whose default Django evaluates once for all rows, even if the default is a function."""
    operation, field = place.operation, place.operation.after
    if operation.acts_as != "AddField" or field is None or field.many or field.primary_key or not field.unique:
        return
    if not field.fills or field.db_default or field.generated or place.rows < 2 or (field.null and not field.default):
        return
    how = (
        "Django evaluates a default once for all rows, even a function such as uuid.uuid4. Use three operations:\n"
        f'    migrations.AddField("{operation.model_name}", "{operation.field}", …, null=True),\n'
        "    migrations.RunPython(give_each_row_its_own, migrations.RunPython.noop),\n"
        f'    migrations.AlterField("{operation.model_name}", "{operation.field}", …, unique=True),'
    )
    values = {"columns": operation.new_column, "keys": "", "how": how}
    yield Found(values, place.rows, place.table, operation.new_column, _unless(place))


@rule(
    "GP204",
    "stop",
    what="{words}: {rows:,} rows violate {constraint}{keys}",
    why="PostgreSQL checks every row when it adds the constraint, so the migration fails with IntegrityError.",
    how="Correct these rows first. To list the rows:\n    {look};",
)
def check_on_violations(place: Place) -> Iterator[Found]:
    """Find rows that violate a new check constraint."""
    operation = place.operation
    if operation.acts_as != "AddConstraint" or not operation.check or not place.table:
        return
    where = f"NOT ({operation.check})"
    if rows := place.production.count(place.table, where):
        look = f"SELECT * FROM {sql_name(place.table)} WHERE {where}"
        values = {
            "constraint": operation.constraint,
            "keys": _keys(place.production.keys(place.table, where)),
            "look": look,
        }
        yield Found(values, rows, place.table, "", _unless(place))


@rule(
    "GP206",
    "stop",
    what="{words}: {rows:,} values reference no row of {remote}{keys}",
    why="PostgreSQL checks the foreign key on every row, so the migration fails with IntegrityError.",
    how="{how}",
)
def orphans(place: Place) -> Iterator[Found]:
    """Find a foreign key that gets a constraint or another table while values reference no row."""
    operation, before, after = place.operation, place.operation.before, place.operation.after
    column = place.column(operation.column)
    if operation.acts_as != "AlterField" or not before or not after or not after.remote or not column or after.many:
        return
    if not after.constraint or (before.remote == after.remote and before.constraint):
        return
    remote = place.names.table(after.remote)
    if not remote:
        # The plan creates the table, so the table is empty unless earlier code fills the table.
        where = f"{quoted(column)} IS NOT NULL" if not any(one.opaque for one in place.earlier) else "false"
    else:
        key = quoted(place.names.column(after.remote, after.remote_column) or after.remote_column)
        there = f"SELECT FROM {quoted(remote)} r WHERE r.{key} = x.{quoted(column)}"
        where = f"{quoted(column)} IS NOT NULL AND NOT EXISTS ({there})"
    if rows := place.production.count(place.table, where):
        values = {"remote": after.remote, "keys": _keys(place.production.keys(place.table, where))}
        values["how"] = (
            "Copy the referenced rows with their keys first, or set the links to NULL:\n"
            + run_sql(f"INSERT INTO {sql_name(after.remote)} (…) SELECT … FROM {sql_name(before.remote or '…')}")
        )
        yield Found(values, rows, place.table, column, _unless(place))


@rule(
    "GP207",
    "stop",
    what="{words}: Django cannot alter a field to or from ManyToManyField, or change its `through` model",
    why="The migration fails with ValueError before it changes anything.",
    how="""Add the new relation, copy the links, then remove the old relation:
    migrations.AddField("{model}", "{field}_new", models.ManyToManyField(…)),
    migrations.RunPython(copy_links, migrations.RunPython.noop),
    migrations.RemoveField("{model}", "{field}"),
    migrations.RenameField("{model}", "{field}_new", "{field}"),""",
)
def many_to_many_altered(place: Place) -> Iterator[Found]:
    """Find a change of a many-to-many relation that Django refuses."""
    operation, before, after = place.operation, place.operation.before, place.operation.after
    if operation.acts_as != "AlterField" or operation.state_only or before is None or after is None:
        return
    # Django silently does nothing where one custom `through` model replaces another.
    other_through = before.many and after.many and before.auto != after.auto
    if before.many != after.many or other_through:
        yield Found({"model": operation.model_name, "field": operation.field}, None, place.table)

"""Define the rules for migrations that drop tables and columns with their data."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from ops.application.operations import Field, Operation
from ops.core.text import counted
from ops.release.hazards.rule import Found, Place, rule
from ops.release.measuring.corrections import scaffold

DECLARE = (
    "If the data may be lost, declare the loss in migrations.expect.yaml beside manage.py: what, how many at most, and "
    "why."
)

WHY_DELETE = """The migration drops the table with all its rows, and no error is reported. `makemigrations --noinput`
writes this where a model was renamed: it cannot ask, so it creates one table and deletes the other."""

WHY_REMOVE = """The migration drops the column with all its values, and no error is reported. `makemigrations --noinput`
also writes this where a field was renamed."""

PROVED = """This check cannot see whether the earlier operation copies everything. The rehearsal proves that on a copy
of production, row by row, before production is changed."""


@rule(
    "GP101",
    "loss",
    what="{words} drops {rows:,} rows{links}; no earlier operation reads them{others}",
    why=WHY_DELETE,
    how="{how}\n" + DECLARE,
)
def delete_without_copy(place: Place) -> Iterator[Found]:
    """Find a deleted model whose rows no earlier operation reads."""
    for found in _deleted(place):
        if not _readers(place):
            yield found


@rule(
    "GP102",
    "note",
    what="{words} drops {rows:,} rows{links}; {reader} reads them first",
    why=PROVED,
    how="Nothing to correct. Keep the deletion last, in a separate migration, after a check that fails while a row "
    "is not copied.",
)
def delete_after_copy(place: Place) -> Iterator[Found]:
    """Find a deleted model whose rows an earlier operation reads."""
    for found in _deleted(place):
        if readers := _readers(place):
            yield Found({**found.values, "reader": _named(readers[0])}, found.rows, found.table)


def _deleted(place: Place) -> Iterator[Found]:
    operation = place.operation
    if operation.acts_as != "DeleteModel" or not operation.table or not place.table:
        return
    throughs = [(place.names.table(table), table) for table in operation.throughs]
    links = [(table, place.production.rows(table)) for table, _ in throughs if table]
    linked = ", ".join(f"{rows:,} links in {table}" for table, rows in links if rows)
    if not place.rows and not linked:
        return
    values = {"links": f" (and {linked})" if linked else "", "others": _others(place), "how": _keep_model(place)}
    yield Found(values, place.rows, place.table)


def _readers(place: Place, column: str = "") -> list[Operation]:
    """Return the operations that may read the rows first, including a custom operation that may copy them itself."""
    itself = [place.operation] if place.operation.opaque else []
    return place.readers(column, place.operation.field if column else "") + itself


def _named(operation: Operation) -> str:
    return f"{operation.kind} in {operation.migration}"


def _others(place: Place, field: str = "") -> str:
    count = sum(operation.opaque for operation in place.earlier)
    names = f"{place.operation.model_name} or {place.table}" + (f" together with {field}" if field else "")
    if place.operation.before is not None and place.operation.before.many:
        names = f"{place.table}, or {place.operation.model_name} together with {field}"
    return f" ({counted(count, 'earlier operation')} with code, but none names {names})" if count else ""


def _keep_model(place: Place) -> str:
    old, new = place.operation, place.app.successor(place.operation)
    if new is None:
        columns = ", ".join(sql_name(field.column) for field in old.columns)
        copy = run_sql(f"INSERT INTO … SELECT {columns} FROM {sql_name(old.table)}")
        return f"Copy the rows in an earlier operation, and delete the model last:\n{copy}"
    links = list(link_pairs(place.app.operations, old.table, new.new_table))
    lines = []
    if new.app == old.app:
        lines += [f"If {new.model_name} is the new name of {old.model_name}, write this instead. No row moves:"]
        lines += [f'    migrations.RenameModel("{old.model_name}", "{new.model_name}"),']
        lines += [
            f'    migrations.RenameField("{gone.model}", "{gone.field}", "{come.field}"),' for gone, come in links
        ]
        lines += [f"(To have it written, remove this migration and type `{scaffold(place.app.target, old, new)}`.)"]
    lines += ["If it is another model, create it, copy the rows, update the links, and delete the old model last:"]
    lines += [run_sql(statement) for statement in copy_statements(old, new)]
    lines += [run_sql(_repoint(gone, come)) for gone, come in links]
    return "\n".join(lines)


def link_pairs(operations: tuple[Operation, ...], old: str, new: str) -> Iterator[tuple[Operation, Operation]]:
    """Pair each removed foreign key to the old table with an added foreign key of the same model to the new table."""
    for gone in operations:
        if gone.acts_as == "RemoveField" and gone.before and not gone.before.many and gone.before.remote == old:
            for come in operations:
                same = (come.app, come.model) == (gone.app, gone.model)
                if come.acts_as == "AddField" and same and come.after and come.after.remote == new:
                    yield gone, come
                    break


def copy_statements(old: Operation, new: Operation) -> Iterator[str]:
    """Return the SQL that copies the columns that both tables have."""
    shared = [f.column for f in old.columns if f.column in {g.column for g in new.columns}]
    columns = ", ".join(map(sql_name, shared))
    yield f"INSERT INTO {sql_name(new.new_table)} ({columns}) SELECT {columns} FROM {sql_name(old.table)}"
    key = next((f for f in new.columns if f.primary_key and f.kind.endswith("AutoField") and f.column in shared), None)
    if key:
        sequence = f"pg_get_serial_sequence('{new.new_table}', '{key.column}')"
        yield f"SELECT setval({sequence}, max({sql_name(key.column)})) FROM {sql_name(new.new_table)}"


def _repoint(gone: Operation, come: Operation) -> str:
    return f"UPDATE {sql_name(gone.table)} SET {sql_name(come.new_column)} = {sql_name(gone.column)}"


def rename_field(gone: Operation, come: Operation) -> str:
    """Return a RenameField operation as a line of a migration."""
    return f'    migrations.RenameField("{gone.model}", "{gone.field}", "{come.field}"),'


def run_sql(statement: str) -> str:
    """Return a statement as a RunSQL operation of a migration. Wrap a long statement."""
    quote = "'" if '"' in statement else '"'
    if len(statement) < 90:
        return f"    migrations.RunSQL({quote}{statement}{quote}, migrations.RunSQL.noop),"
    parts = textwrap.wrap(statement, 90, drop_whitespace=False, break_long_words=False, break_on_hyphens=False)
    lines = [f"        {quote}{part}{quote}" for part in parts]
    return "\n".join(
        ["    migrations.RunSQL(", *lines[:-1], f"{lines[-1]},", "        migrations.RunSQL.noop,", "    ),"]
    )


def sql_name(name: str) -> str:
    """Quote a name for SQL only if it needs quotes."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else f'"{name}"'


@rule(
    "GP103",
    "loss",
    what="{words} drops {rows:,} {noun}; no earlier operation reads them{others}",
    why=WHY_REMOVE,
    how="{how}\n" + DECLARE,
)
def remove_without_copy(place: Place) -> Iterator[Found]:
    """Find a removed column or many-to-many table whose values no earlier operation reads."""
    for found in _removed(place):
        if not _readers(place, found.column or place.operation.field):
            yield found


@rule(
    "GP104",
    "note",
    what="{words} drops {rows:,} {noun}; {reader} reads them first",
    why=PROVED,
    how="Nothing to correct. Keep the removal last, in a separate migration.",
)
def remove_after_copy(place: Place) -> Iterator[Found]:
    """Find a removed column whose values an earlier operation reads."""
    for found in _removed(place):
        if readers := _readers(place, found.column or place.operation.field):
            yield Found({**found.values, "reader": _named(readers[0])}, found.rows, found.table, found.column)


def _removed(place: Place) -> Iterator[Found]:
    operation, field = place.operation, place.operation.before
    if operation.acts_as != "RemoveField" or field is None or not place.table or _table_dropped_later(place):
        return
    column = place.column(operation.column)
    if not field.many and not column:
        return
    rows = place.rows if field.many else place.production.filled(place.table, column)
    if rows:
        noun = "links" if field.many or field.remote else "values"
        values = {"noun": noun, "others": _others(place, operation.field), "how": _keep_field(place, field)}
        yield Found(values, rows, place.table, column)


def _table_dropped_later(place: Place) -> bool:
    """Return True if the table is dropped later with no code in between: the drop then reports the loss once."""
    for later in place.later:
        if later.opaque:
            return False
        if place.operation.table in later.drops:
            return True
    return False


def _keep_field(place: Place, field: Field) -> str:
    gone, operations = place.operation, place.app.operations
    here = [o for o in operations if o.acts_as == "AddField" and (o.app, o.model) == (gone.app, gone.model)]
    pairs = [(gone, come) for come in here if come.after and _alike(field, come.after, place)]
    if not pairs:
        what = sql_name(gone.column or gone.table)
        target = f"migrations.RunSQL('UPDATE … SET … = {what} …', migrations.RunSQL.noop)"
        return f"Copy the values before this operation, in the same release:\n    {target},"
    come = pairs[0][1]
    lines = [f"If {come.field} is the new name of {gone.field}, write this instead. No value moves:"]
    renamed = _renamed_with(place, field, come)
    lines += [f'    migrations.RenameModel("{renamed[0]}", "{renamed[1]}"),'] if renamed else []
    lines += [rename_field(gone, come)]
    if not field.many:
        lines += ["Otherwise copy the values between AddField and RemoveField:", run_sql(_repoint(gone, come))]
    return "\n".join(lines)


def _alike(gone: Field, come: Field, place: Place) -> bool:
    if gone.many != come.many or gone.type != come.type or bool(gone.remote) != bool(come.remote):
        return False
    return gone.remote == come.remote or bool(_renamed_with(place, gone, None, come))


def _renamed_with(
    place: Place, gone: Field, come: Operation | None, field: Field | None = None
) -> tuple[str, str] | None:
    """Return the models that the two links reference if the plan deletes the first and creates the second."""
    to = field or (come.after if come else None)
    if to is None or gone.remote == to.remote:
        return None
    deleted = [o for o in place.app.operations if o.acts_as == "DeleteModel" and o.table == gone.remote]
    created = [o for o in place.app.operations if o.acts_as == "CreateModel" and o.new_table == to.remote]
    return (deleted[0].model_name, created[0].model_name) if deleted and created else None

"""Rules about what would be lost: tables and columns that go with what is in them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from ops.application.operations import Field, Operation
from ops.release.hazards.rule import Found, Place, rule
from ops.release.measuring.corrections import scaffold

DECLARE = "If it may go, say so in migrations.expect.yaml beside manage.py: what, how many at most, and why."

WHY_DELETE = """The table is dropped with everything in it. Nothing fails: the migration is green, and so is every check
that does not count rows. This is what `makemigrations --noinput` writes where a model has another name: it cannot ask,
so it creates one table and deletes the other."""

WHY_REMOVE = """The column is dropped with every value in it, and nothing fails. This is also what `makemigrations
--noinput` writes where a field has another name."""

PROVED = """Whether the code takes all of it along, can't be seen from here. The rehearsal proves it on a copy of
production, row by row, before production is touched."""


@rule(
    "GP101",
    "loss",
    what="{words}: {rows:,} rows{links}, and no operation reads them before{others}",
    why=WHY_DELETE,
    how="{how}\n" + DECLARE,
)
def delete_without_copy(place: Place) -> Iterator[Found]:
    """The incident."""
    for found in _deleted(place):
        if not _readers(place):
            yield found


@rule(
    "GP102",
    "note",
    what="{words}: {rows:,} rows{links}; {reader} reads them before",
    why=PROVED,
    how="Nothing to change. Keep the deletion last, in a migration of its own, behind a check that refuses while a row "
    "is not copied.",
)
def delete_after_copy(place: Place) -> Iterator[Found]:
    """A copy, as it should be."""
    for found in _deleted(place):
        if readers := _readers(place):
            yield Found({**found.values, "reader": _named(readers[0])}, found.rows, found.table)


def _deleted(place: Place) -> Iterator[Found]:
    operation = place.operation
    if operation.acts_as != "DeleteModel" or not operation.table or not place.table:
        return
    throughs = [(place.names.table(table), table) for table in operation.throughs]
    links = [(table, place.production.rows(table)) for table, _ in throughs if table]
    said = ", ".join(f"{rows:,} links in {table}" for table, rows in links if rows)
    if not place.rows and not said:
        return
    values = {"links": f" (and {said})" if said else "", "others": _others(place), "how": _keep_model(place)}
    yield Found(values, place.rows, place.table)


def _readers(place: Place, column: str = "") -> list[Operation]:
    """Who may read the rows before; an operation of one's own may copy them itself."""
    itself = [place.operation] if place.operation.opaque else []
    return place.readers(column, place.operation.field if column else "") + itself


def _named(operation: Operation) -> str:
    return f"{operation.kind} in {operation.migration}"


def _others(place: Place, field: str = "") -> str:
    count = sum(operation.opaque for operation in place.earlier)
    names = f"{place.operation.model_name} or {place.table}" + (f" together with {field}" if field else "")
    return f" ({count} run{'s' * (count == 1)} code before, but none of it names {names})" if count else ""


def _keep_model(place: Place) -> str:
    old, new = place.operation, place.app.successor(place.operation)
    if new is None:
        columns = ", ".join(sql_name(field.column) for field in old.columns)
        copy = run_sql(f"INSERT INTO … SELECT {columns} FROM {sql_name(old.table)}")
        return f"Copy what is in it to where it belongs, in an operation before this one, and delete last:\n{copy}"
    links = list(link_pairs(place.app.operations, old.table, new.new_table))
    lines = []
    if new.app == old.app:
        lines += [f"If {new.model_name} is {old.model_name} under a new name, write this instead; no row moves:"]
        lines += [f'    migrations.RenameModel("{old.model_name}", "{new.model_name}"),']
        lines += [
            f'    migrations.RenameField("{gone.model}", "{gone.field}", "{come.field}"),' for gone, come in links
        ]
        lines += [f"(Remove this migration, and `{scaffold(place.app.target, old, new)}` writes that.)"]
    lines += ["If it is another model: create it, copy, re-point the links, and delete last:"]
    lines += [run_sql(statement) for statement in copy_statements(old, new)]
    lines += [run_sql(_repoint(gone, come)) for gone, come in links]
    return "\n".join(lines)


def link_pairs(operations: tuple[Operation, ...], old: str, new: str) -> Iterator[tuple[Operation, Operation]]:
    """Foreign keys that go and led to the old table, each with one that comes and leads to the new one."""
    for gone in operations:
        if gone.acts_as == "RemoveField" and gone.before and not gone.before.many and gone.before.remote == old:
            for come in operations:
                same = (come.app, come.model) == (gone.app, gone.model)
                if come.acts_as == "AddField" and same and come.after and come.after.remote == new:
                    yield gone, come
                    break


def copy_statements(old: Operation, new: Operation) -> Iterator[str]:
    """The SQL that copies one table into the other over the columns that both have."""
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
    """One field under the other's name, as an operation of a migration."""
    return f'    migrations.RenameField("{gone.model}", "{gone.field}", "{come.field}"),'


def run_sql(statement: str) -> str:
    """A statement as an operation of a migration; a long one on lines of its own."""
    quote = "'" if '"' in statement else '"'
    if len(statement) < 90:
        return f"    migrations.RunSQL({quote}{statement}{quote}, migrations.RunSQL.noop),"
    parts = textwrap.wrap(statement, 90, drop_whitespace=False, break_long_words=False, break_on_hyphens=False)
    lines = [f"        {quote}{part}{quote}" for part in parts]
    return "\n".join(
        ["    migrations.RunSQL(", *lines[:-1], f"{lines[-1]},", "        migrations.RunSQL.noop,", "    ),"]
    )


def sql_name(name: str) -> str:
    """A name as one writes it in SQL: quoted only where it has to be."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else f'"{name}"'


@rule(
    "GP103",
    "loss",
    what="{words}: {rows:,} {noun}, and no operation reads them before{others}",
    why=WHY_REMOVE,
    how="{how}\n" + DECLARE,
)
def remove_without_copy(place: Place) -> Iterator[Found]:
    """A column or a many-to-many table goes with its values."""
    for found in _removed(place):
        if not _readers(place, found.column or place.operation.field):
            yield found


@rule(
    "GP104",
    "note",
    what="{words}: {rows:,} {noun}; {reader} reads them before",
    why=PROVED,
    how="Nothing to change. Keep the removal last, in a migration of its own.",
)
def remove_after_copy(place: Place) -> Iterator[Found]:
    """A column whose values may have been copied."""
    for found in _removed(place):
        if readers := _readers(place, found.column or place.operation.field):
            yield Found({**found.values, "reader": _named(readers[0])}, found.rows, found.table, found.column)


def _removed(place: Place) -> Iterator[Found]:
    operation, field = place.operation, place.operation.before
    if operation.acts_as != "RemoveField" or field is None or not place.table or _told_with_table(place):
        return
    column = place.column(operation.column)
    if not field.many and not column:
        return
    rows = place.rows if field.many else place.production.filled(place.table, column)
    if rows:
        noun = "links" if field.many or field.remote else "values"
        values = {"noun": noun, "others": _others(place, operation.field), "how": _keep_field(place, field)}
        yield Found(values, rows, place.table, column)


def _told_with_table(place: Place) -> bool:
    """Whether the whole table goes later, with no code in between: then it is told there, as one loss."""
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
        return f"Take the values along before this operation, in the same release:\n    {target},"
    come = pairs[0][1]
    lines = [f"If {come.field} is {gone.field} under a new name, write this instead; no value moves:"]
    renamed = _renamed_with(place, field, come)
    lines += [f'    migrations.RenameModel("{renamed[0]}", "{renamed[1]}"),'] if renamed else []
    lines += [rename_field(gone, come)]
    if not field.many:
        lines += ["Otherwise copy between AddField and RemoveField:", run_sql(_repoint(gone, come))]
    return "\n".join(lines)


def _alike(gone: Field, come: Field, place: Place) -> bool:
    if gone.many != come.many or gone.type != come.type or bool(gone.remote) != bool(come.remote):
        return False
    return gone.remote == come.remote or bool(_renamed_with(place, gone, None, come))


def _renamed_with(
    place: Place, gone: Field, come: Operation | None, field: Field | None = None
) -> tuple[str, str] | None:
    """The models that the two links lead to, where the plan deletes one and creates the other."""
    to = field or (come.after if come else None)
    if to is None or gone.remote == to.remote:
        return None
    deleted = [o for o in place.app.operations if o.acts_as == "DeleteModel" and o.table == gone.remote]
    created = [o for o in place.app.operations if o.acts_as == "CreateModel" and o.new_table == to.remote]
    return (deleted[0].model_name, created[0].model_name) if deleted and created else None

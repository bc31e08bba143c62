"""Find the tables that the pending operations reach: their rows, or only the table's definition.

Nothing can be proved about a table whose rows are not in the backup. On a production that is not frozen, tables that no
operation reaches are not compared: the application may write to them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ops.application.operations import Application, Operation
from ops.core.errors import Refused
from ops.core.sql_names import bare
from ops.core.text import listed
from ops.infra.session.session import Session
from ops.inventory.locate import where
from ops.release.measuring.migration_metrics import Measures

# How an operation reaches a table: writes rows, or changes the table without changing a value.
ROWS, SHAPE = "rows", "shape"


def reaches(app: Application, tables: Collection[str]) -> dict[str, str]:
    """Return how the pending operations reach each table. Tables without an entry are not reached.

    Code that names no table and no model of the application counts as reaching every table.

    Args:
        tables: the names in the database before the operations.
    """
    known = {bare(table): table for table in tables}
    found: dict[str, str] = {}
    for operation, names in app.steps():
        if operation.opaque:
            hit = {table for table in known if _says(app, operation, table)}
            found |= dict.fromkeys(hit or known, ROWS)
        elif not operation.state_only:
            how = ROWS if _rewrites(operation) else SHAPE
            for table in {names.table(one) for one in _worked_on(operation)} & known.keys():
                found[table] = ROWS if ROWS in (how, found.get(table)) else SHAPE
    return {known[table]: how for table, how in found.items()}


def measured(measures: Measures) -> Iterator[str]:
    """Yield the old tables whose rows the migrations were measured to write on the clone."""
    yield from (rows.table for rows in measures.total.rows if rows.existed)
    yield from (c.relation for c in measures.total.changes if c.existed and c.kind == "table" and c.what == "rewritten")


def must_not_touch(session: Session, target: str, said: Sequence[str]) -> None:
    """Refuse migrations that change tables whose rows are not in the backup.

    Args:
        said: the operations (see ``works_on``).

    Raises:
        Refused: always.
    """
    at = where(session.inventory, session.addresses.entry(target), "dump", "exclude")
    raise Refused(
        f"{at}: the pending migrations change a table whose rows are not in the backup, so the rehearsal could not "
        f"prove anything about them: {listed(said, joint='; ')}",
        f"remove the table from `exclude` for this release, then   inv release --target={target}",
    )


def works_on(app: Application, names: Collection[str]) -> list[str]:
    """Return a sentence for each pending operation that changes one of these tables.

    Args:
        names: the tables' names in the database, ``schema.table``.
    """
    tables = {bare(name): name for name in names}
    models = {table: model.rpartition(".")[2] for model, table in app.models_before.items() if table in tables}
    said = []
    for operation in app.operations:
        renamed = {new for _, new in operation.tables_renamed}
        looped = {loop.table for loop in operation.loops}
        hit = (_worked_on(operation) | renamed | looped | {operation.new_table, *operation.makes}) & tables.keys()
        if operation.opaque:
            hit |= {table for table in tables if operation.says(table) or operation.says(models.get(table, table))}
        said += [f"{operation.migration}: {operation.words} changes {tables[table]}" for table in sorted(hit)]
    # PostgreSQL would check a new foreign key against rows that the clone does not have.
    new = {link for link in app.links_after if link.constraint and link.to_table in tables} - set(app.links_before)
    said += [f"a new foreign key of {link.table} references {tables[link.to_table]}" for link in sorted(new)]
    return list(dict.fromkeys(said))


def _rewrites(operation: Operation) -> bool:
    """Return True if the operation changes the type of a column."""
    before, after = operation.before, operation.after
    return operation.acts_as == "AlterField" and (not before or not after or before.type != after.type)


def _says(app: Application, operation: Operation, table: str) -> bool:
    now = app.renamed_tables().get(table, table)
    models = [*app.models_before.items(), *app.models_after.items()]
    labels = {label.rpartition(".")[2] for label, its in models if its in (table, now)}
    return any(operation.says(word) for word in {table, now, *labels})


def _worked_on(operation: Operation) -> set[str]:
    renamed = {old for old, _ in operation.tables_renamed}
    return {operation.table, *operation.throughs, *operation.drops, *renamed} - {""}

"""Which tables the pending operations touch, and how: their rows, or only the table itself. Of one whose rows stay out
of the backup nothing would be proved.

On a production that is not frozen, a table that no operation touches is the application's own affair.
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

# What an operation may do: write rows; change the table and leave every old value alone.
ROWS, SHAPE = "rows", "shape"


def reaches(app: Application, tables: Collection[str]) -> dict[str, str]:
    """Say how the pending operations reach each table; one that is not named is not touched.

    Code that names no table and no model of the application may write to any.

    Args:
        tables: as the database calls them, before the operations.
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
    """The tables whose rows the migrations wrote on the clone, where nobody else does, and that were there before."""
    yield from (rows.table for rows in measures.total.rows if rows.existed)
    yield from (c.relation for c in measures.total.changes if c.existed and c.kind == "table" and c.what == "rewritten")


def must_not_touch(session: Session, target: str, said: Sequence[str]) -> None:
    """Refuse a rehearsal without rows that the migrations work on.

    Args:
        said: what of them does (see ``works_on``).

    Raises:
        Refused: always.
    """
    at = where(session.inventory, session.addresses.entry(target), "dump", "exclude")
    raise Refused(
        f"{at}: the pending migrations work on a table whose rows stay out of the backup, so "
        f"nothing would be proved of them: {listed(said, joint='; ')}",
        f"take it out of `exclude` for this release, and then   inv release --target={target}",
    )


def works_on(app: Application, names: Collection[str]) -> list[str]:
    """What of the pending migrations works on one of these tables, a sentence each; its rows could not be proved.

    Args:
        names: tables as the database calls them, ``schema.table``.
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
        said += [f"{operation.migration}: {operation.words} works on {tables[table]}" for table in sorted(hit)]
    # A new foreign key is checked against rows that are not there.
    new = {link for link in app.links_after if link.constraint and link.to_table in tables} - set(app.links_before)
    said += [f"a new foreign key of {link.table} leads to {tables[link.to_table]}" for link in sorted(new)]
    return list(dict.fromkeys(said))


def _rewrites(operation: Operation) -> bool:
    """Return True if the operation gives values another form."""
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

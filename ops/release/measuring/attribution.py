"""Name the pending operation that caused a loss of the verdict, and how to correct the migration."""

from __future__ import annotations

from collections.abc import Callable

from ops.application.operations import Application, Operation
from ops.core.sql_names import bare
from ops.core.text import listed
from ops.verdict.model import ColumnVerdict, TableVerdict, Verdict

NAMED = 3


def name_operations(verdict: Verdict, plan: Application) -> None:
    """Write to each lost or changed table and column its operation: ``migration: Operation app.Model``."""
    for table in verdict.tables:
        if table.lost or table.changed or table.duplicated:
            table.by = _words(_of_table(table, plan))
        for column in table.columns:
            if column.lost or column.changed:
                column.by = _words(_of_column(table, column, plan)) or table.by


def _nothing(_: Operation, __: Operation) -> str:
    return ""


def better(verdict: Verdict, plan: Application, replace: Callable[[Operation, Operation], str] = _nothing) -> str:
    """Return how to correct the migration, in one line: rename a model that it recreates, or copy what it drops.

    Return an empty string if no operation is known to drop data.

    Args:
        replace: returns the command that writes a rename in place of two operations, or an empty string.
    """
    return _renamed(verdict, plan, replace) or _left_out(verdict, plan)


def _left_out(verdict: Verdict, plan: Application) -> str:
    """Name the operations that drop lost data, and a rename if no earlier code could have copied the data."""
    tables = [bare(table.table) for table in verdict.refused if table.lost]
    models = [operation for table in tables for operation in plan.removers(table)]
    lost = [(bare(t.table), c.column) for t in verdict.refused for c in t.columns if c.lost and not t.lost]
    fields = [op for table, column in lost for op in plan.removers(table, column) if op.acts_as == "RemoveField"]
    dropped = list(dict.fromkeys(operation.words for operation in [*models, *fields]))
    if not dropped or tables and not models:
        return ""
    copied = any(plan.may_have_copied(*place) for place in [*lost, *((table, "") for table in tables)])
    renames = "RenameModel" if any(op.acts_as == "DeleteModel" for op in models) else "RenameField"
    said = f"copy the lost data before {listed(dropped, NAMED)}"
    return said if copied else f"{said}, or write migrations.{renames} in its place"


def _renamed(verdict: Verdict, plan: Application, replace: Callable[[Operation, Operation], str]) -> str:
    for table in verdict.tables:
        gone = [op for op in plan.removers(bare(table.table)) if op.acts_as == "DeleteModel"] if table.lost else []
        for operation in gone:
            if children := plan.children(bare(table.table)):
                name = operation.model_name
                return (
                    f"copy the columns of {name} into each model that inherits from it ({', '.join(children)}) before "
                    f"DeleteModel {name}"
                )
            made = plan.successor(operation)
            if made and made.app == operation.app and not _copied_in_part(plan, operation, made):
                old, new, typed = operation.model_name, made.model_name, replace(operation, made)
                if typed:
                    return f"{typed}   (writes migrations.RenameModel in its place)"
                return f'write migrations.RenameModel("{old}", "{new}") in place of CreateModel and DeleteModel'
    return ""


def _copied_in_part(plan: Application, gone: Operation, made: Operation) -> bool:
    """Return True if code copies the rows to a model without all of their columns, which is no rename."""
    return not gone.content <= made.content and plan.may_have_copied(gone.table)


def _of_table(table: TableVerdict, plan: Application) -> list[Operation]:
    name = bare(table.table)
    if table.lost:
        return plan.removers(name) or _writers(plan, name)
    # Dropping a table changes no row elsewhere.
    return _writers(plan, name) or plan.removers(name)


def _of_column(table: TableVerdict, column: ColumnVerdict, plan: Application) -> list[Operation]:
    name = bare(table.table)
    altered = [
        operation
        for operation, names in plan.steps()
        if operation.acts_as == "AlterField"
        and names.table(operation.table) == name
        and names.column(operation.table, operation.column) == column.column
    ]
    removed, written = plan.removers(name, column.column), _writers(plan, name)
    return removed or written or altered if column.lost else written or altered or removed


def _writers(plan: Application, table: str) -> list[Operation]:
    """Return the operations with code that names a table or its model, or all operations with code if none does."""
    models = [*plan.models_before.items(), *plan.models_after.items()]
    labels = [label for label, its in models if its == table]
    words = {table, *(label.split(".")[-1] for label in labels)}
    naming = [operation for operation in plan.opaque if any(operation.says(word) for word in words)]
    return naming or list(plan.opaque)


def _words(operations: list[Operation]) -> str:
    named = list(dict.fromkeys(f"{operation.migration}: {operation.words}" for operation in operations))
    return named[0] if len(named) == 1 else " or ".join(named[:2]) + (" …" if len(named) > 2 else "")

"""Which migration did it: the pending operation behind what a verdict says. Names only; the data say what happened."""

from __future__ import annotations

from ops.homes import bare
from ops.operations import Application, Operation
from ops.verdict import TableVerdict, Verdict


def name_operations(verdict: Verdict, plan: Application) -> None:
    """Write beside everything that is lost or changed by which operation: ``migration: Operation app.Model``."""
    for table in verdict.tables:
        if table.lost or table.changed or table.duplicated:
            table.by = _words(_of_table(table, plan))
        for column in table.columns:
            if column.lost or column.changed:
                column.by = _words(_of_column(table, column.column, plan)) or table.by


def better(verdict: Verdict, plan: Application) -> str:
    """How to write it right where a model was made anew under another name instead of renamed; empty elsewhere."""
    for table in verdict.tables:
        gone = [op for op in plan.removers(bare(table.table)) if op.acts_as == "DeleteModel"] if table.lost else []
        for operation in gone:
            made = plan.successor(operation)
            if made and made.app == operation.app:
                old, new = operation.model_name, made.model_name
                return (
                    f'write migrations.RenameModel("{old}", "{new}") in place of CreateModel {new} and DeleteModel '
                    f"{old} (and RenameField for the links), or   inv scaffold-rename {operation.app} {old} {new}"
                )
    return ""


def _of_table(table: TableVerdict, plan: Application) -> list[Operation]:
    name = bare(table.table)
    return plan.removers(name) or _writers(plan, name)


def _of_column(table: TableVerdict, column: str, plan: Application) -> list[Operation]:
    name = bare(table.table)
    altered = [
        operation
        for operation, names in plan.steps()
        if operation.acts_as == "AlterField"
        and names.table(operation.table) == name
        and names.column(operation.table, operation.column) == column
    ]
    return plan.removers(name, column) or _writers(plan, name) or altered


def _writers(plan: Application, table: str) -> list[Operation]:
    """Operations whose code can have written to a table: those that name it or its model, else all of them."""
    models = [*plan.models_before.items(), *plan.models_after.items()]
    labels = [label for label, its in models if its == table]
    words = {table, *(label.split(".")[-1] for label in labels)}
    naming = [operation for operation in plan.opaque if any(operation.says(word) for word in words)]
    return naming or list(plan.opaque)


def _words(operations: list[Operation]) -> str:
    named = list(dict.fromkeys(f"{operation.migration}: {operation.words}" for operation in operations))
    return named[0] if len(named) == 1 else " or ".join(named[:2]) + (" …" if len(named) > 2 else "")

"""Which migration did it: the pending operation behind what a verdict says. Names only; the data say what happened."""

from __future__ import annotations

from collections.abc import Callable

from ops.application.operations import Application, Operation
from ops.core.sql_names import bare
from ops.core.text import listed
from ops.verdict.model import TableVerdict, Verdict

NAMED = 3


def name_operations(verdict: Verdict, plan: Application) -> None:
    """Write beside everything that is lost or changed by which operation: ``migration: Operation app.Model``."""
    for table in verdict.tables:
        if table.lost or table.changed or table.duplicated:
            table.by = _words(_of_table(table, plan))
        for column in table.columns:
            if column.lost or column.changed:
                column.by = _words(_of_column(table, column.column, plan)) or table.by


def _nothing(_: Operation, __: Operation) -> str:
    return ""


def better(verdict: Verdict, plan: Application, replace: Callable[[Operation, Operation], str] = _nothing) -> str:
    """Say how to write this very migration right: rename a model that was made anew under another name, or else leave
    out what takes rows or values away; empty where no operation is known that does.

    Args:
        replace: gives what to type to have a rename written in place of two operations; empty where nothing does.
    """
    return _renamed(verdict, plan, replace) or _left_out(verdict, plan)


def _left_out(verdict: Verdict, plan: Application) -> str:
    """Name the operations that drop what is lost, and whether code ran before that could have copied it."""
    tables = [bare(table.table) for table in verdict.refused if table.lost]
    models = [op for table in tables for op in plan.removers(table) if op.acts_as == "DeleteModel"]
    lost = [(bare(t.table), c.column) for t in verdict.refused for c in t.columns if c.lost and not t.lost]
    fields = [op for table, column in lost for op in plan.removers(table, column) if op.acts_as == "RemoveField"]
    dropped = list(dict.fromkeys(operation.words for operation in [*models, *fields]))
    if not dropped or tables and not models:
        return ""
    copied = any(plan.may_have_copied(table, column) for table, column in lost)
    said = f"copy everything that is lost before {listed(dropped, NAMED)}, or leave that out"
    renames = "RenameModel" if models else "RenameField"
    return said if copied else f"{said}; or write migrations.{renames}, if it only has another name"


def _renamed(verdict: Verdict, plan: Application, replace: Callable[[Operation, Operation], str]) -> str:
    for table in verdict.tables:
        gone = [op for op in plan.removers(bare(table.table)) if op.acts_as == "DeleteModel"] if table.lost else []
        for operation in gone:
            if children := plan.children(bare(table.table)):
                name = operation.model_name
                return (
                    f"copy the columns of {name} into each model that stands on it ({', '.join(children)}), and then "
                    f"DeleteModel {name}; as a RenameModel it would lose the rows of the others"
                )
            made = plan.successor(operation)
            if made and made.app == operation.app:
                old, new, typed = operation.model_name, made.model_name, replace(operation, made)
                return (
                    f'write migrations.RenameModel("{old}", "{new}") in place of CreateModel {new} and DeleteModel '
                    f"{old} (and RenameField for the links)" + (f", or have it written:   {typed}   " if typed else "")
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

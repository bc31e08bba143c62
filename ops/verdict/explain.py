"""Explain a verdict to a person: what would be lost, and how to correct the migration."""

from __future__ import annotations

import re

from ops.core.text import counted
from ops.verdict.model import ColumnVerdict, TableVerdict, Verdict

RIGHT = "write migrations.RenameModel, or copy the rows before the table is dropped"
COLUMN = "write migrations.RenameField, or copy the values before RemoveField"
SHOWN = 12
EXAMPLES, WIDE = 3, 40
SECRET = re.compile("pass|secret|token|key|hash", re.IGNORECASE)
OBJECTS = "correct the migration so that it does not change these objects"
LOOK = "correct the migration"


def explain(target: str, verdict: Verdict, right: str = "") -> tuple[str, str]:
    """Return the message and the hint for a refused verdict.

    Args:
        right: how to correct this migration, if known.
    """
    parts = [part for table in verdict.refused for part in sentences(table)]
    parts += [one.sentence for one in verdict.against]
    parts += [f"warning, not a reason for the refusal: {remark}" for remark in verdict.remarks]
    shown = "".join(f"\n  {part}" for part in parts[:SHOWN])
    shown += f"\n  and {len(parts) - SHOWN} more in the report" if len(parts) > SHOWN else ""
    gone_table = any(table.lost and not table.mapping for table in verdict.refused)
    gone_column = any(column.lost and column.column not in t.mapping for t in verdict.refused for column in t.columns)
    if not verdict.refused:
        fixes = ";".join(dict.fromkeys(one.fix for one in verdict.against if one.fix))
        hint = f'add   migrations.RunSQL("""{fixes}""")   to the migrations' if fixes else OBJECTS
        what = "other objects would be lost or wrong"
        return f"{target}: refused, production is untouched: every row is accounted for, but {what}:{shown}", hint
    hint = right or (RIGHT if gone_table else COLUMN if gone_column else _correct(verdict))
    return f"{target}: refused, production is untouched: {_counted(verdict)}:{shown}", hint


def _correct(verdict: Verdict) -> str:
    """Name the operation to correct, if only one is known."""
    operations = {by for t in verdict.refused for by in (t.by, *(c.by for c in t.columns if c.lost or c.changed)) if by}
    named = operations.pop() if len(operations) == 1 else ""
    return f"correct {named}" if named and " or " not in named else LOOK


def _counted(verdict: Verdict) -> str:
    """Return how many rows and values would be lost, or else changed. A loss also has the changed values."""
    values = sum(table.changed_values for table in verdict.refused)
    if any(table.lost or table.lost_values for table in verdict.refused):
        lost = [counted(verdict.lost_rows, "row")] if verdict.lost_rows or not verdict.lost_values else []
        lost += [f"{counted(verdict.lost_values, 'value')} or links"] if verdict.lost_values else []
        return f"{' and '.join(lost)} would be lost" + (f", {counted(values, 'value')} changed" if values else "")
    rows = sum(table.changed + table.duplicated for table in verdict.refused)
    return f"{counted(rows, 'row') if rows else counted(values, 'value')} would be changed"


def examples(verdict: Verdict) -> list[str]:
    """Return old and new values of a few rows, for a terminal only, without columns that may hold secrets."""
    return [
        f"{table.table}.{column.column}: {_value(was)} → {_value(now)}"
        for table in verdict.refused
        for column in table.columns
        if not SECRET.search(column.column)
        for was, now in column.examples[:EXAMPLES]
    ][:SHOWN]


def _value(text: str | None) -> str:
    """Return a value in quotes, truncated and without control characters."""
    shown = "NULL" if text is None else repr(text[:WIDE])
    return shown + " …" if text and len(text) > WIDE else shown


def sentences(table: TableVerdict) -> list[str]:
    """Return a sentence for each loss or change of a table, or an empty list."""
    keys = f" (for example {', '.join(table.sample)})" if table.sample else ""
    said = []
    if table.lost:
        dropped = ": the table is dropped, and no other table has these rows"
        where = f"; the other rows are in {table.to}" if table.to else dropped
        if table.mapping and not table.to:
            where = ", although the table remains"
        count = f"{table.lost:,} of {counted(table.rows_before, 'row')} of {table.table}"
        said.append(f"{count} {_are(table.lost)} lost{keys}{where}{_by(table.by)}")
    for column in table.columns:
        said += _of_column(table, column)
    if table.duplicated:
        twice = f"{counted(table.duplicated, 'row')} of {table.to or table.table} {_are(table.duplicated)} duplicated"
        said.append(f"{twice}, with other keys{_by(table.by)}")
    if table.changed and not table.changed_values and not table.tolerated:
        count = f"{counted(table.changed, 'row')} of {table.table}"
        said.append(f"{count} {_have(table.changed)} changed{keys}{_by(table.by)}")
    elif said and table.changed and not table.tolerated and keys:
        said[-1] += keys
    return said


def as_declared(table: TableVerdict) -> list[str]:
    """List the declared losses and changes of a table: each kind of rows, and the values of each column."""
    if table.verdict != "declared":
        return []
    kinds = {"lost": table.lost, "duplicated": table.duplicated}
    kinds["changed"] = 0 if table.changed_values else table.changed
    said = [f"{table.table} ({counted(count, 'row')} {kind})" for kind, count in kinds.items() if count]
    for column in table.columns:
        counts = {"lost": column.lost, "changed": column.changed}
        name = f"{table.table}.{column.column}"
        rest = f"; {column.others}" if column.others else ""
        said += [f"{name} ({counted(count, 'value')} {kind}{rest})" for kind, count in counts.items() if count]
    return said


def _of_column(table: TableVerdict, column: ColumnVerdict) -> list[str]:
    name, note = f"{table.table}.{column.column}", f": {column.note}" if column.note else ""
    if column.verdict == "renumbered" and column.changed:
        return [f"{counted(column.changed, 'row')} of {table.to or table.table}: other rows reference them now{note}"]
    said, lost, are = [], f"{counted(column.lost, 'value')} of {name}", _are(column.lost)
    rest = f"; the other {column.others}" if column.others else ""
    if column.lost and column.dangling:
        said.append(f"{lost} {column.note}{_by(column.by)}")
    elif column.lost and column.to:
        said.append(f"{lost} {are} missing in {column.to}{note}{rest}{_by(column.by)}")
    elif column.lost and column.column in table.mapping:
        said.append(f"{lost} {are} NULL now{rest}{_by(column.by)}")
    elif column.lost:
        how = f": the column {column.note}" if column.note else " with the column"
        said.append(f"{lost} {are} lost{how}{_by(column.by)}")
    if column.changed and not table.tolerated:
        count = f"{counted(column.changed, 'value')} of {name}"
        said.append(f"{count} {_have(column.changed)} changed{note}{'' if column.lost else rest}{_by(column.by)}")
    return said


def _by(operation: str) -> str:
    return f" [{operation}]" if operation else ""


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"

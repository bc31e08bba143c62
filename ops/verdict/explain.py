"""What a verdict means, for a person: what would be lost, and how to write the migration right."""

from __future__ import annotations

import re

from ops.core.text import counted
from ops.verdict.model import ColumnVerdict, TableVerdict, Verdict

RIGHT = (
    "write it as migrations.RenameModel (and RenameField for the links): no row moves. Or in the guide's order: "
    "1 create the new model, 2 copy the rows, 3 re-point the foreign keys, 4 delete the old model last"
)
COLUMN = "write it as migrations.RenameField; or copy all of the values before RemoveField"
SHOWN = 12
EXAMPLES, WIDE = 3, 40
SECRET = re.compile("pass|secret|token|key|hash", re.IGNORECASE)
OBJECTS = "correct the migration so that it leaves them as they are"
LOOK = "correct the migration"


def explain(target: str, verdict: Verdict, right: str = "") -> tuple[str, str]:
    """The message and the hint for a verdict that is refused.

    Args:
        right: how to write this very migration right, where that is known.
    """
    parts = [part for table in verdict.refused for part in sentences(table)]
    parts += [one.sentence for one in verdict.against]
    parts += [f"not refused, but to know: {remark}" for remark in verdict.remarks]
    shown = "".join(f"\n  {part}" for part in parts[:SHOWN])
    shown += f"\n  and {len(parts) - SHOWN} more, in the report" if len(parts) > SHOWN else ""
    gone_table = any(table.lost and not table.mapping for table in verdict.refused)
    gone_column = any(column.lost and column.column not in t.mapping for t in verdict.refused for column in t.columns)
    if not verdict.refused:
        fixes = "; ".join(dict.fromkeys(one.fix for one in verdict.against if one.fix))
        hint = f"add to the migrations, as migrations.RunSQL, what is missing: {fixes}" if fixes else OBJECTS
        what = "what is no row would be lost or wrong"
        return f"{target}: refused, production is untouched: every row is accounted for, but {what}:{shown}", hint
    hint = right or (RIGHT if gone_table else COLUMN if gone_column else LOOK)
    return f"{target}: refused, production is untouched: {_counted(verdict)}:{shown}", hint


def _counted(verdict: Verdict) -> str:
    """How much would be lost, or else changed; where rows are lost, the values that are changed beside them, too."""
    values = sum(table.changed_values for table in verdict.refused)
    if any(table.lost or table.lost_values for table in verdict.refused):
        lost = [counted(verdict.lost_rows, "row")] if verdict.lost_rows or not verdict.lost_values else []
        lost += [f"{counted(verdict.lost_values, 'value')} or links"] if verdict.lost_values else []
        return f"{' and '.join(lost)} would be lost" + (f", {counted(values, 'value')} changed" if values else "")
    rows = sum(table.changed + table.duplicated for table in verdict.refused)
    return f"{counted(rows, 'row') if rows else counted(values, 'value')} would be changed"


def examples(verdict: Verdict) -> list[str]:
    """Old and new values of some rows, a line each; for a terminal only. None of a column that may hold secrets."""
    return [
        f"{table.table}.{column.column}: {_value(was)} → {_value(now)}"
        for table in verdict.refused
        for column in table.columns
        if not SECRET.search(column.column)
        for was, now in column.examples[:EXAMPLES]
    ][:SHOWN]


def _value(text: str | None) -> str:
    """A value in quotes, without anything that a terminal would obey, and not too long."""
    shown = "NULL" if text is None else repr(text[:WIDE])
    return shown + " …" if text and len(text) > WIDE else shown


def sentences(table: TableVerdict) -> list[str]:
    """What happened to one table, in words; empty where nothing speaks against it."""
    keys = f" (for example {', '.join(table.sample)})" if table.sample else ""
    said = []
    if table.lost:
        where = f"; the others are in {table.to}" if table.to else ": the table goes, and no other one holds them"
        if table.mapping and not table.to:
            where = ", though the table stays"
        count = f"{table.lost:,} of {counted(table.rows_before, 'row')} of {table.table}"
        said.append(f"{count} {_are(table.lost)} gone{keys}{where}{_by(table.by)}")
    for column in table.columns:
        said += _of_column(table, column)
    if table.duplicated:
        twice = f"{counted(table.duplicated, 'row')} of {table.to or table.table} {_are(table.duplicated)} there twice"
        said.append(f"{twice}, equal but for their key{_by(table.by)}")
    if table.changed and not table.changed_values and not table.tolerated:
        said.append(f"{counted(table.changed, 'row')} of {table.table} with other content{keys}{_by(table.by)}")
    elif said and table.changed and not table.tolerated and keys:
        said[-1] += keys
    return said


def as_declared(table: TableVerdict) -> list[str]:
    """Count what a declaration covers of one table: each kind of rows, and each column's values."""
    if table.verdict != "declared":
        return []
    kinds = {"lost": table.lost, "duplicated": table.duplicated}
    kinds["changed"] = 0 if table.changed_values else table.changed
    said = [f"{table.table} ({counted(count, 'row')} {kind})" for kind, count in kinds.items() if count]
    for column in table.columns:
        counts = {"lost": column.lost, "changed": column.changed}
        name = f"{table.table}.{column.column}"
        said += [f"{name} ({counted(count, 'value')} {kind})" for kind, count in counts.items() if count]
    return said


def _of_column(table: TableVerdict, column: ColumnVerdict) -> list[str]:
    name, note = f"{table.table}.{column.column}", f": {column.note}" if column.note else ""
    if column.verdict == "renumbered" and column.changed:
        return [f"{counted(column.changed, 'row')} of {table.to or table.table}: other rows lead there now{note}"]
    said, lost, are = [], f"{counted(column.lost, 'value')} of {name}", _are(column.lost)
    if column.lost and column.dangling:
        said.append(f"{lost} {column.note}{_by(column.by)}")
    elif column.lost and column.to:
        said.append(f"{lost} did not arrive in {column.to}{note}{_by(column.by)}")
    elif column.lost and column.column in table.mapping:
        said.append(f"{lost} {are} NULL now{_by(column.by)}")
    elif column.lost:
        how = f": it {column.note}" if column.note else " with the column"
        said.append(f"{lost} {are} gone{how}{_by(column.by)}")
    if column.changed and not table.tolerated:
        count = f"{counted(column.changed, 'value')} of {name}"
        said.append(f"{count} {_are(column.changed)} other than before{note}{_by(column.by)}")
    return said


def _by(operation: str) -> str:
    return f" [{operation}]" if operation else ""


def _are(count: int) -> str:
    return "is" if count == 1 else "are"

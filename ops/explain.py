"""What a verdict means, for a person: what would be lost, and how to write the migration right."""

from __future__ import annotations

from ops.verdict import ColumnVerdict, TableVerdict, Verdict

RIGHT = (
    "write it as migrations.RenameModel (and RenameField for the links): no row moves. Or in the guide's order: "
    "1 create the new model, 2 copy the rows, 3 re-point the foreign keys, 4 delete the old model last"
)
COLUMN = "write it as migrations.RenameField; or copy the values before RemoveField"
LOOK = "look at both sides: the clone as it was is kept beside the migrated one; then correct the migration"


def explain(target: str, verdict: Verdict, right: str = "") -> tuple[str, str]:
    """The message and the hint for a verdict that is refused.

    Args:
        right: how to write this very migration right, where that is known.
    """
    parts = [part for table in verdict.refused for part in sentences(table)]
    shown = "; ".join(parts[:6]) + (f"; and {len(parts) - 6} more" if len(parts) > 6 else "")
    gone_table = any(table.lost and not table.mapping for table in verdict.refused)
    lost = any(table.lost or table.lost_values for table in verdict.refused)
    gone_column = any(column.lost and column.column not in t.mapping for t in verdict.refused for column in t.columns)
    hint = right or (RIGHT if gone_table else COLUMN if gone_column else LOOK)
    count = f"{verdict.lost_rows:,} rows and {verdict.lost_values:,} values or links would be lost"
    if not lost:
        rows = sum(table.changed + table.duplicated for table in verdict.refused)
        values = sum(table.changed_values for table in verdict.refused)
        count = f"{rows or values:,} {'rows' if rows else 'values'} would be changed"
    return f"{target}: refused, production is untouched: {count}. {shown}", hint


def sentences(table: TableVerdict) -> list[str]:
    """What happened to one table, in words; empty where nothing speaks against it."""
    keys = f" (for example {', '.join(table.sample)})" if table.sample else ""
    said = []
    if table.lost:
        where = f"; the others are in {table.to}" if table.to else ": the table goes, and no other one holds them"
        if table.mapping and not table.to:
            where = ", though the table stays"
        count = f"{table.lost:,} of {table.rows_before:,} rows of {table.table}"
        said.append(f"{count} are gone{keys}{where}{_by(table.by)}")
    for column in table.columns:
        said += _of_column(table, column)
    if table.duplicated:
        twice = f"{table.duplicated:,} rows of {table.to or table.table} are there twice"
        said.append(f"{twice}, equal but for their key{_by(table.by)}")
    if table.changed and not table.changed_values and not table.tolerated:
        said.append(f"{table.changed:,} rows of {table.table} have other content{keys}{_by(table.by)}")
    elif table.changed and not table.tolerated and keys:
        said[-1] += keys
    return said


def _of_column(table: TableVerdict, column: ColumnVerdict) -> list[str]:
    name, note = f"{table.table}.{column.column}", f": {column.note}" if column.note else ""
    if column.verdict == "renumbered" and column.changed:
        return [f"{column.changed:,} rows of {table.to or table.table} have other rows leading to them{note}"]
    said = []
    if column.lost and column.to:
        said.append(f"{column.lost:,} values of {name} did not arrive in {column.to}{_by(column.by)}")
    elif column.lost and column.note:
        said.append(f"{column.lost:,} values of {name} are gone: it {column.note}{_by(column.by)}")
    elif column.lost and column.column in table.mapping:
        said.append(f"{column.lost:,} values of {name} are NULL now{_by(column.by)}")
    elif column.lost:
        said.append(f"{column.lost:,} values of {name} are gone with the column{_by(column.by)}")
    if column.changed and not table.tolerated:
        said.append(f"{column.changed:,} values of {name} are others now{note}{_by(column.by)}")
    return said


def _by(operation: str) -> str:
    return f" [{operation}]" if operation else ""

"""What a verdict means, for a person: what would be lost, and how to write the migration right."""

from __future__ import annotations

from ops.verdict import ColumnVerdict, TableVerdict, Verdict

RIGHT = (
    "write it as migrations.RenameModel (and RenameField for the links): no row moves. Or in the guide's order: "
    "1 create the new model, 2 copy the rows, 3 re-point the foreign keys, 4 delete the old model last"
)
COLUMN = "write it as migrations.RenameField; or copy the values before RemoveField"
SHOWN = 12
LOOK = "look at both sides: the clone as it was is kept beside the migrated one; then correct the migration"


def explain(target: str, verdict: Verdict, right: str = "") -> tuple[str, str]:
    """The message and the hint for a verdict that is refused.

    Args:
        right: how to write this very migration right, where that is known.
    """
    parts = [part for table in verdict.refused for part in sentences(table)]
    shown = "".join(f"\n  {part}" for part in parts[:SHOWN])
    shown += f"\n  and {len(parts) - SHOWN} more, in the report" if len(parts) > SHOWN else ""
    gone_table = any(table.lost and not table.mapping for table in verdict.refused)
    lost = any(table.lost or table.lost_values for table in verdict.refused)
    gone_column = any(column.lost and column.column not in t.mapping for t in verdict.refused for column in t.columns)
    hint = right or (RIGHT if gone_table else COLUMN if gone_column else LOOK)
    count = f"{_n(verdict.lost_rows, 'row')} and {_n(verdict.lost_values, 'value')} or links would be lost"
    if not lost:
        rows = sum(table.changed + table.duplicated for table in verdict.refused)
        values = sum(table.changed_values for table in verdict.refused)
        count = f"{_n(rows, 'row') if rows else _n(values, 'value')} would be changed"
    return f"{target}: refused, production is untouched: {count}:{shown}", hint


def sentences(table: TableVerdict) -> list[str]:
    """What happened to one table, in words; empty where nothing speaks against it."""
    keys = f" (for example {', '.join(table.sample)})" if table.sample else ""
    said = []
    if table.lost:
        where = f"; the others are in {table.to}" if table.to else ": the table goes, and no other one holds them"
        if table.mapping and not table.to:
            where = ", though the table stays"
        count = f"{table.lost:,} of {_n(table.rows_before, 'row')} of {table.table}"
        said.append(f"{count} {_are(table.lost)} gone{keys}{where}{_by(table.by)}")
    for column in table.columns:
        said += _of_column(table, column)
    if table.duplicated:
        twice = f"{_n(table.duplicated, 'row')} of {table.to or table.table} {_are(table.duplicated)} there twice"
        said.append(f"{twice}, equal but for their key{_by(table.by)}")
    if table.changed and not table.changed_values and not table.tolerated:
        said.append(f"{_n(table.changed, 'row')} of {table.table} with other content{keys}{_by(table.by)}")
    elif said and table.changed and not table.tolerated and keys:
        said[-1] += keys
    return said


def _of_column(table: TableVerdict, column: ColumnVerdict) -> list[str]:
    name, note = f"{table.table}.{column.column}", f": {column.note}" if column.note else ""
    if column.verdict == "renumbered" and column.changed:
        return [f"{_n(column.changed, 'row')} of {table.to or table.table}: other rows lead there now{note}"]
    said = []
    if column.lost and column.to:
        said.append(f"{_n(column.lost, 'value')} of {name} did not arrive in {column.to}{_by(column.by)}")
    elif column.lost and column.column in table.mapping:
        said.append(f"{_n(column.lost, 'value')} of {name} {_are(column.lost)} NULL now{_by(column.by)}")
    elif column.lost and column.note:
        said.append(f"{_n(column.lost, 'value')} of {name} {_are(column.lost)} gone: it {column.note}{_by(column.by)}")
    elif column.lost:
        said.append(f"{_n(column.lost, 'value')} of {name} {_are(column.lost)} gone with the column{_by(column.by)}")
    if column.changed and not table.tolerated:
        count = f"{_n(column.changed, 'value')} of {name}"
        said.append(f"{count} {_are(column.changed)} other than before{note}{_by(column.by)}")
    return said


def _by(operation: str) -> str:
    return f" [{operation}]" if operation else ""


def _n(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"

"""What a verdict means, for a person: what would be lost, and how to write the migration right."""

from __future__ import annotations

from ops.verdict import TableVerdict, Verdict

RIGHT = (
    "write it as migrations.RenameModel (and RenameField for the links): no row moves. Or in the guide's order: "
    "1 create the new model, 2 copy the rows, 3 re-point the foreign keys, 4 delete the old model last"
)
COLUMN = "write it as migrations.RenameField; or copy the values before RemoveField"


def explain(target: str, verdict: Verdict) -> tuple[str, str]:
    """The message and the hint for a verdict that is refused."""
    parts = [part for table in verdict.refused for part in sentences(table)]
    shown = "; ".join(parts[:6]) + (f"; and {len(parts) - 6} more" if len(parts) > 6 else "")
    gone_table = any(table.lost for table in verdict.refused)
    gone_column = any(table.lost_values for table in verdict.refused)
    hint = (
        RIGHT
        if gone_table
        else COLUMN
        if gone_column
        else ("look at both sides: the clone as it was is kept beside the migrated one; then correct the migration")
    )
    count = f"{verdict.lost_rows:,} rows and {verdict.lost_values:,} values or links would be lost"
    if not gone_table and not gone_column:
        count = f"{sum(table.changed for table in verdict.refused):,} rows would be changed"
    return f"{target}: refused, production is untouched: {count}. {shown}", hint


def sentences(table: TableVerdict) -> list[str]:
    """What happened to one table, in words; empty where nothing speaks against it."""
    said = []
    keys = f" (for example {', '.join(table.sample)})" if table.sample else ""
    if table.lost:
        where = f"; the others are in {table.to}" if table.to else ": the table goes, and no other one holds them"
        if table.mapping and not table.to:
            where = ", though the table stays"
        said.append(f"{table.lost:,} of {table.rows_before:,} rows of {table.table} are gone{keys}{where}")
    for column in table.columns:
        if column.lost and column.to:
            said.append(f"{column.lost:,} values of {table.table}.{column.column} did not arrive in {column.to}")
        elif column.lost:
            said.append(f"{column.lost:,} values of {table.table}.{column.column} are gone with the column")
    renumbered = any(column.verdict == "renumbered" for column in table.columns)
    if table.verdict == "changed" and renumbered:
        said.append(
            f"the {table.changed:,} rows of {table.table} are in {table.to} under new keys, and what links to them by "
            "content type and number can't be followed: keep the keys"
        )
    elif table.verdict == "changed" and table.refused:
        said.append(f"{table.changed:,} rows of {table.table} have other content{keys}")
    return said

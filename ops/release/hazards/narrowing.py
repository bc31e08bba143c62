"""Define the rules for narrower column types, which make a migration fail or change values."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ops.application.operations import Field
from ops.release.hazards.data_loss import DECLARE, sql_name
from ops.release.hazards.row_counts import quoted
from ops.release.hazards.rule import Found, Place, rule

# Before PostgreSQL 16 no condition finds the values that a type rejects.
NOT_ALL = "are not all readable as {}"
WHOLE = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}


@rule(
    "GP205",
    "stop",
    what="{words}: {old} → {new}, and {rows:,} values {fault}{keys}",
    why="PostgreSQL rejects these values, so the migration fails with DataError.",
    how="Correct the values first, or use a wider type.{look}",
)
def too_narrow(place: Place) -> Iterator[Found]:
    """Find a new column type that rejects existing values."""
    yield from (found for failing, found in _narrowed(place) if failing)


@rule(
    "GP105",
    "loss",
    what="{words}: {old} → {new}, and {rows:,} values {fault}{keys}",
    why="PostgreSQL casts each value to the new type. Values that do not fit are changed, and no error is reported.",
    how="Use a wider type; or add a new field, fill it, and remove the old field last.{look}\n" + DECLARE,
)
def changed_by_cast(place: Place) -> Iterator[Found]:
    """Find a new column type that silently changes existing values."""
    yield from (found for failing, found in _narrowed(place) if not failing)


def _narrowed(place: Place) -> Iterator[tuple[bool, Found]]:
    operation, before, after = place.operation, place.operation.before, place.operation.after
    column = place.column(operation.column)
    if operation.acts_as != "AlterField" or before is None or after is None or not column:
        return
    if not before.type or not after.type or widens(before.type, after.type) or not place.rows:
        return
    for failing, where, fault in _tests(place, before, after, quoted(column)):
        if rows := place.production.count(place.table, where):
            look = f" To list the values:\n    SELECT * FROM {sql_name(place.table)} WHERE {where};"
            # If no condition finds the wrong values, a row of the result may be a right one.
            keys = [] if fault == NOT_ALL.format(after.type) else place.production.keys(place.table, where)
            values = {"old": before.type, "new": after.type, "fault": fault, "look": look}
            values["keys"] = f" (for example {', '.join(keys)})" if keys else ""
            yield failing, Found(values, rows, place.table, column, tuple(place.changers()))
            return


def widens(before: str, after: str) -> bool:
    """Return True if the second type holds every value of the first type unchanged."""
    if before == after or (textual(before) and after in ("text", "varchar")):
        return True
    if before in WHOLE and after in WHOLE:
        return WHOLE[after] >= WHOLE[before]
    (kind, old), (other, new) = _sized(before), _sized(after)
    if kind != other or not old or len(old) != len(new):
        return False
    if kind == "varchar":
        return new[0] >= old[0]
    return kind == "numeric" and new[1] >= old[1] and new[0] - new[1] >= old[0] - old[1]


def textual(name: str) -> bool:
    """Return True if a type holds text."""
    return name == "text" or name.startswith("varchar")


def _sized(name: str) -> tuple[str, tuple[int, ...]]:
    """Split a type such as ``numeric(8, 2)`` into its name and its numbers."""
    found = re.fullmatch(r"(\w+)\(([\d, ]+)\)", name)
    return (found[1], tuple(int(part) for part in found[2].split(","))) if found else (name, ())


def _tests(place: Place, before: Field, after: Field, column: str) -> Iterator[tuple[bool, str, str]]:
    """Yield tests for values that do not fit: True if PostgreSQL fails on them, the condition, and the effect."""
    kind, size = _sized(after.type)
    if kind == "varchar" and size and textual(before.type):
        # Django casts explicitly between two families of types, and an explicit cast truncates silently.
        failing = before.family == after.family
        fault = f"are longer than {size[0]}" if failing else f"would be truncated to {size[0]} characters"
        yield failing, f"char_length({column}) > {size[0]}", fault
    elif kind == "numeric" and len(size) == 2 and _sized(before.type)[0] == "numeric":
        rounded = f"round({column}, {size[1]})"
        yield True, f"abs({rounded}) >= 10::numeric ^ {size[0] - size[1]}", f"have more than {size[0] - size[1]} digits"
        yield False, f"{rounded} <> {column}", f"would be rounded to {size[1]} decimals"
    elif before.type in WHOLE and after.type in WHOLE:
        most = WHOLE[after.type]
        yield True, f"{column} NOT BETWEEN {-most} AND {most - 1}", f"are too big for {after.type}"
    elif place.production.refuses(place.table, f"{column}::{after.type}"):
        where = f"NOT pg_input_is_valid({column}::text, '{after.type}')"
        if textual(before.type) and place.production.count(place.table, where):
            yield True, where, f"are not readable as {after.type}"
        else:
            yield True, f"{column} IS NOT NULL", NOT_ALL.format(after.type)
    else:
        yield False, f"({column}::{after.type})::{before.type} <> {column}", "would change"

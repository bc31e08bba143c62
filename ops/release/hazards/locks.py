"""Locks and rewrites in the pending migrations' SQL: what squawk says of it, for tables that are big enough to feel it.

squawk (squawk-cli on PyPI) reads the SQL as ``sqlmigrate`` shows it. RunPython has no SQL, so nothing is said of it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.application.inside.comments import without_comments
from ops.application.operations import Application, Names, Operation
from ops.release.hazards.narrowing import textual, widens
from ops.release.hazards.row_counts import Production
from ops.release.hazards.rule import Hazard, Level

# From how many rows on a lock is felt; below that, such a statement takes milliseconds.
MANY = 10_000
# How long squawk may take for one migration, in seconds.
PATIENCE = 30

MISSING = "squawk is not installed here, so locks and rewrites in the SQL are not looked at (pip install squawk-cli)"


@dataclass(frozen=True)
class Lint:
    """A rule of squawk's that matters here: our code for it, what happens to users, and how Django does it better."""

    code: str
    level: Level
    what: str
    how: str


BUILT = """Build it without blocking, in a migration of its own:
    from django.contrib.postgres.operations import AddIndexConcurrently
    class Migration(migrations.Migration):
        atomic = False
        operations = [AddIndexConcurrently("…", models.Index(…))]"""

VALID = """Add it without looking at the rows, and look at them in the next migration, while users go on:
    from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
    AddConstraintNotValid("…", models.CheckConstraint(…)),
    ValidateConstraint("…", name="…"),"""

LINTS: dict[str, Lint] = {
    "changing-column-type": Lint(
        "GP501",
        "lock",
        "nobody reads or writes {table} while it is written anew with the other type",
        "Add a field of the new type, fill it in batches, and remove the old one in a later release.",
    ),
    "require-concurrent-index-creation": Lint(
        "GP502", "lock", "writes to {table} wait while an index is built over all of its rows", BUILT
    ),
    "require-concurrent-index-deletion": Lint(
        "GP503",
        "lock",
        "reads and writes of {table} wait until those that go on have ended, while an index is dropped",
        "RemoveIndexConcurrently (django.contrib.postgres.operations), in a migration with atomic = False.",
    ),
    "constraint-missing-not-valid": Lint(
        "GP504", "lock", "writes to {table} wait while every row is held against a new constraint", VALID
    ),
    "adding-foreign-key-constraint": Lint(
        "GP505",
        "lock",
        "writes to {table} and to the table that it links to wait while every row is held against a new foreign key",
        """Add the field with db_constraint=False, and the constraint afterwards in two steps:
    migrations.RunSQL("ALTER TABLE … ADD CONSTRAINT … FOREIGN KEY … NOT VALID", …),
    migrations.RunSQL("ALTER TABLE … VALIDATE CONSTRAINT …", …),""",
    ),
    "disallowed-unique-constraint": Lint(
        "GP506",
        "lock",
        "nobody reads or writes {table} while a unique index is built over all of its rows",
        """Build the index first, in a migration with atomic = False, and take it for the constraint:
    migrations.RunSQL("CREATE UNIQUE INDEX CONCURRENTLY … ON …", …),
    migrations.RunSQL("ALTER TABLE … ADD CONSTRAINT … UNIQUE USING INDEX …", …, state_operations=[…]),""",
    ),
    "adding-not-nullable-field": Lint(
        "GP507",
        "lock",
        "nobody reads or writes {table} while every row is looked at for NULL",
        "Add a CheckConstraint … IS NOT NULL as NOT VALID, validate it, and only then set NOT NULL: PostgreSQL takes "
        "the constraint's word and does not look again.",
    ),
    "adding-field-with-default": Lint(
        "GP508",
        "lock",
        "nobody reads or writes {table} while each row is written anew with a value of its own",
        "Add the field with null=True, fill it in batches, and make it NOT NULL after that.",
    ),
    "ban-concurrent-index-creation-in-transaction": Lint(
        "GP509",
        "stop",
        "an index on {table} is built concurrently within a transaction, which PostgreSQL refuses",
        "Give the migration atomic = False, and no other operation.",
    ),
}

_TABLE = re.compile(
    r'\b(?:ALTER\s+TABLE(?:\s+IF\s+EXISTS)?(?:\s+ONLY)?|ON(?:\s+ONLY)?)\s+"?((?:[^"\s(;]|"\.")+)"?', re.IGNORECASE
)
_INDEX = re.compile(r'\bDROP\s+INDEX\s+(?:IF\s+EXISTS\s+)?"?([^"\s;]+)"?', re.IGNORECASE)


def squawk() -> str:
    """Where squawk is: beside our own Python, or on the path; empty where it is not."""
    beside = Path(sys.executable).with_name("squawk")
    return str(beside) if beside.is_file() else shutil.which("squawk") or ""


def lint(app: Application, sql: list[dict[str, Any]], production: Production) -> tuple[list[Hazard], list[str]]:
    """What squawk says of the SQL, as hazards; and what could not be looked at, a line each.

    Args:
        app: the plan, for the names that tables had before it.
        sql: each pending migration with its statements (see ``ops.application.inside``).
        production: for the rows.
    """
    program = squawk()
    if not program:
        return [], [MISSING]
    hazards: list[Hazard] = []
    said: list[str] = []
    version = production.connection.info.server_version // 10000
    for migration in sql:
        if migration["failed"]:
            said.append(f"{migration['migration']}: its SQL can't be shown beforehand ({migration['failed']})")
            continue
        found = _lint(program, migration, version)
        if found is None:
            said.append(f"{migration['migration']}: squawk can't read its SQL")
            continue
        hazards += _hazards(app, migration, found, production)
    hidden = [o.migration for o in app.operations if o.opaque and o.kind != "RunSQL"]
    said += [f"{name}: RunPython has no SQL that could be shown" for name in dict.fromkeys(hidden)]
    return hazards, said


def _lint(program: str, migration: dict[str, Any], version: int) -> list[dict[str, Any]] | None:
    words = [program, "--reporter=json", f"--pg-version={version}.0"]
    try:
        done = subprocess.run(
            words, input="\n".join(_statements(migration)), capture_output=True, text=True, timeout=PATIENCE
        )
        found = json.loads(done.stdout or "[]")
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return found if isinstance(found, list) else None


def _statements(migration: dict[str, Any]) -> list[str]:
    """Its statements within the transaction in which they run."""
    statements: list[str] = migration["statements"]
    return ["BEGIN;", *statements, "COMMIT;"] if migration["atomic"] and statements else statements


def _hazards(
    app: Application, migration: dict[str, Any], found: list[dict[str, Any]], production: Production
) -> Iterator[Hazard]:
    names = _names_before(app, migration["migration"])
    lines = [statement for statement in _statements(migration) for _ in statement.split("\n")]
    seen = set()
    for one in found:
        lint = LINTS.get(str(one.get("rule_name")))
        statement = lines[min(int(one.get("line", 0)), len(lines) - 1)] if lines else ""
        present = _table(statement, production)
        table = names.table(present) if present else ""
        rows = production.rows(table) if table else 0
        if lint is None or (lint.code, present) in seen or (rows < MANY and lint.level != "stop"):
            continue
        if _harmless(lint, app, migration["migration"], present, statement):
            continue
        seen.add((lint.code, present))
        what = lint.what.format(table=present) + (f" ({rows:,} rows)" if rows else "")
        why = f"{one['message']} (squawk: {one['rule_name']}) The statement: {statement.strip()}"
        yield Hazard(
            lint.code, lint.level, migration["migration"], "", table or present, "", rows or None, what, why, lint.how
        )


def _names_before(app: Application, migration: str) -> Names:
    """What tables were called before the plan, seen from a migration's end."""
    names, last = Names(), False
    for operation in app.operations:
        if last and operation.migration != migration:
            break
        last = operation.migration == migration
        names.take(operation)
    return names


def _table(written: str, production: Production) -> str:
    statement = without_comments(written)
    if found := _INDEX.search(statement):
        query = "SELECT indrelid::regclass::text FROM pg_index WHERE indexrelid = to_regclass(%s)"
        row = production.connection.execute(query, [f'"{found[1]}"']).fetchone()
        return str(row[0]).strip('"') if row else ""
    found = _TABLE.search(statement)
    return found[1] if found else ""


def _harmless(lint: Lint, app: Application, migration: str, table: str, statement: str) -> bool:
    """Whether PostgreSQL needs no look at the rows for what squawk warns of, or another warning says it better."""
    if lint.code == "GP501":
        # A type in which every value stays as it is, byte for byte, is no table written anew.
        return any(_in_place(one) for one in app.operations if _alters(one, migration, table, statement))
    if lint.code == "GP505":
        # A new column without a default holds nothing that could be checked.
        return bool(re.search(r"\bADD COLUMN\b(?!.*\bDEFAULT\b)", statement, re.IGNORECASE | re.DOTALL))
    return lint.code == "GP504" and bool(re.search(r"\b(UNIQUE|FOREIGN KEY)\b", statement, re.IGNORECASE))


def _alters(operation: Operation, migration: str, table: str, statement: str) -> bool:
    here = operation.migration == migration and operation.acts_as == "AlterField" and operation.new_table == table
    return here and f'"{operation.new_column}"' in statement


def _in_place(operation: Operation) -> bool:
    before, after = operation.before, operation.after
    if before is None or after is None or not widens(before.type, after.type):
        return False
    longer = before.decimals is not None and before.decimals == after.decimals
    return longer or (textual(before.type) and textual(after.type))

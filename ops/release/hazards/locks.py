"""Find locks and table rewrites in the SQL of pending migrations, by squawk, for large tables.

squawk (squawk-cli on PyPI) reads the SQL that ``sqlmigrate`` shows. RunPython has no SQL, so squawk reports nothing
about it.
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

# With fewer rows, such a statement takes milliseconds, so users do not notice the lock.
MANY = 10_000
# Seconds that squawk may take for one migration.
PATIENCE = 30

MISSING = "squawk is not installed, so locks and table rewrites are not checked (pip install squawk-cli)"


@dataclass(frozen=True)
class Lint:
    """Map a rule of squawk to a hazard: code, effect on users, and the correction in Django."""

    code: str
    level: Level
    what: str
    how: str


BUILT = """Build the index without blocking writes, in a separate migration:
    from django.contrib.postgres.operations import AddIndexConcurrently
    class Migration(migrations.Migration):
        atomic = False
        operations = [AddIndexConcurrently("…", models.Index(…))]"""

VALID = """Add the constraint without checking the rows. Check the rows in the next migration, which blocks nobody:
    from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
    AddConstraintNotValid("…", models.CheckConstraint(…)),
    ValidateConstraint("…", name="…"),"""

LINTS: dict[str, Lint] = {
    "changing-column-type": Lint(
        "GP501",
        "lock",
        "reads and writes of {table} wait while PostgreSQL rewrites the table with the new type",
        "Add a field of the new type, fill it in batches, and remove the old field in a later release.",
    ),
    "require-concurrent-index-creation": Lint(
        "GP502", "lock", "writes to {table} wait while PostgreSQL builds an index over all rows", BUILT
    ),
    "require-concurrent-index-deletion": Lint(
        "GP503",
        "lock",
        "reads and writes of {table} wait for all running queries on the table, while PostgreSQL drops an index",
        "Use RemoveIndexConcurrently (django.contrib.postgres.operations) in a migration with atomic = False.",
    ),
    "constraint-missing-not-valid": Lint(
        "GP504", "lock", "writes to {table} wait while PostgreSQL checks every row against a new constraint", VALID
    ),
    "adding-foreign-key-constraint": Lint(
        "GP505",
        "lock",
        "writes to {table} and the referenced table wait while PostgreSQL checks every row against a new foreign key",
        """Add the field with db_constraint=False. Then add the constraint in two steps:
    migrations.RunSQL("ALTER TABLE … ADD CONSTRAINT … FOREIGN KEY … NOT VALID", …),
    migrations.RunSQL("ALTER TABLE … VALIDATE CONSTRAINT …", …),""",
    ),
    "disallowed-unique-constraint": Lint(
        "GP506",
        "lock",
        "reads and writes of {table} wait while PostgreSQL builds a unique index over all rows",
        """Build the index first, in a migration with atomic = False. Then use the index for the constraint:
    migrations.RunSQL("CREATE UNIQUE INDEX CONCURRENTLY … ON …", …),
    migrations.RunSQL("ALTER TABLE … ADD CONSTRAINT … UNIQUE USING INDEX …", …, state_operations=[…]),""",
    ),
    "adding-not-nullable-field": Lint(
        "GP507",
        "lock",
        "reads and writes of {table} wait while PostgreSQL checks every row for NULL",
        "Add a CheckConstraint … IS NOT NULL as NOT VALID, validate it, then set NOT NULL: PostgreSQL does "
        "not check the rows again.",
    ),
    "adding-field-with-default": Lint(
        "GP508",
        "lock",
        "reads and writes of {table} wait while PostgreSQL rewrites every row with its default",
        "Add the field with null=True, fill it in batches, then set NOT NULL.",
    ),
    "ban-concurrent-index-creation-in-transaction": Lint(
        "GP509",
        "stop",
        "PostgreSQL cannot build an index on {table} concurrently inside a transaction",
        "Set atomic = False in the migration, and keep no other operation in it.",
    ),
}

_TABLE = re.compile(
    r'\b(?:ALTER\s+TABLE(?:\s+IF\s+EXISTS)?(?:\s+ONLY)?|ON(?:\s+ONLY)?)\s+"?((?:[^"\s(;]|"\.")+)"?', re.IGNORECASE
)
_INDEX = re.compile(r'\bDROP\s+INDEX\s+(?:IF\s+EXISTS\s+)?"?([^"\s;]+)"?', re.IGNORECASE)


def squawk() -> str:
    """Return the path of squawk, beside this Python or on PATH, or an empty string."""
    beside = Path(sys.executable).with_name("squawk")
    return str(beside) if beside.is_file() else shutil.which("squawk") or ""


def lint(app: Application, sql: list[dict[str, Any]], production: Production) -> tuple[list[Hazard], list[str]]:
    """Run squawk on the SQL. Return the hazards, and one line for each thing that was not checked.

    Args:
        app: the plan; it maps table names to the names before the plan.
        sql: each pending migration with its statements (see ``ops.application.inside``).
        production: the database that holds the rows.
    """
    program = squawk()
    if not program:
        return [], [MISSING]
    hazards: list[Hazard] = []
    said: list[str] = []
    version = production.connection.info.server_version // 10000
    for migration in sql:
        if migration["failed"]:
            said.append(f"{migration['migration']}: Django cannot show its SQL ({migration['failed']})")
            continue
        found = _lint(program, migration, version)
        if found is None:
            said.append(f"{migration['migration']}: squawk cannot read its SQL")
            continue
        hazards += _hazards(app, migration, found, production)
    hidden = [o.migration for o in app.operations if o.opaque and o.kind != "RunSQL"]
    said += [f"{name}: RunPython has no SQL to check" for name in dict.fromkeys(hidden)]
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
    """Return the migration's statements, with BEGIN and COMMIT if they run in a transaction."""
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
        why = f"{one['message']} (squawk: {one['rule_name']}) Statement: {statement.strip()}"
        yield Hazard(
            lint.code, lint.level, migration["migration"], "", table or present, "", rows or None, what, why, lint.how
        )


def _names_before(app: Application, migration: str) -> Names:
    """Map the table names after a migration to the names before the plan."""
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
    """Return True if PostgreSQL does not scan the rows, or if another hazard reports the statement better."""
    if lint.code == "GP501":
        # PostgreSQL does not rewrite the table if every value is stored alike in the new type.
        return any(_in_place(one) for one in app.operations if _alters(one, migration, table, statement))
    if lint.code == "GP505":
        # A new column without a default holds no value to check.
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

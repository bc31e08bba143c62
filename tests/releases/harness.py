"""Makes the databases of a case, asks for the verdict, and says in what it is not the expected one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ops.application.operations import Application
from ops.core.sql_files import SQL_FOLDER
from ops.release.certificate import moves
from ops.release.production import production_check
from ops.release.production.production_check import hold
from ops.verdict import fingerprint
from ops.verdict.accounting.judge import judge
from ops.verdict.databases import Databases
from ops.verdict.expect.expectations import Expectations, load
from ops.verdict.expect.expectations_draft import draft, write
from ops.verdict.expect.expectations_match import declare
from ops.verdict.expect.limits import Allowed
from ops.verdict.fingerprint import Fingerprint
from ops.verdict.model import Look, TableVerdict, Verdict
from tests.releases.case import Case
from tests.releases.school import SCHOOL, SHOP
from tests.support.client import Client

EMPTY = """
SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' \\gexec
CREATE SCHEMA public;
"""
APPLIED = """
RESET ALL;
INSERT INTO django_migrations (app, name, applied) VALUES ('school', '0002_next', now());
"""


class DoesNotRun(Exception):
    """The case's own SQL is wrong, not the judge."""


WRONGLY_PROMOTED, WRONGLY_REFUSED, NUMBERS, RAISED = "wrongly promoted", "wrongly refused", "other numbers", "raised"
UNPROVED, UNDECLARED = "not held by production", "refused although declared"
MIGRATION = "school.0002_next"


def ask(case: Case, before: Fingerprint, after: Fingerprint, look: Look) -> Verdict:
    """Call the judge: the one place that knows how. A judge that takes no plan judges by content alone."""
    return judge(before, after, look, None if case.plan is None else known(case.plan))


def known(plan: Sequence[dict[str, Any]]) -> Application:
    """A case's operations as the application would tell them."""
    return Application.read({"operations": [_operation(number, given) for number, given in enumerate(plan)]})


def _operation(number: int, given: dict[str, Any]) -> dict[str, Any]:
    kind, table, column = given["kind"], given.get("table", ""), given.get("column", "")
    new_table, new_column = given.get("new_table") or table, given.get("new_column") or column
    renamed = {
        "tables_renamed": [(table, new_table)] if kind in ("RenameModel", "AlterModelTable") else [],
        "columns_renamed": [(table, column, new_column)] if kind == "RenameField" else [],
    }
    known = {"migration": MIGRATION, "index": number, "acts_as": kind, "new_table": new_table}
    return {**given, **known, **renamed, "new_column": new_column}


class Releases:
    """The databases of the cases; ``make`` creates one and gives its name.

    The most used schemas keep a database for as long as the tests run; all others share one, since to drop a database
    costs more than to fill it anew.
    """

    def __init__(self, client: Client, make: Callable[[str], str], folder: Path) -> None:
        self.client, self.folder = client, folder
        self.after = make("after")
        self.databases = {SCHOOL: make("school"), SHOP: make("shop"), "": make("other")}
        self.before: dict[str, tuple[str, Fingerprint]] = {}

    def verdict(self, case: Case) -> Verdict:
        """The verdict on a case."""
        database = self.databases.get(case.schema, self.databases[""])
        if self.before.get(database, ("", None))[0] != case.schema:
            self.before[database] = case.schema, self._filled(database, case.schema)
        applied = APPLIED if "django_migrations" in case.schema else ""
        new = self._filled(self.after, case.schema, case.migration, applied)
        self.judged = database, self.before[database][1], new
        with self.client.connect(database) as one, self.client.connect(self.after) as two:
            return ask(case, self.before[database][1], new, Databases({"before": one, "after": two}))

    def on_production(self, verdict: Verdict, allowed: Mapping[str, Allowed] | None = None) -> list[str]:
        """What a promotion would object to if production were the very clone: nothing, or the proofs are no proofs."""
        database, old, new = self.judged
        went = moves(verdict, old, new, allowed or {})
        found: Any = SimpleNamespace(moves=went, schema_after=new.schema, schema_parts_after={}, sources={}, since=None)
        with self.client.connect(database) as one, self.client.connect(self.after) as two:
            before = Databases({"before": one})
            said, held = production_check.losses(found, before), hold(found, old, before, self.folder)
            return said + production_check.objections(found, held, new, Databases({"after": two}))

    def declared(self, verdict: Verdict) -> list[str]:
        """What a promotion would object to after a refused loss was declared by its draft."""
        path = self.folder / "migrations.expect.yaml"
        path.unlink(missing_ok=True)
        write(path, draft(verdict, Expectations(), [MIGRATION]))
        path.write_text(path.read_text().replace('why: ""', "why: agreed"))
        held = declare(verdict, load(path, path.name), [MIGRATION], [])
        left = [table.table for table in held.left.refused]
        return held.objections + left or self.on_production(verdict, held.allowed)

    def _filled(self, database: str, *statements: str) -> Fingerprint:
        """Fill a database anew and take its fingerprint, in one call of psql."""
        words = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", f"service=it dbname={database}"]
        for number, text in enumerate((EMPTY, *statements)):
            path = self.folder / f"{number}.sql"
            path.write_text(text)
            words += ["-c", "\\o /dev/null", "-f", str(path)]
        result = self.folder / "fingerprint.jsonl"
        words += ["-c", f"\\o {result}", "-f", str(SQL_FOLDER / "fingerprint.sql")]
        done = self.client.call(*words, env={"PGOPTIONS": "-c client_min_messages=error"})
        if done.returncode:
            raise DoesNotRun(done.stderr)
        return fingerprint.read(result)


def objections(case: Case, verdict: Verdict) -> dict[str, str]:
    """In what a verdict is not the expected one: what kind of error, and how it shows."""
    refused = {short(table.table): said(table) for table in verdict.refused}
    if case.promote and refused:
        return {WRONGLY_REFUSED: f"{refused}"}
    if not case.promote and not refused:
        return {WRONGLY_PROMOTED: f"expected {case.numbers}"}
    tables = {short(table.table): table for table in verdict.tables}
    if case.promote:
        wrong = {old: new for old, new in case.went.items() if destination(tables, old) != new}
        found = {old: destination(tables, old) for old in wrong}
        return {NUMBERS: f"should have gone {wrong}, but went {found}"} if wrong else {}
    if case.numbers is None:
        return {}
    wanted = {name: case.numbers.get(name, "nothing") for name in {*tables, *case.numbers}}
    wrong = {name: text for name, text in wanted.items() if not any(holds(tables, name, t) for t in text.split(" or "))}
    if wrong:
        return {
            NUMBERS: f"expected {wrong}, but found { {name: said(tables[name]) for name in wrong if name in tables} }"
        }
    return {}


def holds(tables: dict[str, TableVerdict], name: str, text: str) -> bool:
    """Whether one way to tell what became of a table is how it was told."""
    wanted = (
        {}
        if text == "nothing"
        else {what: int(n) for what, n in (part.strip().rsplit(" ", 1) for part in text.split(","))}
    )
    if name not in tables:
        return not wanted
    return {**dict.fromkeys(said(tables[name]), 0), **wanted} == said(tables[name])


def said(table: TableVerdict) -> dict[str, int]:
    """What a verdict says of a table: rows lost and changed, and values lost by column. Django's own tables may
    change."""
    values = {column.column: column.lost for column in table.columns if column.lost}
    changed = 0 if table.tolerated else table.changed
    lost = 0 if table.kept_by_django else table.lost
    return {what: n for what, n in {"lost": lost, "changed": changed}.items() if n} | values


def destination(tables: dict[str, TableVerdict], old: str) -> str:
    """Where a table or column is now, as a case names it."""
    name, _, column = old.partition(".")
    table = tables[name]
    if not column:
        return short(table.to)
    to = next((c.to for c in table.columns if c.column == column), "")
    return short(to) if "." in to else f"{short(table.to) or name}.{to}"


def short(name: str) -> str:
    """A table's name without the schema where all are."""
    return re.sub(r"^public\.", "", name)

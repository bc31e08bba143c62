"""What migrations fail at in the database, as data like ``ops/infra/postgres/failure_catalog.py``: in the code, or
in the rows."""

from __future__ import annotations

from ops.infra.postgres.failure_kind import MIGRATE, RELEASE, Failure

_N = r'(?:"([^"]+)"|(\S+))'
IN_MIGRATIONS = (
    Failure(
        "not as migrated",
        rf"(?:relation|column|constraint|index|table) {_N}(?: of relation {_N})? does not exist",
        "the migrations expect {0}, which is not there: it was changed by hand, or a migration is missing",
        "compare it with the models (python manage.py inspectdb), and correct the migration",
        RELEASE,
        ("42P01", "42703", "42704"),
        tool=MIGRATE,
    ),
    Failure(
        "made by hand",
        r"(?:column|relation|constraint|index|type) (.+) already exists",
        "{0} is there already: it was made by hand, or by a migration that is not recorded",
        "correct the migration; where it is just what the migration makes, an administrator records it: migrate --fake",
        RELEASE,
        ("42701", "42P07", "42710"),
        tool=MIGRATE,
    ),
    Failure(
        "depends",
        r"cannot drop (.+?) because other objects depend on it",
        "views, functions or keys that the migrations do not know depend on {0}",
        "drop and create them in the migration, too (RunSQL)",
        RELEASE,
        ("2BP01",),
        tool=MIGRATE,
    ),
    Failure(
        "used by a view",
        r"cannot alter type of a column used by (.+)",
        "{0} uses the column",
        "drop and create it around the change, in the migration (RunSQL)",
        RELEASE,
        ("0A000",),
        tool=MIGRATE,
    ),
    Failure(
        "pending checks",
        rf"cannot (?:ALTER|DROP|TRUNCATE) \w+ {_N} because it has pending trigger events",
        "one migration changes rows and then the same table's form: their checks are still waiting",
        "two migrations; or SET CONSTRAINTS ALL IMMEDIATE between the two (RunSQL)",
        RELEASE,
        ("55006",),
        tool=MIGRATE,
    ),
    Failure(
        "rows in the way",
        rf"could not create unique index {_N}|duplicate key value violates unique constraint {_N}"
        rf"|insert or update on table {_N} violates foreign key constraint {_N}"
        rf"|.*check constraint {_N} .*is violated by some row"
        rf"|new row for relation {_N} violates check constraint {_N}|column {_N} .*contains null values"
        rf"|null value in column {_N} .*",
        "rows do not hold what the migration asks for ({0}){key}",
        "correct the rows in a migration before it (RunPython)",
        RELEASE,
        ("23505", "23503", "23514", "23502"),
        tool=MIGRATE,
    ),
    Failure(
        "values in the way",
        r"(?:invalid input syntax for type|value too long for type|.* out of range"
        r"|column .* cannot be cast automatically to type|invalid input value for enum"
        r"|time zone .*)(.*)",
        "a value does not fit its new type",
        "correct the rows in a migration before it (RunPython), or convert them (USING …, RunSQL)",
        RELEASE,
        ("22P02", "22001", "22003", "42804", "22007", "22008"),
        tool=MIGRATE,
    ),
)

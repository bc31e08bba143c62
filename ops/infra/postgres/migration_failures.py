"""The failure catalogue of migrations, as data like ``ops/infra/postgres/failure_catalog.py``."""

from __future__ import annotations

from ops.infra.postgres.failure_kind import MIGRATE, RELEASE, Failure

_N = r'(?:"([^"]+)"|(\S+))'
IN_MIGRATIONS = (
    Failure(
        "not as migrated",
        rf"(?:relation|column|constraint|index|table) {_N}(?: of relation {_N})? does not exist",
        "the migrations expect {0}, which does not exist: it was changed by hand, or a migration is missing",
        "compare the database with the models (python manage.py inspectdb), and correct the migration",
        RELEASE,
        ("42P01", "42703", "42704"),
        tool=MIGRATE,
    ),
    Failure(
        "made by hand",
        r"(?:column|relation|constraint|index|type) (.+) already exists",
        "{0} already exists: it was created by hand, or by a migration that is not recorded",
        "correct the migration; if the migration would create the same, an administrator records it: migrate --fake",
        RELEASE,
        ("42701", "42P07", "42710"),
        tool=MIGRATE,
    ),
    Failure(
        "depends",
        r"cannot drop (.+?) because other objects depend on it",
        "views, functions or keys that are unknown to the migrations depend on {0}",
        "drop and recreate them in the migration (RunSQL)",
        RELEASE,
        ("2BP01",),
        tool=MIGRATE,
    ),
    Failure(
        "used by a view",
        r"cannot alter type of a column used by (.+)",
        "{0} uses the column",
        "drop and recreate it in the migration (RunSQL)",
        RELEASE,
        ("0A000",),
        tool=MIGRATE,
    ),
    Failure(
        "pending checks",
        rf"cannot (?:ALTER|DROP|TRUNCATE) \w+ {_N} because it has pending trigger events",
        "one migration changes rows and then alters the same table while checks of the rows are pending",
        "split the migration in two; or SET CONSTRAINTS ALL IMMEDIATE between the changes (RunSQL)",
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
        "rows violate a constraint of the migration ({0}){key}",
        "correct the rows in an earlier migration (RunPython)",
        RELEASE,
        ("23505", "23503", "23514", "23502"),
        tool=MIGRATE,
    ),
    Failure(
        "values in the way",
        r"(?:invalid input syntax for type|value too long for type|.* out of range"
        r"|column .* cannot be cast automatically to type|invalid input value for enum"
        r"|time zone .*)(.*)",
        "a value does not fit the new type",
        "correct the rows in an earlier migration (RunPython), or convert the values (USING …, RunSQL)",
        RELEASE,
        ("22P02", "22001", "22003", "42804", "22007", "22008"),
        tool=MIGRATE,
    ),
)

"""What pg_restore fails at on a real server is named with its object, its cause and what to type."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ops.infra.postgres.failure_catalog import FAILURES
from ops.infra.postgres.failure_kind import BACKUP, MENDED
from ops.infra.postgres.failure_text import Trouble, beside, explain, of_migration, troubles
from ops.infra.postgres.migration_failures import IN_MIGRATIONS
from tests.support.client import Client, quoted, succeeded

Named = Callable[..., str]

# What production has, what of it cannot be restored by a role that owns the database: object, kind, what to type.
CASES = {
    "an event trigger": (
        "CREATE FUNCTION heard() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "ALTER FUNCTION heard() OWNER TO {role};"
        "CREATE EVENT TRIGGER watcher ON ddl_command_end EXECUTE FUNCTION heard()",
        (
            "event trigger watcher",
            "event trigger",
            "after a rollback   CREATE EVENT TRIGGER watcher ON ddl_command_end EXECUTE FUNCTION public.heard()",
        ),
    ),
    "a publication of all": (
        "CREATE PUBLICATION told FOR ALL TABLES",
        ("publication told", "publication of all", "CREATE PUBLICATION told FOR TABLE …   on production"),
    ),
    "a function of an administrator": (
        "CREATE FUNCTION admin() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        ("function public.admin", "owner", "ALTER FUNCTION public.admin() OWNER TO {role}   on production"),
    ),
    "the owner of public": (
        "ALTER SCHEMA public OWNER TO postgres",
        ("schema public", "owner", "ALTER SCHEMA public OWNER TO {role}   on production"),
    ),
    "a table of another role": (
        "CREATE TABLE theirs (id int); ALTER TABLE theirs OWNER TO {other}",
        ("table public.theirs", "owner", "GRANT {other} TO {role}"),
    ),
    "a table of a role that this one only administers": (
        "CREATE TABLE theirs (id int); ALTER TABLE theirs OWNER TO {other};"
        "GRANT {other} TO {role} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE",
        ("table public.theirs", "owner", "GRANT {other} TO {role} WITH INHERIT TRUE, SET TRUE"),
    ),
    "a foreign-data wrapper, a server and a mapping": (
        "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER there FOREIGN DATA WRAPPER far;"
        "CREATE USER MAPPING FOR {other} SERVER there",
        ("foreign data wrapper far", "superuser", "SUPERUSER"),
    ),
    "an index whose function fails": (
        "CREATE FUNCTION short(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';"
        "CREATE TABLE t (secret text); INSERT INTO t VALUES ('x1'); CREATE INDEX shorter ON t (short(secret));"
        "CREATE OR REPLACE FUNCTION short(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1::int; END';"
        "ALTER TABLE t OWNER TO {role}; ALTER FUNCTION short OWNER TO {role}",
        ("index shorter", "index function", "REINDEX INDEX shorter   on production"),
    ),
    "an extension": (
        "CREATE EXTENSION pageinspect",
        (
            "extension pageinspect",
            "extension by an administrator",
            "CREATE EXTENSION pageinspect   in the database template1",
        ),
    ),
    "default privileges of a superuser": (
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {other}",
        (
            "default privileges of postgres",
            "default privileges",
            "ALTER DEFAULT PRIVILEGES FOR ROLE postgres REVOKE SELECT ON TABLES FROM {other}   on production",
        ),
    ),
    "default privileges of another role": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {other} GRANT SELECT ON TABLES TO {role}",
        ("default privileges of {other}", "default privileges", "GRANT {other} TO {role}"),
    ),
    "a function of a generated column that needs search_path": (
        "CREATE FUNCTION low(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)';"
        "CREATE FUNCTION tidy(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT low($1)';"
        "ALTER FUNCTION low(text) OWNER TO {role}; ALTER FUNCTION tidy(text) OWNER TO {role};"
        "CREATE TABLE people (name text, tidied text GENERATED ALWAYS AS (tidy(name)) STORED);"
        "ALTER TABLE people OWNER TO {role}; INSERT INTO people VALUES ('hush')",
        ("table public.people", "search_path", "ALTER FUNCTION tidy SET search_path = …   on production"),
    ),
    "a right that another role granted": (
        "CREATE TABLE told (id int); ALTER TABLE told OWNER TO {role};"
        "GRANT SELECT ON told TO {other} WITH GRANT OPTION; SET ROLE {other}; GRANT SELECT ON told TO pg_monitor",
        (
            "table public.told",
            "granted by another",
            "SET ROLE {other}; REVOKE SELECT ON TABLE public.told FROM pg_monitor; RESET ROLE; "
            "GRANT SELECT ON TABLE public.told TO pg_monitor   on production",
        ),
    ),
    "a right on a function of the server": (
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO {other}",
        (
            "function pg_catalog.pg_read_file",
            "right on the server's own",
            "REVOKE ALL ON FUNCTION pg_catalog.pg_read_file(text) FROM {other}   on production, as an administrator   "
            "(and after a rollback   GRANT ALL ON FUNCTION pg_catalog.pg_read_file(text) TO {other})",
        ),
    ),
    "a leakproof function": (
        "CREATE FUNCTION sure(int) RETURNS bool LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT true';"
        "ALTER FUNCTION sure(int) OWNER TO {role}",
        ("function public.sure", "leakproof", "ALTER FUNCTION public.sure NOT LEAKPROOF   on production"),
    ),
    "a function with a setting of an administrator": (
        "CREATE FUNCTION quiet() RETURNS int LANGUAGE sql SET log_statement = 'none' AS 'SELECT 1';"
        "ALTER FUNCTION quiet() OWNER TO {role}",
        ("function public.quiet", "setting of an administrator", "GRANT SET ON PARAMETER log_statement TO {role}"),
    ),
    "a function in a language of an administrator": (
        "CREATE FUNCTION inner_pid() RETURNS int LANGUAGE internal AS 'pg_backend_pid';"
        "ALTER FUNCTION inner_pid() OWNER TO {role}",
        ("function public.inner_pid", "language of an administrator", "DROP FUNCTION public.inner_pid   on production"),
    ),
    "an access method": (
        "CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler",
        ("access method heap2", "superuser", "SUPERUSER"),
    ),
}


def tried(client: Client, source: str, copy: str, role: str, tmp_path: Path, *more: str) -> list[Trouble]:
    """Dump as the administrator, restore as a role; what failed."""
    dump = tmp_path / "dump"
    succeeded(client.call("pg_dump", "-Fc", f"--dbname=service=it dbname={source}", f"--file={dump}"))
    client.ask(f"ALTER DATABASE {copy} OWNER TO {quoted(role)}")
    where = make_conninfo(client.server.url(copy), user=role, password="x")
    return troubles(
        client.call("pg_restore", f"--dbname={where}", *more, str(dump)).stderr, role, frozenset({"postgres"})
    )


@pytest.mark.parametrize("case", CASES)
def test_what_a_role_may_not_restore_is_named(
    client: Client, role: str, other_role: str, named: Named, tmp_path: Path, case: str
) -> None:
    statements, (name, known, then) = CASES[case]
    words = {"role": quoted(role), "other": quoted(other_role)}
    source, copy = named("source", statements.format(**words)), named("copy")
    found = tried(client, source, copy, role, tmp_path)
    assert [(one.object, one.known) for one in found] == [(name.format(**words), known)], found
    assert then.format(**words) in found[0].then, found
    assert "hush" not in f"{found[0].sentence}{found[0].then}{found[0].said}"


def test_rows_that_cannot_be_restored_are_named_without_their_values(
    client: Client, role: str, named: Named, tmp_path: Path
) -> None:
    source = named(
        "source",
        "CREATE FUNCTION fresh(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS "
        "'BEGIN RETURN coalesce(current_setting(''shop.fresh'', true), '''') = ''yes''; END'",
        f"ALTER FUNCTION fresh(text) OWNER TO {quoted(role)}",
        "SET shop.fresh = 'yes'; CREATE TABLE told (secret text CHECK (fresh(secret)));"
        "INSERT INTO told VALUES ('hush')",
        f"ALTER TABLE told OWNER TO {quoted(role)}",
    )
    [found] = tried(client, source, named("copy"), role, tmp_path)
    assert (found.object, found.known, found.where) == ("table told", "constraint", BACKUP)
    assert "told_secret_check" in found.then and "hush" not in f"{found.sentence}{found.then}{found.said}"


# The server's words, and what is known of them. Rare ones are not provoked here.
SAID = {
    "permission denied for tablespace fast": (
        "right to a tablespace",
        MENDED,
        'GRANT CREATE ON TABLESPACE "fast" TO app',
    ),
    "permission denied for foreign-data wrapper far": (
        "foreign-data wrapper",
        MENDED,
        "GRANT USAGE ON FOREIGN DATA WRAPPER far TO app",
    ),
    "deadlock detected": ("deadlock", MENDED, "`dump: {jobs: 1}` in the inventory"),
    'materialized view "q" has not been populated': ("not filled", MENDED, "REFRESH MATERIALIZED VIEW q"),
    'role "gone" does not exist': ("role", MENDED, 'CREATE ROLE "gone" NOLOGIN'),
    'must be member of role "boss"': ("owner", MENDED, "GRANT boss TO app"),
    'could not create unique index "one"': ("duplicates", BACKUP, 'REINDEX INDEX "one"'),
    'could not create exclusion constraint "one"': ("exclusion", BACKUP, 'REINDEX INDEX "one"'),
    'new row for relation "t1" violates partition constraint': ("partition", BACKUP, "DETACH PARTITION t1"),
    "invalid memory alloc request size 1157627905": ("row too long", BACKUP, "as a large object   on production"),
    "out of shared memory": ("locks", MENDED, "max_locks_per_transaction"),
    "sorry, too many clients already": ("connections", MENDED, "jobs: 1"),
    "remaining connection slots are reserved for roles with the SUPERUSER attribute": (
        "connections",
        MENDED,
        "jobs: 1",
    ),
    "canceling statement due to statement timeout": ("timeout", MENDED, "statement_timeout = 0"),
    'tablespace "fast" does not exist': ("tablespace", MENDED, 'CREATE TABLESPACE "fast"'),
    'could not extend file "base/1/2": No space left on device': ("disk", MENDED, "free disk space"),
    "unsupported version (1.16) in file header": ("version", MENDED, "install the client tools"),
    'unrecognized configuration parameter "transaction_timeout"': ("version", MENDED, "install the client tools"),
    'extension "postgis" is not available': ("extension", MENDED, "install the package of postgis"),
    'invalid byte sequence for encoding "UTF8": 0xff': ("bytes", BACKUP, "correct the text on production"),
    'database "shop_new" already exists': ("name taken", MENDED, 'ALTER DATABASE "shop_new" RENAME'),
    'not swapped: database "shop_old" already exists': ("name taken", MENDED, "inv status"),
    'type "citext" already exists': ("there", MENDED, "template1"),
    'source database "template1" is being accessed by other users': (
        "template in use",
        MENDED,
        "datname = 'template1'",
    ),
    "can only create extension in database cron": ("extension of one database", BACKUP, "to the database postgres"),
    "permission denied to create subscription": ("subscription", MENDED, "GRANT pg_create_subscription TO app"),
}


@pytest.mark.parametrize("said", SAID)
def test_the_servers_words_lead_to_what_to_type(said: str) -> None:
    known, where, then = SAID[said]
    found = explain(said, role="app")
    assert (found.known, found.where) == (known, where) and then in found.then, found


@pytest.mark.parametrize(
    ("key", "shown"), [("5", True), ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", True), ("hush", False)]
)
def test_a_key_is_shown_where_it_is_no_secret(key: str, shown: bool) -> None:
    found = explain('could not create unique index "one"', f"DETAIL:  Key (id)=({key}) is duplicated.\n")
    assert (key in found.sentence) == shown


def test_what_is_not_known_keeps_the_servers_words() -> None:
    found = explain("something new happened", command="CREATE TABLE public.a (\n  id int\n);")
    assert (found.known, found.sentence, found.then) == ("", "table public.a: something new happened", "")


def test_an_index_that_a_broken_one_let_in_is_said_to_be_broken_on_production_too(
    client: Client, role: str, named: Named, tmp_path: Path
) -> None:
    source = named(
        "source",
        "CREATE TABLE twice (id int); INSERT INTO twice VALUES (7), (7)",
        "ALTER TABLE twice OWNER TO " + quoted(role),
    )
    client.ask("CREATE UNIQUE INDEX one ON twice (id) WHERE false", source)
    dump = tmp_path / "dump"
    succeeded(client.call("pg_dump", "-Fp", f"--dbname=service=it dbname={source}", f"--file={dump}"))
    dump.write_text(dump.read_text().replace(" WHERE false", ""))
    done = client.call("psql", "-Xq", "-f", str(dump), f"service=it dbname={named('copy')}")
    [found] = [one for one in troubles(done.stderr) if one.known]
    assert found.known == "duplicates" and "(id = 7)" in found.sentence and "production's index" in found.sentence


def test_functions_that_a_restore_may_not_run_are_found_without_rows(client: Client, named: Named) -> None:
    source = named(
        "source",
        "CREATE FUNCTION low(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)';"
        "CREATE FUNCTION tidy(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT low($1) -- from x';"
        "CREATE FUNCTION good(text) RETURNS text IMMUTABLE LANGUAGE sql SET search_path = public AS 'SELECT low($1)';"
        "CREATE TABLE allowed (n int); CREATE FUNCTION held(int) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS "
        "'BEGIN RETURN EXISTS (SELECT FROM public.allowed WHERE n = $1); END';"
        "CREATE TABLE people (a text, b text GENERATED ALWAYS AS (tidy(a)) STORED,"
        "c text GENERATED ALWAYS AS (good(a)) STORED, d int CHECK (held(d)))",
    )
    found = [json.loads(line) for line in client.must("fragile.sql", source).splitlines()]
    assert [(line["by"], line["function"], line["what"], line["other"]) for line in found] == [
        ("check people_d_check of public.people", "public.held(integer)", "table allowed", True),
        ("generated column public.people.b", "public.tidy(text)", "function low", False),
    ]


# One error of each further cause, as a server or a program says it: what it is, and a part of what to type.
FURTHER = {
    "out of memory": ("memory", "jobs: 1"),
    'password authentication failed for user "app"': ("password", "`database`"),
    'no pg_hba.conf entry for host "1.2.3.4", user "app"': ("pg_hba", "pg_reload_conf"),
    'database "shop" does not exist': ("no database", "inv recover"),
    "the database system is starting up": ("starting", ""),
    "server closed the connection unexpectedly": ("crashed", "server's log"),
    'connection to server at "db", port 5432 failed: Connection refused': ("network", "that the server runs"),
    'server certificate for "db" does not match: certificate verify failed': ("certificate", "sslrootcert"),
    "cannot execute CREATE TABLE during recovery": ("standby", "primary"),
    "cannot execute CREATE TABLE in a read-only transaction": ("read only", "ALTER ROLE app RESET"),
    "could not serialize access due to concurrent update": ("serialization", ""),
    'database "shop" is being accessed by other users': ("in use", "datname = 'shop'"),
    'could not access file "$libdir/postgis-3": No such file or directory': ("library", "install the package of"),
    'language "plpython3u" does not exist': ("language", "CREATE EXTENSION plpython3u"),
    'collation "de_DE" for encoding "UTF8" does not exist': ("collation", "locale-gen de_DE"),
    "invalid page in block 7 of relation base/1/2": ("corrupt", "pg_amcheck"),
    "database is not accepting commands that assign new transaction IDs to avoid wraparound data loss in database "
    '"shop"': ("wraparound", "VACUUM"),
    'index row size 2728 exceeds btree version 4 maximum 2704 for index "long"': ("index row", "md5"),
    "stack depth limit exceeded": ("depth", "max_stack_depth"),
    'unrecognized configuration parameter "shop.mode"': ("setting", "remove the setting"),
    "input file does not appear to be a valid archive": ("damaged", "inv backups"),
    'this build does not support compression with "zstd"': ("compression", "compress: 6"),
    'syntax error at or near "NULLS"': ("syntax", "--needs"),
    "canceling statement due to lock timeout": ("lock", "pg_stat_activity"),
    "terminating connection due to administrator command": ("ended", ""),
    "canceling statement due to conflict with recovery": ("standby conflict", "TO app   in the database postgres"),
    "terminating connection due to conflict with recovery": ("standby conflict", "hot_standby_feedback"),
    "the replay of the standby was not paused within 60 s: a session of the standby blocks the replay": (
        "standby pause",
        "from: production",
    ),
}


@pytest.mark.parametrize("said", FURTHER)
def test_further_words_lead_to_what_to_type(said: str) -> None:
    found = explain(said, role="app")
    assert (found.known, FURTHER[said][1] in found.then) == (FURTHER[said][0], True), found


def test_what_only_follows_from_another_error_is_none_of_its_own(
    client: Client, role: str, named: Named, tmp_path: Path
) -> None:
    """pg_restore says of its own workers that one died, whatever it was that ended it."""
    source = named("source", "CREATE TABLE n AS SELECT 1 AS v; CREATE MATERIALIZED VIEW q AS SELECT 1 / v AS x FROM n",
                   "UPDATE n SET v = 0", f"ALTER TABLE n OWNER TO {quoted(role)}",
                   f"ALTER MATERIALIZED VIEW q OWNER TO {quoted(role)}")  # fmt: skip
    [found] = tried(client, source, named("copy"), role, tmp_path, "--jobs=2", "--exit-on-error")
    assert (found.object, found.said, found.known) == ("materialized view public.q", "division by zero", "")


def test_there_are_more_than_thirty_causes_each_with_a_test() -> None:
    names = [one.name for one in (*FAILURES, *IN_MIGRATIONS)]
    assert len(names) == len(set(names)) > 40
    proved = {known for known, *_ in SAID.values()} | {known for known, _ in FURTHER.values()}
    proved |= {known for _, (_, known, _) in CASES.values()} | {known for _, known in MIGRATIONS.values()}
    assert set(names) - proved <= {"right", "constraint", "truncated", "search_path"}


# What a migration fails at, really: before it, what it does, and what that is.
MIGRATIONS = {
    "a table that is not there": ("ALTER TABLE gone ADD x int", "not as migrated"),
    "a column that is not there": ("ALTER TABLE t DROP COLUMN gone", "not as migrated"),
    "a column that is there": ("ALTER TABLE t ADD id int", "made by hand"),
    "a view on it": ("DROP TABLE t", "depends"),
    "a view on its column": ("ALTER TABLE t ALTER id TYPE bigint", "used by a view"),
    "checks that wait": ("UPDATE child SET t = 1; ALTER TABLE child ADD x int", "pending checks"),
    "equal values": ("CREATE UNIQUE INDEX one ON t (word)", "rows in the way"),
    "empty values": ("ALTER TABLE child ALTER t SET NOT NULL", "rows in the way"),
    "a word for a number": ("ALTER TABLE child ALTER word TYPE int USING word::int", "values in the way"),
    "a value too long": ("ALTER TABLE child ALTER word TYPE varchar(1)", "values in the way"),
}
BEFORE = (
    "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t VALUES (1, 'hush'), (2, 'hush')",
    "CREATE VIEW v AS SELECT id FROM t",
    "CREATE TABLE child (t int REFERENCES t DEFERRABLE INITIALLY DEFERRED, word text); "
    "INSERT INTO child VALUES (2, 'hush'), (NULL, 'hush')",
)


def traceback_of(error: psycopg.Error) -> str:
    """What ``manage.py`` prints of an error."""
    kind = type(error).__name__
    return f"Traceback (most recent call last):\n  File …\npsycopg.errors.{kind}: {error}\n\nThe above exception …\n"


@pytest.mark.parametrize("case", MIGRATIONS)
def test_what_a_migration_fails_at_is_named(client: Client, named: Named, case: str) -> None:
    statement, known = MIGRATIONS[case]
    name = named("shop", *BEFORE)
    with pytest.raises(psycopg.Error) as failed, client.connect(name) as session, session.transaction():
        session.execute(statement.encode())
    found = of_migration(traceback_of(failed.value))
    assert found and found.known == known and found.then, failed.value
    assert "hush" not in found.sentence + found.then


# The same in German, as Debian's servers say it: the driver's class tells which error it is.
GERMAN = {
    "UndefinedTable": ("Relation »gone« existiert nicht", "not as migrated", "gone"),
    "UniqueViolation": ("doppelter Schlüsselwert verletzt Unique-Constraint »one«", "rows in the way", "one"),
    "DependentObjectsStillExist": ("kann Tabelle t nicht löschen, weil andere Objekte davon abhängen", "depends", ""),
    "LockNotAvailable": ("storniere Anfrage wegen Zeitüberschreitung einer Sperre", "lock", ""),
    "InvalidTextRepresentation": ("ungültige Eingabesyntax für Typ integer: »hush«", "values in the way", ""),
}


@pytest.mark.parametrize("kind", GERMAN)
def test_migrations_are_understood_in_another_language(kind: str) -> None:
    said, known, name = GERMAN[kind]
    found = of_migration(f"Traceback …\npsycopg.errors.{kind}: {said}\nZEILE 1: …\n")
    assert found and found.known == known and name in found.sentence, found
    assert "hush" not in found.sentence + found.then


def test_what_is_not_known_is_told_whole_and_without_values() -> None:
    said = (
        "psql:a.sql:3: ERROR:  something new\nDETAIL:  It is so.\nHINT:  Do that.\n"
        "CONTEXT:  SQL statement \"INSERT INTO t VALUES ('hush')\"\n"
    )
    assert beside(said) == '; DETAIL: It is so.; HINT: Do that.; CONTEXT: SQL statement "INSERT INTO t VALUES (…)"'
    restored = (
        "pg_restore: error: could not execute query: FEHLER:  etwas Neues\nKONTEXT:  in »f«\nCommand was: COMMENT ON "
        "TABLE t IS 'hush';\n"
    )
    assert beside(restored) == "; KONTEXT: in »f«; the command was: COMMENT ON TABLE t IS …;"
    assert troubles(restored)[0].said == "etwas Neues"

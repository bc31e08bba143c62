"""A copy of production is like production: schema, encoding, locale, settings; and it reaches nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.release.clone_match import (
    about,
    carry_settings,
    locale_differs,
    own_settings,
    settings_differ,
    versions_differ,
)
from ops.verdict.fingerprint import about_in, other_schema, schema_differences
from tests.support.client import Client, as_role, quoted, succeeded
from tests.support.servers import QUICK, SERVER, own_server

Make = Callable[..., str]
DEBIAN = Path("/usr/lib/postgresql/15/bin")
MARK = "generalprobe clone of shop, run 7"

# Foreign keys to partitions that were attached in another order than their names have: a restore numbers them anew.
PARTITIONS = (
    "CREATE TABLE place (id bigint, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)",
    "CREATE TABLE place_b PARTITION OF place FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
    "CREATE TABLE visit (id bigint PRIMARY KEY, place bigint, day date, FOREIGN KEY (place, day) REFERENCES place)",
    "CREATE TABLE place_c PARTITION OF place FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')",
    "CREATE TABLE place_a PARTITION OF place FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
)
BROKEN = ("CREATE TABLE twins (n int)", "INSERT INTO twins VALUES (1), (1)")


def dumped(client: Client, database: str, tmp_path: Path, *more: str) -> Path:
    dump = tmp_path / f"{database}.dump"
    words = ("pg_dump", "--format=directory", f"--dbname=service=it dbname={database}", f"--file={dump}", *more)
    succeeded(client.call(*words))
    return dump


def test_what_no_restore_retains_is_not_in_the_digest(client: Client, named: Make, tmp_path: Path) -> None:
    source, copy = named("source", *PARTITIONS, *BROKEN), named("copy")
    with client.connect(source) as c:
        try:
            c.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON twins (n)")
        except Exception as error:
            assert "could not create unique index" in str(error)
    client.restore(dumped(client, source, tmp_path), copy)
    assert client.fingerprint(copy).schema == client.fingerprint(source).schema
    client.ask("DROP INDEX broken; ALTER TABLE visit DROP CONSTRAINT visit_place_day_fkey", source)
    assert client.fingerprint(copy).schema != client.fingerprint(source).schema


def test_what_differs_between_two_schemas_is_named(client: Client, named: Make) -> None:
    made = "CREATE TABLE t (id int PRIMARY KEY, v text DEFAULT 'a', w int); CREATE INDEX t_w ON t (w)"
    old, new = named("old", made, "CREATE TABLE u (id int PRIMARY KEY)"), named("new", made)
    client.ask(
        "ALTER TABLE t ALTER v SET DEFAULT 'b', ALTER w TYPE bigint, ADD x int DEFAULT 1, ADD CHECK (w > 0);"
        "DROP INDEX t_w; CREATE TABLE z (id int PRIMARY KEY, y text DEFAULT '')",
        new,
    )
    one, two = client.fingerprint(old), client.fingerprint(new)
    assert schema_differences(one.schema_parts, two.schema_parts) == [
        "table public.u is missing",
        "table public.z is new",
        "column public.t.w is different",
        "column public.t.x is new",
        "index public.t_w on public.t is missing",
        "constraint t_w_check on public.t is new",
        "default of column public.t.v is different",
    ]
    assert other_schema(one, two)[0].startswith("its schema is different (table public.u is missing, ")
    assert other_schema(one, one) == []


def noted(client: Client, database: str, tmp_path: Path) -> str:
    """What a backup's fingerprint says of a database."""
    path = tmp_path / "fingerprint.jsonl"
    path.write_text(client.must("about.sql", database))
    return str(path)


def forged(tmp_path: Path, **given: object) -> str:
    path = tmp_path / "forged.jsonl"
    about = {"encoding": "UTF8", "collate": "C", "ctype": "C", "provider": "c", "roles": [], "extensions": {}}
    path.write_text(json.dumps({"about": about | given}) + "\n")
    return str(path)


def copied(client: Client, source: str, tmp_path: Path, locale: str) -> str:
    """The name of an empty copy of a database with a locale of its own, on a server of another one."""
    more = "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    client.ask(f"CREATE DATABASE {source} TEMPLATE template0 {more} {locale}")
    copy, given = source + "_copy", noted(client, source, tmp_path)
    client.must("check_fits.sql", **{"from": given})
    client.must("create_database.sql", name=copy, like="postgres", marker=MARK, run="7", **{"from": given})
    with client.connect(copy) as c:
        assert locale_differs(about_in(Path(given)), about(c)) == []
    with client.connect("postgres") as c:
        assert locale_differs(about_in(Path(given)), about(c))
    return copy


def test_a_copy_has_productions_locale_on_a_server_of_another_one(client: Client, named: Make, tmp_path: Path) -> None:
    source = named("a") + "_source"
    copy = copied(client, source, tmp_path, "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'")
    assert client.ask("SELECT lower('Ä')") == [("Ä",)]
    assert client.ask("SELECT lower('Ä')", copy) == client.ask("SELECT lower('Ä')", source) == [("ä",)]


@pytest.mark.slow
def test_the_same_with_icu_on_a_server_of_ascii(tmp_path: Path) -> None:
    if not DEBIAN.is_dir():
        pytest.skip("Debian's PostgreSQL 15")
    with own_server("icu", QUICK, DEBIAN) as server:
        client = Client(server, tmp_path)
        client.ask("CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
        copy = copied(client, "source", tmp_path, "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'")
        assert client.ask("SELECT 'ä' < 'b', lower('Ä')", copy) == [(True, "ä")]
        assert client.ask("SELECT 'ä' < 'b', lower('Ä')") == [(False, "Ä")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"collate": "xx_XX.UTF-8"}, "has the locale xx_XX.UTF-8, which the system of this server does not have"),
        ({"provider": "i", "locale": "de-DE"}, "has the locale de-DE of the provider icu"),
        ({"encoding": "EBCDIC"}, "does not support the encoding EBCDIC"),
        ({"extensions": {"nowhere": "1"}}, "uses the extensions nowhere"),
    ],
)
def test_a_server_that_can_not_hold_such_a_copy_says_why(
    client: Client, tmp_path: Path, given: dict[str, object], said: str
) -> None:
    done = client.run("check_fits.sql", **{"from": forged(tmp_path, **given)})
    assert done.returncode == 3 and said in done.stderr, done.stderr


def test_a_backup_from_before_it_was_noted_fits(client: Client, tmp_path: Path) -> None:
    client.must("check_fits.sql", **{"from": str(tmp_path / "nothing")})


def test_roles_that_policies_name_live_as_long_as_the_copies(client: Client, named: Make, tmp_path: Path) -> None:
    role = f"reader {named('a')}"
    first, second = named("first"), named("second")
    for _ in range(2):
        client.must("create_roles.sql", **{"from": forged(tmp_path, roles=[role, "postgres"])})
    assert client.ask(f"SELECT rolcanlogin FROM pg_roles WHERE rolname = '{role}'") == [(False,)]
    for name in (first, second):
        client.ask(f"CREATE TABLE t (); CREATE POLICY p ON t TO {quoted(role)}", name)
        client.ask(f"COMMENT ON DATABASE {name} IS '{MARK}'")
    for name, left in ((first, 1), (second, 0)):
        client.must("drop_database.sql", name=name, marker=MARK)
        assert client.ask(f"SELECT count(*) FROM pg_roles WHERE rolname = '{role}'") == [(left,)]


def test_who_may_not_create_the_roles_is_told_what_to_type(client: Client, other_role: str, tmp_path: Path) -> None:
    given = forged(tmp_path, roles=["nobody's role"])
    done = client.run("check_fits.sql", env=as_role(other_role), **{"from": given})
    assert done.returncode == 3 and 'CREATE ROLE "nobody\'s role" NOLOGIN' in done.stderr


SUBSCRIBED = (
    "CREATE SUBSCRIPTION news CONNECTION 'host=nowhere.invalid' PUBLICATION p "
    "WITH (connect = false, slot_name = 'production')"
)


def test_a_copy_with_a_subscription_can_be_dropped(client: Client, named: Make) -> None:
    name = named("copy", SUBSCRIBED)
    client.ask(f"COMMENT ON DATABASE {name} IS '{MARK}'")
    client.must("drop_database.sql", name=name, marker=MARK)
    assert client.ask(f"SELECT FROM pg_database WHERE datname = '{name}'") == []


def test_a_kept_database_with_a_subscription_can_be_discarded(client: Client, named: Make) -> None:
    name = named("kept", SUBSCRIBED)
    [(oid,)] = client.ask(f"SELECT oid FROM pg_database WHERE datname = '{name}'")
    client.ask(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
    client.must("drop_kept.sql", name=name, oid=str(oid), live="postgres")
    assert client.ask(f"SELECT FROM pg_database WHERE datname = '{name}'") == []


FOREIGN = (
    "CREATE EXTENSION postgres_fdw",
    "CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid')",
    "CREATE USER MAPPING FOR PUBLIC SERVER there OPTIONS (user 'x', password 'y')",
    "CREATE FOREIGN TABLE far (n int) SERVER there",
    "CREATE EXTENSION dblink",
)


def test_a_copy_reaches_no_other_server(client: Client, named: Make) -> None:
    name = named("copy", *FOREIGN)
    done = client.run("check_isolated.sql", name)
    assert done.returncode == 3 and "DROP USER MAPPING FOR PUBLIC SERVER there" in done.stderr, done.stderr
    before = client.fingerprint(name)
    client.must("isolate.sql", name)
    client.must("check_isolated.sql", name)
    assert client.fingerprint(name).schema == before.schema
    for query in ("SELECT dblink_connect('host=127.0.0.1')", "SELECT * FROM dblink('host=x', 'SELECT 1') AS d (n int)"):
        with pytest.raises(Exception, match="reaches no other server"):
            client.ask(query, name)
    with pytest.raises(Exception, match="user mapping not found"):
        client.ask("SELECT * FROM far", name)


def test_production_s_settings_become_the_copy_s(client: Client, named: Make) -> None:
    source, copy = named("source"), named("copy")
    for words in ("search_path = app, public", "timezone = 'Asia/Tokyo'", "app.secret = 'x'", "work_mem = '5MB'",
                  "default_transaction_read_only = on"):  # fmt: skip
        client.ask(f"ALTER DATABASE {source} SET {words}")
    with client.connect(source) as one, client.connect(copy) as two:
        assert carry_settings(own_settings(one), two, private=True) == ["app.secret"]
    with client.connect(source) as one, client.connect(copy) as two:
        assert settings_differ(one, two) == []
        assert two.execute("SHOW search_path").fetchone() == ("app, public",)
        assert two.execute("SHOW default_transaction_read_only").fetchone() == ("off",)
        assert two.execute("SELECT current_setting('app.secret', true)").fetchone() == (None,)


def test_versions_that_differ_are_reported() -> None:
    there = {"number": 150004, "collation_version": "2.31", "extensions": {"hstore": "1.8", "citext": "1.6"}}
    here = {"number": 160001, "collation_version": "2.36", "extensions": {"hstore": "1.8"}}
    said = versions_differ(there, here)
    assert len(said) == 3 and "PostgreSQL is 16.1, on production 15.4" in said and "citext is missing" in said[2]


GUARDED = """
CREATE TABLE job (n int, owner text DEFAULT current_user);
ALTER TABLE job ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON job USING (owner = current_user);
SELECT pg_extension_config_dump('job', '');
"""


@pytest.fixture
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with an extension that puts a policy on its own table, as pg_cron does."""
    with own_server("guarded", SERVER) as server:
        folder = server.data.with_name("extensions")
        (folder / "extension").mkdir(parents=True)
        (folder / "extension/guarded.control").write_text("default_version = '1'\nrelocatable = false\n")
        (folder / "extension/guarded--1.sql").write_text(GUARDED)
        for path in (folder, folder / "extension"):
            path.chmod(0o755)
        client = Client(server, tmp_path_factory.mktemp("guarded"))
        client.ask(f"ALTER SYSTEM SET extension_control_path = '$system:{folder}'")
        client.ask("SELECT pg_reload_conf()")
        yield client


@pytest.mark.slow
def test_an_extension_that_makes_policies_is_copied(guarded: Client, tmp_path: Path) -> None:
    """Older releases of pg_dump put its policies into the dump, too, and every restore stopped at them."""
    client = guarded
    client.ask("CREATE DATABASE source")
    client.ask("CREATE DATABASE copy")
    client.ask("CREATE EXTENSION guarded; INSERT INTO job VALUES (1)", "source")
    client.restore(dumped(client, "source", tmp_path), "copy")
    assert client.ask("SELECT polname FROM pg_policy", "copy") == [("own",)]
    assert client.ask("SELECT n FROM job", "copy") == [(1,)]


def test_a_server_without_a_word_for_its_locale_provider_is_as_one_that_has_it() -> None:
    """Before 15 there is libc only."""
    old, new = {"collate": "C", "provider": None}, {"collate": "C", "provider": "c"}
    assert locale_differs(old, new) == []
    assert locale_differs(old, new | {"provider": "i"}) == ["provider i instead of c"]

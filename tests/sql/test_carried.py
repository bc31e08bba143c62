"""Carrying over what belongs to a database, as an owner who is no superuser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.client import Client, as_role, quoted

Named = Callable[..., str]


@pytest.fixture
def two(role: str, client: Client, named: Named) -> Iterator[tuple[str, str]]:
    """Two databases of a role that is no superuser."""
    names = named("carry_a"), named("carry_b")
    for name in names:
        client.ask(f"ALTER DATABASE {name} OWNER TO {quoted(role)}")
    yield names
    for name in names:
        client.ask(f"DROP DATABASE {name} WITH (FORCE)")


def carry(client: Client, role: str, source: str, name: str) -> str:
    """What went wrong; empty where all is carried."""
    for file in ("carry_over.sql", "check_carried.sql"):
        done = client.run(file, source=source, name=name, env=as_role(role))
        if done.returncode:
            return done.stderr
    return ""


def test_an_owner_carries_all_that_is_his(role: str, other_role: str, client: Client, two: tuple[str, str]) -> None:
    source, name = two
    client.ask(
        f"ALTER DATABASE {source} CONNECTION LIMIT 5; REVOKE ALL ON DATABASE {source} FROM PUBLIC;"
        f"GRANT CONNECT ON DATABASE {source} TO {quoted(other_role)} WITH GRANT OPTION;"
        f"ALTER DATABASE {source} SET search_path = \"Ä\", public; COMMENT ON DATABASE {source} IS 'hers';"
        f"ALTER ROLE {quoted(role)} IN DATABASE {source} SET work_mem = '5MB'"
    )
    assert carry(client, role, source, name) == ""
    # And back to nothing: what the other one lacks goes.
    client.ask(
        f"ALTER DATABASE {source} RESET ALL; ALTER ROLE {quoted(role)} IN DATABASE {source} RESET ALL;"
        f"COMMENT ON DATABASE {source} IS NULL; GRANT TEMPORARY ON DATABASE {source} TO PUBLIC;"
        f"REVOKE ALL ON DATABASE {source} FROM {quoted(other_role)} CASCADE"
    )
    assert "grants, settings, comment" in client.run("check_carried.sql", source=source, name=name).stderr
    assert carry(client, role, source, name) == ""


def test_what_only_an_administrator_may_set_is_said_as_he_types_it(
    role: str, other_role: str, client: Client, two: tuple[str, str]
) -> None:
    source, name = two
    client.ask(
        f'ALTER ROLE {quoted(other_role)} IN DATABASE {source} SET search_path = "Ä b", public;'
        f"ALTER ROLE {quoted(other_role)} IN DATABASE {source} SET shop.tenant = 'it''s'"
    )
    said = carry(client, role, source, name)
    assert "an administrator has to run: " in said
    typed = said.split("an administrator has to run: ")[1].split("; then continue")[0]
    client.ask(typed)
    assert carry(client, role, source, name) == ""


def test_where_the_other_one_is_not_there_nothing_is_done(
    role: str, other_role: str, client: Client, two: tuple[str, str]
) -> None:
    """As after a swap that was cut off before its renames, on a production that is frozen."""
    source, _ = two
    client.ask(
        f"ALTER DATABASE {source} SET default_transaction_read_only = on;"
        f"ALTER ROLE {quoted(other_role)} IN DATABASE {source} SET work_mem = '5MB'"
    )
    client.must("carry_over.sql", source=source, name="carry_nowhere")
    done = client.run("carry_over.sql", source=source, name="carry_nowhere", env=as_role(role))
    assert done.returncode == 0, done.stderr


def test_another_owner_is_carried_by_a_superuser(role: str, client: Client, two: tuple[str, str]) -> None:
    source, name = two
    client.ask(f"ALTER DATABASE {source} OWNER TO postgres")
    client.must("carry_over.sql", source=source, name=name)
    client.must("check_carried.sql", source=source, name=name)


def test_our_mark_stays_above_the_comment_of_people(client: Client, two: tuple[str, str]) -> None:
    source, name = two
    client.ask(
        f"COMMENT ON DATABASE {source} IS E'generalprobe restored shop, run 1\\nour shop\\nsince 2019';"
        f"COMMENT ON DATABASE {name} IS 'generalprobe restored shop, run 2'"
    )
    for _ in range(2):
        client.must("carry_over.sql", source=source, name=name)
        client.must("check_carried.sql", source=source, name=name)
    found = client.ask(f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{name}'")
    assert found == [("generalprobe restored shop, run 2\nour shop\nsince 2019",)]


def test_all_settings_that_are_not_ours_to_write_are_told_before_any_change(
    role: str, other_role: str, client: Client, named: Named
) -> None:
    name = named("It's \"live\"")
    client.ask(f"ALTER DATABASE {quoted(name)} OWNER TO {quoted(role)}")
    given = {"live": name, "env": as_role(role)}
    for mine in ("work_mem = '8MB'", "search_path = 'a b', \"C\"", "timezone = 'UTC'"):
        client.ask(f"ALTER DATABASE {quoted(name)} SET {mine}")
    client.ask(f"ALTER ROLE {quoted(role)} IN DATABASE {quoted(name)} SET work_mem = '9MB'")
    client.must("check_settings.sql", **given)
    for theirs in ("log_min_duration_statement = 100", "app.tenant = 'secret'"):
        client.ask(f"ALTER DATABASE {quoted(name)} SET {theirs}")
    client.ask(f"ALTER ROLE {quoted(other_role)} IN DATABASE {quoted(name)} SET jit = off")
    done = client.run("check_settings.sql", **given)
    assert done.returncode == 3 and "secret" not in done.stderr
    me, they = quoted(role), quoted(other_role)
    for way in (
        f"GRANT SET ON PARAMETER log_min_duration_statement TO {me}",
        f"GRANT SET ON PARAMETER app.tenant TO {me}",
        f"GRANT {they} TO {me} WITH ADMIN OPTION; ALTER ROLE {me} CREATEROLE",
    ):
        assert way in done.stderr, done.stderr
        client.ask(way)
    client.must("check_settings.sql", **given)
    client.ask(f"ALTER DATABASE {quoted(name)} RESET ALL; ALTER ROLE {they} IN DATABASE {quoted(name)} RESET ALL")
    client.ask(f"REVOKE SET ON PARAMETER log_min_duration_statement, app.tenant FROM {me}; REVOKE {they} FROM {me}")

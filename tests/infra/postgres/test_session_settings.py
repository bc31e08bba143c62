"""What each database session begins with."""

from __future__ import annotations

import pytest

from ops.core.errors import Refused
from ops.infra.postgres.failure_text import refusal
from ops.infra.postgres.session_settings import ALL, PATH, PINS, Pins, way_to
from ops.procedures.planning.same_places import must_not_be_named_so


def test_the_pins_stand_behind_what_the_address_says() -> None:
    given = Pins().options("endpoint=a -c statement_timeout=5")
    assert given.startswith("endpoint=a -c statement_timeout=5 -c statement_timeout=0 -c lock_timeout=0 ")
    assert given.count("-c ") == len(PINS) + 1


def test_only_what_a_server_does_not_know_is_left_out() -> None:
    pins = Pins()
    assert pins.refused('FATAL:  unrecognized configuration parameter "idle_session_timeout"')
    assert set(PINS) - set(pins.kept) == {"idle_session_timeout"}
    assert not pins.refused('FATAL:  unrecognized configuration parameter "idle_session_timeout"')
    assert not pins.refused('FATAL:  unrecognized configuration parameter "work_memory"')


@pytest.mark.parametrize("said", ["FATAL:  unsupported startup parameter: options", "unsupported startup parameter x"])
def test_a_pooler_that_takes_none_is_given_none(said: str) -> None:
    pins = Pins()
    assert pins.refused(said) and pins.options() == "" and not pins.refused(said)
    assert pins.options("-c a=b") == "-c a=b"


@pytest.mark.parametrize(
    ("why", "way"),
    [
        ('FATAL:  database "shop" does not exist', "inv recover"),
        ('FATAL:  database "postgres" does not exist', "CREATE DATABASE postgres"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "a", database "b"', "in pg_hba.conf"),
        ("connection refused", "check the database's host"),
    ],
)
def test_what_to_type_where_a_connection_was_refused(why: str, way: str) -> None:
    assert way in way_to(refusal(why), own='"shop"' in why)


def test_a_database_that_is_named_postgres_is_not_changed() -> None:
    must_not_be_named_so("shop", "shop")
    with pytest.raises(Refused, match="is named postgres"):
        must_not_be_named_so("shop", "postgres")


@pytest.mark.parametrize(
    "said",
    [
        'connection to server at "db" failed: FATAL:  unrecognized configuration parameter "transaction_timeout"',
        'connection to server at "db" failed: FATAL:  unbekannter Konfigurationsparameter »transaction_timeout«',
        "FATAL:  paramètre de configuration « transaction_timeout » non reconnu",
        'FATAL:  permission denied to set parameter "transaction_timeout"',
    ],
)
def test_what_a_server_refuses_is_left_out_in_any_language(said: str) -> None:
    pins = Pins()
    assert pins.refused(said)
    assert set(PINS) - set(pins.kept) == {"transaction_timeout"}
    assert not pins.refused('psql:a.sql:3: ERROR:  invalid value for parameter "search_path"')


def test_a_pooler_keeps_the_pins_that_it_follows() -> None:
    pins = Pins()
    assert pins.refused("FATAL:  unsupported startup parameter in options: lock_timeout")
    followed = {"client_encoding", "DateStyle", "IntervalStyle", "TimeZone", "standard_conforming_strings"}
    assert set(pins.kept) == followed
    assert pins.refused("FATAL:  unsupported startup parameter in options: IntervalStyle") and not pins.kept


def test_a_session_may_have_the_roles_own_search_path() -> None:
    assert "search_path" in Pins().options() and "search_path" not in Pins().options("", PATH)
    assert Pins().options("-c a=b", ALL) == "-c a=b"

"""A run goes on only where its plan's addresses still lead: each thing that may have changed is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ops.core.errors import OpsError, Refused
from ops.engine.command import Completed, Query
from ops.engine.inputs import RunInputs, TestServerInputs
from ops.infra.session.server import no_production
from ops.infra.session.session import Session
from ops.inventory.load import load
from ops.procedures.planning.same_places import check_places

INVENTORY = """
all:
  vars: {store: backups}
  children:
    production:
      hosts:
        shop: {database: "env:SHOP", test: shop-test}
        other: {database: "env:OTHER"}
    test:
      hosts: {shop-test: {database: "env:TEST"}}
"""
ADDRESSES = {"SHOP": "postgresql://a/shop", "OTHER": "postgresql://a/other", "TEST": "postgresql://b/shop_test"}
PLANNED = {"run": "r1", "target": "shop", "database": "shop", "system": "1", "store": "backups", "backup": "b1"}
C = RunInputs(**PLANNED, test="shop-test", test_server=TestServerInputs(database="shop_test", system="2"))


class Led(Session):
    """A session whose servers answer with these identifiers, by the address's host; None: it does not answer."""

    systems: dict[str, str | None] = {"a": "1", "b": "2"}

    def run(self, command: Any) -> Completed:
        """Answer identity.sql, and nothing else."""
        assert isinstance(command, Query) and (command.file, command.database) == ("identity.sql", "postgres")
        host = self.environ[{"shop": "SHOP", "other": "OTHER", "shop-test": "TEST"}[command.target]].split("/")[2]
        system = self.systems[host]
        if system is None:
            return Completed(2, "", "psql: error: connection refused")
        return Completed(0, json.dumps({"system": system}), "")


def session(folder: Path, text: str = INVENTORY, **addresses: str) -> Led:
    path = folder / "inventory.yaml"
    path.write_text(text)
    return Led(load(path), ADDRESSES | addresses)


def refused(led: Led, c: RunInputs = C) -> Refused:
    with pytest.raises(Refused) as caught:
        check_places(led, c)
    assert caught.value.message.endswith("nothing was changed") and caught.value.hint
    return caught.value


def test_where_all_leads_where_it_led_nothing_is_said(tmp_path: Path) -> None:
    check_places(session(tmp_path), C)


def test_another_store_is_refused(tmp_path: Path) -> None:
    found = refused(session(tmp_path, INVENTORY.replace("store: backups", "store: elsewhere")))
    assert "shop: run r1 was planned with the store backups, and the inventory names another store now" in found.message
    assert found.hint == "store: backups   in inventory.yaml"


@pytest.mark.parametrize(
    ("addresses", "systems", "said"),
    [
        ({"SHOP": "postgresql://a/shop2"}, {}, "shop: its address leads to the database shop2, not shop, so run r1"),
        ({}, {"a": "9"}, "shop: its address leads to another server (9) than the planned one (1), so run r1"),
        (
            {"SHOP": "postgresql://c/shop2"},
            {"c": "9"},
            "shop: its address leads to the database shop2, not shop on another server (9) than the planned one",
        ),
        ({"TEST": "postgresql://b/shop"}, {}, "shop-test: its address leads to the database shop, not shop_test"),
        ({}, {"b": "1"}, "shop-test: its address leads to another server (1) than the planned one (2)"),
    ],
)
def test_another_place_is_refused(
    tmp_path: Path, addresses: dict[str, str], systems: dict[str, str | None], said: str
) -> None:
    led = session(tmp_path, **addresses)
    led.systems = Led.systems | systems
    found = refused(led)
    assert found.message.startswith(said), found.message
    assert found.hint.startswith("let env:")


def test_a_server_that_does_not_answer_is_no_yes(tmp_path: Path) -> None:
    led = session(tmp_path)
    for host in ("a", "b"):
        led.systems = Led.systems | {host: None}
        with pytest.raises(OpsError, match="the server does not answer"):
            check_places(led, C)


@pytest.mark.parametrize(
    "given", [{"railway": {"volume_backup": "bak-1"}}, {"system": "", "test_server": {"system": ""}}]
)
def test_what_the_plan_could_not_know_is_not_compared(tmp_path: Path, given: dict[str, Any]) -> None:
    led = session(tmp_path)
    led.systems = Led.systems | {"a": "9"}
    check_places(led, C.replace(**given))


def test_railways_own_place_is_compared_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(Led, "railway", lambda *_: SimpleNamespace(still=asked.append))
    check_places(session(tmp_path), C.replace(railway={"app": "prj/env/svc"}))
    assert asked == ["prj/env/svc"]


def test_a_test_database_that_is_anothers_production_is_refused(tmp_path: Path) -> None:
    led = session(tmp_path, TEST="postgresql://a/other")
    test = led.inventory.target("shop-test")
    with pytest.raises(Refused, match="other"):
        no_production(led, test, "other", "1")
    no_production(led, test, "other", "2")
    no_production(led, test, "third", "1")

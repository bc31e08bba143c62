"""A contributor adds a kind of store by one file and its row: the inventory takes it, and backups are kept there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ops.core.errors import InventoryError
from ops.infra.stores.open import store_at
from ops.inventory.load import load
from ops.inventory.store_kinds import STORE_KINDS, StoreKind
from tests.conftest import Project
from tests.infra.stores import test_object_store, test_remote_backup
from tests.support.stores.fixtures import elsewhere
from tests.support.stores.places import Place

SQLITE = StoreKind("sqlite:///file", r"/[\w./-]+", "tests.infra.stores.made_up.sqlite_store:SqliteStore")
# What every kind of store has to do: the tests of it that take any place, whatever it is.
CONTRACT = [
    test
    for suite in (test_object_store, test_remote_backup)
    for name, test in vars(suite).items()
    if name.startswith("test_")
    and {"store", "place", "anywhere"} & (takes := inspect.signature(test).parameters.keys())
    and takes <= {"store", "place", "anywhere", "tmp_path", "monkeypatch"}
]


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    """A place of the made-up kind."""
    monkeypatch.setitem(STORE_KINDS, "sqlite", SQLITE)
    url = f"sqlite://{tmp_path}/kept.db"

    def plant(files: Mapping[str, bytes]) -> None:
        for key, content in files.items():
            store_at(url).swap(key, content, "")

    return Place("sqlite", url, plant)


@pytest.mark.parametrize("test", CONTRACT, ids=lambda test: test.__name__.removeprefix("test_"))
def test_it_does_what_every_kind_does(
    test: Callable[..., None], made_up: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"tmp_path": tmp_path, "monkeypatch": monkeypatch, "place": made_up, "anywhere": made_up}
    given |= {"store": made_up.store}
    test(**{name: given[name] for name in inspect.signature(test).parameters})


def test_a_project_keeps_its_backups_there(made_up: Place, shop_in: Callable[..., Project], tmp_path: Path) -> None:
    shop = shop_in(made_up)
    done = shop.inv("backup")
    assert done.code == 0 and f"sent to {made_up.url}" in done.out, done.out + done.err
    other = elsewhere(shop, tmp_path / "elsewhere")
    shop.query("DELETE FROM lessons_booking")
    back = other.inv("rollback", "--backup=latest", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query("SELECT count(*) FROM lessons_booking") == [(1000,)]
    assert sum(key.endswith("/manifest.json") for key in made_up.store.listed("shop/backups/")) == 2


def test_the_inventory_names_it_among_the_others(made_up: Place, tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    target = "{database: env:A, store: 'sqlite://no file'}"
    path.write_text(f"all: {{children: {{test: {{hosts: {{a: {target}}}}}}}}}\n")
    with pytest.raises(InventoryError, match="ssh://user@host/folder, file:///folder or sqlite:///file, without"):
        load(path)

"""pg_dump in the database's own container, on the fake's channel and with each of its faults."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest
import yaml

from ops.postgres import installed
from tests.commandline.test_pages import paste
from tests.conftest import Project
from tests.railway.conftest import Rail

Make = Callable[..., Rail]


def in_container(rail: Make, **target: object) -> Rail:
    """A project whose dumps are made in the database's container."""
    on = rail("b")
    edit(on.project, pg_dump="container", **target)
    return on


def edit(shop: Project, **target: object) -> None:
    """Change keys of production's entry."""
    file = shop.folder / "inventory.yaml"
    inventory = yaml.safe_load(file.read_text())
    inventory["all"]["children"]["production"]["hosts"]["shop"] |= target
    file.write_text(yaml.safe_dump(inventory))


def backups(shop: Project) -> list[Path]:
    """What is a backup."""
    return sorted(path.parent for path in (shop.folder / "backups/shop/backups").glob("*/manifest.json"))


def test_a_dump_of_the_container_is_restored_and_equal(rail: Make) -> None:
    on = in_container(rail)
    shop = on.project
    done = shop.inv("clone-prod-to-test")
    assert done.code == 0, done.out + done.err
    assert "entries are what pg_dump (PostgreSQL)" not in done.err
    (made,) = backups(shop)
    assert (made / "dump").read_bytes()[:5] == b"PGDMP"
    manifest = json.loads((made / "manifest.json").read_text())
    sent = json.loads((made / "streamed.json").read_text())
    assert manifest["files"]["dump"] == [sent["sha256"], sent["bytes"]]
    (words,) = [words for words, _ in on.calls if words[0] == "ssh"]
    assert words[:7] == ["ssh", "--project", "prj-1", "--environment", "env-p", "--service", "svc-db"]
    assert len(words) == 9 and "--snapshot" in words[8]
    password = shop.production.split(":")[2].split("@")[0]
    assert password not in json.dumps(on.calls) + done.out + done.err

"""A store that an earlier version wrote (tests/support/old_store): today's code reads it, proves it and restores it."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ops.infra.postgres.embedded_server import Server
from tests.projects import write_project
from tests.support.project import ROOT, Done, Project, admin, drop_databases
from tests.support.servers import own_server

# The journals and manifests name the databases: they need a server of their own.
STEM = "oldstore"
BACKUP, RELEASE, OPEN = "20261129_105019_de40", "20261129_105020_7417", "20261129_105030_fb64"
BACKUPS = {BACKUP, RELEASE, f"{RELEASE}_last"}


@pytest.fixture(scope="module")
def own() -> Iterator[Server]:
    with own_server("old-store") as server:
        yield server


@pytest.fixture
def with_open_run(own: Server, tmp_path: Path) -> Iterator[Project]:
    """The project with the old store; its production is at the released state, and was written to since."""
    folder = tmp_path / "project"
    write_project(folder, "b", {})
    with tarfile.open(ROOT / "tests/support/old_store/store.tar.gz") as packed:
        packed.extractall(folder, filter="data")
    shop = Project.at(folder, own, STEM)
    with admin(own) as connection:
        connection.execute(f"CREATE DATABASE {STEM}_shop".encode())
    for words in (["migrate", "lessons", "0001"], ["migrate", "contenttypes"], ["migrate", "auth"], ["fill"]):
        shop.manage(*words)
    shop.manage("migrate")
    shop.query("INSERT INTO lessons_teacher (name) VALUES ('written since')")
    yield shop
    drop_databases(own, STEM)


@pytest.fixture
def shop(with_open_run: Project) -> Project:
    """The same after the open run was ended."""
    shutil.rmtree(with_open_run.folder / "backups/shop/runs" / OPEN)
    return with_open_run


def ok(done: Done) -> Done:
    assert done.code == 0, done.out + done.err
    return done


def test_it_is_read(shop: Project) -> None:
    shown = {"backups": BACKUPS, "prune-backups": BACKUPS, "runs": {BACKUP, RELEASE}, "status": {RELEASE}}
    for task, known in shown.items():
        said = ok(shop.inv(task)).out
        assert [one for one in known if one not in said] == [], said


@pytest.mark.parametrize("backup", sorted(BACKUPS))
def test_each_of_its_backups_is_proved_by_a_restore(shop: Project, backup: str) -> None:
    ok(shop.inv("drill", f"--backup={backup}"))


def test_its_backups_are_fresh_and_whole(shop: Project) -> None:
    inventory = yaml.safe_load((shop.folder / "inventory.yaml").read_text())
    inventory["all"]["vars"]["fresh"] = {"backup": "36500d"}
    (shop.folder / "inventory.yaml").write_text(yaml.safe_dump(inventory))
    said = ok(shop.inv("check-backups")).out
    (shop.folder / f"backups/shop/backups/{RELEASE}_last/dump/toc.dat").write_bytes(b"")
    damaged = shop.inv("check-backups")
    assert damaged.code == 4, said + damaged.out


@pytest.mark.parametrize("backup", sorted(BACKUPS))
def test_production_goes_back_to_it(shop: Project, backup: str) -> None:
    live = shop.fingerprint()
    assert live["public.lessons_teacher"][0] == 11
    done = ok(shop.inv("rollback", f"--backup={backup}", "--confirm=shop"))
    restored = shop.fingerprint()
    assert restored["public.lessons_teacher"][0] == 10 and restored["public.lessons_lesson"][0] == 1000
    assert restored["public.lessons_booking"][0] == 1000 and "public.lessons_session" not in restored
    assert restored == of_backup(shop, backup), done.out
    ok(shop.inv("undo", "--confirm=shop"))
    assert shop.fingerprint() == live


def of_backup(shop: Project, backup: str) -> dict[str, tuple[int, str]]:
    """Rows and checksums of a backup's tables, as the earlier version took them."""
    text = (shop.folder / f"backups/shop/backups/{backup}/fingerprint.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    return {line["table"]: (line["rows"], line["checksum"]) for line in lines if "table" in line}


@pytest.mark.parametrize("task", ["resume", "undo"])
def test_a_run_that_it_left_open_is_refused(with_open_run: Project, task: str) -> None:
    shop = with_open_run
    before = shop.fingerprint()
    done = shop.inv(task, "--confirm=shop")
    said = done.out + done.err
    assert done.code in (2, 3) and "end open runs before upgrading" in said and "Traceback" not in said, said
    assert shop.fingerprint() == before
    assert OPEN in ok(shop.inv("status")).out

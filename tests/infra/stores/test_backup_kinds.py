"""Which backups count, and for what: one rule for all who ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyrage
import pytest

from ops.backups.exclusions import must_be_whole
from ops.backups.freshness import freshness
from ops.cli import recover
from ops.core.errors import Refused, UsageError
from ops.doctor.backups import encryption
from ops.doctor.check import Subject
from ops.engine.journal import State
from ops.infra.session.session import Session
from ops.infra.stores import backup_kinds, manifest
from ops.inventory.load import load
from ops.procedures.planning.backup_to_prove import _chosen as drilled
from ops.retention.reasons import needed
from tests.infra.stores.test_manifest import dumped, facts

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RUN = "20261124_120000_aaaa"
# In the order in which they were taken; the release began at noon, and was gone on with in the evening.
KINDS: dict[str, dict[str, Any]] = {
    RUN: {},
    "20261124_130000_bbbb": {"excluded": {"public.audit": 5}},
    "20261124_140000_cccc_pgbackrest": {"engine": "pgbackrest", "label": "x"},
    "20261124_140000_cccc_unpacked": {"unpacked_of": "20261124_140000_cccc_pgbackrest"},
    "20261124_150000_dddd_safety": {},
    "20261124_150000_dddd_delta": {"delta_of": RUN},
    f"{RUN}_last": {},
}
SAFETY, DELTA = "20261124_150000_dddd_safety", "20261124_150000_dddd_delta"


def made(folder: Path, name: str, hours: float, **more: object) -> manifest.Manifest:
    taken = {"taken_at": NOON + timedelta(hours=hours), **more}
    return manifest.seal(dumped(folder, name), folder / "backups" / name, {**facts(name), **taken})


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for hours, (name, more) in enumerate(KINDS.items()):
        made(tmp_path / "shop", name, hours, **more)
    return tmp_path / "shop"


def test_they_are_listed_as_they_were_taken_and_counted_by_kind(shop: Path) -> None:
    known = manifest.backups(shop)
    assert [one.backup for one in known] == list(KINDS)
    without = {
        backup_kinds.real: {SAFETY, DELTA},
        backup_kinds.dumps: {SAFETY, DELTA, "20261124_140000_cccc_pgbackrest"},
        backup_kinds.whole: {SAFETY, DELTA, "20261124_140000_cccc_pgbackrest", "20261124_130000_bbbb"},
        backup_kinds.held: set(KINDS) - {"20261124_140000_cccc_pgbackrest"},
        backup_kinds.sized: {DELTA, "20261124_140000_cccc_pgbackrest"},
    }
    for rule, names in without.items():
        assert [one.backup for one in rule(known)] == [name for name in KINDS if name not in names], rule
    assert backup_kinds.newest([]) is None


def session(folder: Path, **more: object) -> Session:
    path = folder / "inventory.yaml"
    shop = "{database: 'env:X', pgbackrest: {stanza: main, aside: /srv/aside}}"
    path.write_text(f"all: {{vars: {{store: .}}, children: {{production: {{hosts: {{shop: {shop}}}}}}}}}\n")
    return Session(load(path), {})


def test_the_newest_is_what_was_taken_last_and_not_whose_run_began_last(shop: Path) -> None:
    last = f"{RUN}_last"
    assert manifest.find(shop, "latest").backup == last
    found = freshness(session(shop.parent), "shop").newest
    assert found is not None and found.backup == last
    assert drilled(shop, "")[0].backup == last
    assert recover._chosen(shop, ("a.0001", "a.0002"), "")[0].backup == last
    kept = shop / "runs"
    kept.mkdir()
    reasons = needed(session(shop.parent), "shop", shop)[0]
    assert reasons[last] == ["the newest backup with every table"]


def test_the_newest_proved_one_is_what_was_taken_last(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [proof(name, "drill.restore") for name in (f"{RUN}_last", "20261124_130000_bbbb", SAFETY)]
    monkeypatch.setattr("ops.engine.journal.runs", lambda folder: runs)
    found = needed(session(shop.parent), "shop", shop)[0]
    assert [name for name, why in found.items() if "the newest proved backup" in why] == [f"{RUN}_last"]


def proof(name: str, step: str) -> State:
    state = State({"run": f"{name}x", "procedure": "drill", "target": "shop", "inputs": {"backup": name}})
    state.ever[step] = "2026-11-25T00:00:00+00:00"
    state.outcome = {"outcome": "done"}
    return state


def test_what_a_rollback_refuses_is_not_what_it_says_to_type(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    bad = made(folder, "20261124_130000_bbbb", 1, excluded={"public.audit": 5})
    made(folder, "20261124_140000_cccc_pgbackrest", 2, engine="pgbackrest")
    with pytest.raises(Refused) as caught:
        must_be_whole("shop", bad, manifest.backups(folder))
    assert caught.value.hint.startswith("inv unpack --target=shop --backup=20261124_140000_cccc_pgbackrest   (whole, ")
    made(folder, RUN, 0)
    with pytest.raises(Refused) as caught:
        must_be_whole("shop", bad, manifest.backups(folder))
    assert caught.value.hint.startswith(f"--backup={RUN}   (whole, ")


@pytest.mark.parametrize("name", ["20261124_140000_cccc_pgbackrest", DELTA])
def test_nothing_is_compared_with_what_no_way_leads_back_to(shop: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        recover._chosen(shop, (), name)
    assert "unpacked" in caught.value.hint or "inv salvage" in caught.value.hint
    assert recover._chosen(shop, (), "latest")[0].backup == f"{RUN}_last"


def test_the_identity_is_tried_on_the_newest_dump_also_behind_one_of_pgbackrests(tmp_path: Path) -> None:
    ours, theirs = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    folder, name = tmp_path / "shop", "20261124_130000_bbbb"
    partial = dumped(folder, name)
    (partial / "dump.age").write_bytes(pyrage.encrypt(b"rows", [theirs.to_public()]))
    manifest.seal(partial, folder / "backups" / name, facts(name))
    made(folder, "20261124_140000_cccc_pgbackrest", 2, engine="pgbackrest")
    (tmp_path / "age.key").write_text(str(ours))
    (tmp_path / "age.key").chmod(0o600)
    encrypt = SimpleNamespace(recipients=(str(ours.to_public()),), identity="file:age.key")
    entry = SimpleNamespace(encrypt=encrypt, engine="pgbackrest")
    found = encryption(cast(Subject, SimpleNamespace(session=session(tmp_path), entry=entry, target="shop")))
    assert found.status == "warn" and f"can't decrypt the newest dump {name}" in found.said

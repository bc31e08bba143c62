"""What is read back from the store, damaged or made up: never a traceback, never a path outside the store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ops.cli import listings
from ops.cli.options import Options
from ops.cli.run import again
from ops.core.errors import OpsError
from ops.engine import journal
from ops.engine.inputs import RunInputs
from ops.engine.plan import make_plan
from ops.infra.session.session import Session
from ops.infra.stores import manifest
from ops.procedures.catalog import PROCEDURES, replan
from ops.procedures.planning.bind import bind
from ops.procedures.planning.page_inputs import Page
from ops.release import certificate, rehearsal_record
from ops.release.certificate_validity import objections
from ops.release.measuring import migration_metrics, recovery_time
from ops.verdict import fingerprint
from ops.verdict.expect import expectations
from tests.fuzz.mutated import answer, dumped, mutated, quick, said, text, values
from tests.infra.stores.test_manifest import facts
from tests.procedures.test_catalog import SHIPPED
from tests.release.test_certificate import CERTIFICATE
from tests.support.examples import examples

RUN = "20260101_000000_abcd"
INVENTORY = """
all:
  children:
    production: {hosts: {shop: {database: "env:FUZZ_URL", store: store, test: shop-test}}}
    test: {hosts: {shop-test: {database: "env:FUZZ_TEST_URL"}}}
"""
MANIFEST: dict[str, Any] = {
    **facts(RUN),
    "taken_at": "2026-01-01T00:00:00Z",
    "files": {"dump/toc.dat": ["0" * 64, 3], "fingerprint.jsonl": ["0" * 64, 3]},
}


def planned(name: str = "release") -> list[dict[str, Any]]:
    """A run's journal: its header, and some events."""
    c = bind(Page(Session(SHIPPED, {}), "lessons"), PROCEDURES[name])
    c = RunInputs.model_validate({**c.model_dump(), "run": RUN, "backup": RUN, "target": "shop", "store": "store"})
    plan = make_plan(PROCEDURES[name], c)
    step = plan.steps[1].name
    header = {
        "event": "run", "run": RUN, "procedure": name, "target": "shop", "tool": "1", "reason": "",
        "digest": plan.digest, "inputs": c.model_dump(mode="json"), "plan": [],
        "headline": "x", "at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return [
        header,
        {"event": "step", "step": step, "status": "begun", "title": "x", "number": 1, "of": 2},
        {"event": "step", "step": step, "status": "done", "title": "x", "number": 1, "of": 2, "seconds": 0.5},
        {"event": "fact", "name": "ROWS", "value": "1"},
        {"event": "outcome", "outcome": "failed", "exit": 4, "reason": "x", "hint": "y", "run": RUN},
    ]


JOURNAL = planned()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an inventory whose server is away, and a secret outside the store."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "outside").write_text("kept")
    monkeypatch.chdir(folder)
    for name in ("FUZZ_URL", "FUZZ_TEST_URL"):
        monkeypatch.setenv(name, "postgresql://u:p@127.0.0.1:1/shop" + "_test" * ("TEST" in name))
    return folder


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# --- manifests


@quick
@given(value=mutated(MANIFEST) | values)
@example(value={**MANIFEST, "taken_at": "2026-01-01T00:00:00"})
@example(value={**MANIFEST, "backup": "../../outside"})
def test_any_manifest(home: Path, value: Any) -> None:
    folder = home / "store/shop"
    path = put(folder / f"backups/{RUN}/manifest.json", dumped(value))
    found = manifest.backups(folder)
    assert all((folder / "backups" / one.backup).resolve().parent == folder / "backups" for one in found)
    answer(lambda: manifest.damage(path.parent))
    for wanted in ("latest", RUN):
        answer(lambda wanted=wanted: manifest.find(folder, wanted))  # type: ignore[misc]
    said(listings.backups, Options())
    said(listings.backups, Options(json=True))


@quick
@given(content=st.binary(max_size=60))
@example(content=b"[" * 100_000)
def test_a_manifest_of_any_bytes_is_no_backup(home: Path, content: bytes) -> None:
    put(home / f"store/shop/backups/{RUN}/manifest.json", content)
    assert manifest.backups(home / "store/shop") == []


@pytest.mark.parametrize("name", ["../../../outside", "/etc/passwd", "dump/../../x", "", "..", "a\0b"])
def test_a_manifest_that_names_files_elsewhere_is_damaged(home: Path, name: str) -> None:
    put(home / f"store/shop/backups/{RUN}/manifest.json", dumped({**MANIFEST, "files": {name: ["0" * 64, 4]}}))
    with pytest.raises(OpsError, match="damaged"):
        manifest.read_manifest(home / f"store/shop/backups/{RUN}")


def test_links_that_lead_out_are_no_backup_and_no_part_of_one(home: Path, tmp_path: Path) -> None:
    folder = home / "store/shop"
    elsewhere = put(tmp_path / f"elsewhere/{RUN}/manifest.json", dumped(MANIFEST)).parent
    (folder / "backups").mkdir(parents=True)
    (folder / "backups" / RUN).symlink_to(elsewhere)
    assert manifest.backups(folder) == []
    (folder / "backups" / RUN).unlink()
    put(folder / f"backups/{RUN}/manifest.json", dumped(MANIFEST))
    (folder / f"backups/{RUN}/dump").mkdir()
    (folder / f"backups/{RUN}/dump/toc.dat").symlink_to(tmp_path / "outside")
    assert "dump/toc.dat is a link to a file outside the backup" in manifest.damage(folder / "backups" / RUN)


@quick
@given(wanted=text)
def test_any_id_is_a_whole_file_name_or_refused(home: Path, wanted: str) -> None:
    folder = home / "store/shop"
    put(folder / f"backups/{RUN}/manifest.json", dumped(MANIFEST))
    for call in (
        lambda: manifest.find(folder, wanted),
        lambda: manifest.folder_of(folder, wanted),
        lambda: certificate.path(folder, wanted),
        lambda: rehearsal_record.read(folder, wanted),
    ):
        found = answer(call)
        if isinstance(found, Path):
            assert found.parent.parent == folder and found.resolve().parent == found.parent
    for undo in (True, False):
        code, shown = said(lambda options, undo=undo: again(options, wanted, undo), Options())  # type: ignore[misc]
        assert code == 2 or wanted == "", shown


# --- journals


@settings(quick, max_examples=examples(20))
@given(events=mutated(JOURNAL), procedure=st.sampled_from(sorted(PROCEDURES)))
@example(events=[{**JOURNAL[0], "inputs": {**JOURNAL[0]["inputs"], "run": "../../../outside"}}], procedure="release")
@example(events=[JOURNAL[0], {"event": "outcome"}], procedure="release")
@example(events=[JOURNAL[0], {"event": "step", "step": "x", "status": "done", "seconds": "NaN"}], procedure="backup")
@example(events=[{key: value for key, value in JOURNAL[0].items() if key != "digest"}], procedure="release")
def test_any_journal(home: Path, events: Any, procedure: str) -> None:
    lines = events if isinstance(events, list) else [events]
    path = put(home / f"store/shop/runs/{RUN}/journal.jsonl", b"\n".join(map(dumped, lines)))
    state = answer(lambda: journal.read(path.parent))
    if not isinstance(state, OpsError):
        plan = answer(lambda: replan(state))
        if not isinstance(plan, OpsError):
            assert (plan.inputs.run, plan.inputs.target) == (RUN, "shop")
    said(listings.runs, Options())
    for undo in (True, False):
        code, _ = said(lambda options, undo=undo: again(options, "", undo), Options(confirm="shop"))  # type: ignore[misc]
        assert code != 0
    assert sorted(one.name for one in home.iterdir()) == ["inventory.yaml", "store"]


@quick
@given(content=st.binary(max_size=80))
@example(content=b"[" * 100_000)
@example(content=b'{"event": "run", "run": "' + RUN.encode() + b'", "procedure": [], "target": {}, "inputs": 1}')
def test_a_journal_of_any_bytes(home: Path, content: bytes) -> None:
    put(home / f"store/shop/runs/{RUN}/journal.jsonl", content)
    said(listings.runs, Options())
    assert said(lambda options: again(options, RUN, False), Options())[0] == 2


# --- the others


def lines() -> list[dict[str, Any]]:
    return [
        {"sequence": "public.s", "last": 1, "step": 1, "cycle": False},
        {"table": "public.a", "rows": 1, "checksum": "7", "columns": [["id", "integer", "integer"]], "key": ["id"],
         "links": {"b": ["public.b", "id"]}},
        {"large_objects": 1, "checksum": "1"}, {"materialized": "m", "filled": True}, {"left_out": "x", "why": "y"},
        {"migration": "a.0001"}, {"schema": "x"}, {"complete": True, "server": 180000},
    ]  # fmt: skip


@quick
@given(value=mutated(lines()), content=st.binary(max_size=60))
@example(value=[{"table": "a", "columns": 1}], content=b"[" * 100_000)
@example(value=[{"table": "a", "rows": 1, "checksum": "1", "columns": [], "links": [1]}], content=b"1")
def test_any_fingerprint(home: Path, value: Any, content: bytes) -> None:
    path = home / "fingerprint.jsonl"
    for data in (b"\n".join(map(dumped, value if isinstance(value, list) else [value])), content):
        put(path, data)
        found = answer(lambda: fingerprint.read(path))
        if not isinstance(found, OpsError):
            assert fingerprint.differences(found, found) == []
            found.said_left_out()


@quick
@given(data=st.data())
def test_any_certificate(home: Path, data: st.DataObject) -> None:
    good = CERTIFICATE
    folder = home / "store/shop"
    certificate.write(folder, good)
    path = certificate.path(folder, good.certificate)
    kept = json.loads(path.read_bytes())
    put(path, data.draw(mutated(kept).map(dumped) | st.binary(max_size=60) | st.just(b"[" * 100_000)))
    found = answer(lambda: certificate.read(folder, good.certificate))
    if not isinstance(found, OpsError):
        objections(found, good.bound, datetime.now(UTC) + timedelta(days=1))


@quick
@given(value=mutated({name: 1.0 for name in recovery_time.MOMENTS}) | values, swap=text)
@example(value={name: float("nan") for name in recovery_time.MOMENTS}, swap="clients were away for 1.5 s")
@example(value=dict.fromkeys(recovery_time.MOMENTS, 10**400), swap="clients were away for ... s")
def test_any_way_back(home: Path, value: Any, swap: str) -> None:
    path = put(home / "way-back.json", dumped(value))
    put(home / "swapped-in.txt", swap.encode(errors="replace"))
    found = answer(lambda: recovery_time.measured(path))
    assert found is None or found.seconds >= 0 and found.sentence
    answer(lambda: recovery_time.note(path, "restored"))
    answer(lambda: recovery_time.note(path, swap))


@quick
@given(value=values, content=st.binary(max_size=60))
def test_any_measures_and_rehearsal(home: Path, value: Any, content: bytes) -> None:
    for data in (dumped(value), content):
        assert migration_metrics.read(put(home / "runs/x/measures.json", data)) is None
        migration_metrics.newest(home, RUN, ["a.0001"])
        put(home / f"rehearsals/{RUN}.json", data)
        assert isinstance(answer(lambda: rehearsal_record.read(home, RUN)), OpsError)


GOOD = """lessons.0002_session:
  - {table: lessons_note, lost: 120, why: "moved"}
  - {table: 'a."b"', column: x, changed: 1, why: "agreed"}
"""


@quick
@given(start=st.integers(0, len(GOOD)), length=st.integers(0, 30), into=text, content=st.binary(max_size=60))
def test_any_declarations(home: Path, start: int, length: int, into: str, content: bytes) -> None:
    changed = (GOOD[:start] + into + GOOD[start + length :]).encode(errors="replace")
    for data in (changed, content):
        path = put(home / "migrations.expect.yaml", data)
        answer(lambda path=path: expectations.load(path, "migrations.expect.yaml"))  # type: ignore[misc]

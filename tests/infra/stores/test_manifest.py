"""Backups: what is sealed is whole, what was damaged is told, and nothing half-written is offered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.core.errors import OpsError, UsageError
from ops.core.text import age
from ops.infra.stores.manifest import backups, damage, find, read_manifest, seal
from tests.support.examples import examples

FILES = {"dump/toc.dat": b"toc", "dump/1.dat.gz": b"rows \0\xff", "fingerprint.jsonl": b"{}\n", "empty": b""}


def facts(name: str) -> dict[str, Any]:
    return {
        "backup": name,
        "target": "shop",
        "database": "shop",
        "taken_at": datetime(2026, 1, 1, tzinfo=UTC),
        "server": 170002,
        "client": "17",
        "system": "7",
        "schema_digest": "s",
        "migrations": ["a.0001", "a.0002"],
        "commit": "c",
        "run": name,
        "rows": {"public.a": 3},
    }


def dumped(folder: Path, name: str) -> Path:
    """The files of a finished dump, still under its partial name."""
    partial = folder / "backups" / f"{name}.partial"
    for file, content in FILES.items():
        (partial / file).parent.mkdir(parents=True, exist_ok=True)
        (partial / file).write_bytes(content)
    return partial


def made(folder: Path, name: str) -> Path:
    """A backup."""
    final = folder / "backups" / name
    seal(dumped(folder, name), final, facts(name))
    return final


# --- seal ------------------------------------------------------------------------------------------------------------


def test_what_was_sealed_is_whole(tmp_path: Path) -> None:
    final = made(tmp_path, "b1")
    manifest = read_manifest(final)
    assert damage(final) == []
    assert manifest.files.keys() == FILES.keys()
    assert (manifest.size, manifest.rows) == (sum(map(len, FILES.values())), {"public.a": 3})
    assert not (tmp_path / "backups" / "b1.partial").exists()
    assert {path.stat().st_mode & 0o777 for path in final.rglob("*") if path.is_file()} == {0o600}


def test_sealing_twice_changes_nothing(tmp_path: Path) -> None:
    final = made(tmp_path, "b1")
    again = seal(final.with_name("b1.partial"), final, facts("other"))
    assert again == read_manifest(final)
    assert again.backup == "b1"


def test_a_seal_that_was_interrupted_before_the_rename_is_repeated(tmp_path: Path) -> None:
    partial = dumped(tmp_path, "b1")
    (partial / "manifest.json").write_text('{"half')
    seal(partial, partial.with_name("b1"), facts("b1"))
    assert damage(partial.with_name("b1")) == []


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, content in FILES.items() if content])
@settings(max_examples=examples(8), deadline=None)
@given(data=st.data())
def test_one_flipped_bit_is_told(tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject) -> None:
    final = made(tmp_path_factory.mktemp("store"), "b1")
    content = bytearray(FILES[name])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (final / name).write_bytes(content)
    assert damage(final) == [f"{name} does not match the manifest"]


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_off_or_grew_is_told(tmp_path: Path, name: str) -> None:
    final = made(tmp_path, "b1")
    for content in (FILES[name][:-1], FILES[name] + b"\0"):
        (final / name).write_bytes(content)
        assert damage(final) == ([f"{name} does not match the manifest"] if content != FILES[name] else [])


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_told(tmp_path: Path, name: str) -> None:
    final = made(tmp_path, "b1")
    (final / name).unlink()
    assert damage(final) == [f"{name} is missing"]
    (final / name).mkdir()
    assert damage(final) == [f"{name} is missing"]


def test_a_truncated_manifest_is_told_at_every_length(tmp_path: Path) -> None:
    path = made(tmp_path, "b1") / "manifest.json"
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(OpsError, match="the manifest is damaged"):
            damage(path.parent)
    assert backups(tmp_path) == []


def test_a_missing_manifest_is_told(tmp_path: Path) -> None:
    final = made(tmp_path, "b1")
    (final / "manifest.json").unlink()
    with pytest.raises(OpsError, match="the manifest is missing, so this is not a backup"):
        damage(final)


# --- find ------------------------------------------------------------------------------------------------------------


def test_the_latest_is_the_newest_that_is_no_safety_backup(tmp_path: Path) -> None:
    for name in ("20260102_a", "20260103_b_last", "20260101_c", "20260104_d_safety"):
        made(tmp_path, name)
    assert find(tmp_path, "latest").backup == "20260103_b_last"
    assert find(tmp_path, "20260104_d_safety").backup == "20260104_d_safety"
    assert [found.backup[:8] for found in backups(tmp_path)] == ["20260101", "20260102", "20260103", "20260104"]


def test_a_safety_backup_alone_is_not_the_latest(tmp_path: Path) -> None:
    made(tmp_path, "20260104_d_safety")
    with pytest.raises(UsageError, match="there is no backup 'latest'; the newest are: 20260104_d_safety"):
        find(tmp_path, "latest")


def test_what_is_half_written_is_no_backup(tmp_path: Path) -> None:
    made(tmp_path, "20260101_a")
    dumped(tmp_path, "20260102_b")
    sealed = made(tmp_path, "20260103_c")
    sealed.rename(sealed.with_name("20260103_c.partial"))
    (made(tmp_path, "20260104_d") / "manifest.json").unlink()
    assert find(tmp_path, "latest").backup == "20260101_a"
    for name in ("20260102_b", "20260103_c", "20260103_c.partial", "20260104_d"):
        with pytest.raises(UsageError, match="the newest are: 20260101_a"):
            find(tmp_path, name)


def test_without_backups_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the newest are: none") as caught:
        find(tmp_path / "shop", "latest")
    assert "inv backup --target=shop" in caught.value.hint


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        ({"seconds": 5}, "5 s"),
        ({"minutes": 3}, "3 min"),
        ({"hours": 5}, "5 h"),
        ({"days": 9}, "9 d"),
        ({"seconds": -5}, "0 s"),
    ],
)
def test_an_age_is_told_as_a_person_says_it(passed: dict[str, int], said: str) -> None:
    assert age(datetime.now(UTC) - timedelta(**passed)) == said

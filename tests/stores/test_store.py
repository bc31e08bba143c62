"""One suite over every kind of store."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ops.errors import Refused, Unreachable
from ops.store import PIECE, AnyStore, Store
from tests.stores.conftest import Line


def test_what_is_put_is_listed_read_and_fetched_whole(store: AnyStore, tmp_path: Path) -> None:
    content = os.urandom(3 * PIECE + 17)
    (tmp_path / "in").write_bytes(content)
    tag = store.put("shop/backups/b1/dump/3.dat", tmp_path / "in")
    listed = store.listed("shop/")
    assert {key: kept.size for key, kept in listed.items()} == {"shop/backups/b1/dump/3.dat": len(content)}
    assert listed["shop/backups/b1/dump/3.dat"].tag == tag
    store.get("shop/backups/b1/dump/3.dat", tmp_path / "new" / "out", len(content))
    assert (tmp_path / "new" / "out").read_bytes() == content
    assert (tmp_path / "new" / "out").stat().st_mode & 0o777 == 0o600
    assert store.sha256("shop/backups/b1/dump/3.dat", len(content)) == hashlib.sha256(content).hexdigest()
    store.delete(["shop/backups/b1/dump/3.dat", "shop/never/was"])
    assert store.listed("shop/") == {}


def test_what_comes_bit_by_bit_is_seen_once_all_of_it_is_there(store: AnyStore) -> None:
    bits = [os.urandom(PIECE - 1) for _ in range(5)]
    with store.growing("shop/backups/b1/dump.age") as take:
        for bit in bits:
            take(bit)
        assert store.listed("shop/") == {}
    whole = b"".join(bits)
    assert {key: kept.size for key, kept in store.listed("shop/").items()} == {"shop/backups/b1/dump.age": len(whole)}
    assert store.sha256("shop/backups/b1/dump.age", len(whole)) == hashlib.sha256(whole).hexdigest()


def test_an_empty_file_is_a_file(store: AnyStore, tmp_path: Path) -> None:
    (tmp_path / "in").touch()
    store.put("shop/empty", tmp_path / "in")
    store.get("shop/empty", tmp_path / "out", 0)
    assert (tmp_path / "out").read_bytes() == b"" and store.sha256("shop/empty", 0) == hashlib.sha256().hexdigest()


def test_a_prefix_is_a_folder(store: AnyStore, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("x")
    store.put("shop/a", tmp_path / "in")
    store.put("shop-test/a", tmp_path / "in")
    assert list(store.listed("shop/")) == ["shop/a"]


def test_only_one_of_two_writers_wins(store: AnyStore) -> None:
    first = store.swap("shop/runs/r/journal.jsonl", b"one", "")
    with pytest.raises(Refused, match="written by somebody else"):
        store.swap("shop/runs/r/journal.jsonl", b"other", "")
    second = store.swap("shop/runs/r/journal.jsonl", b"two", first)
    with pytest.raises(Refused, match="written by somebody else"):
        store.swap("shop/runs/r/journal.jsonl", b"other", first)
    assert store.read("shop/runs/r/journal.jsonl") == (b"two", second)


def test_what_the_list_tells_is_written_over_and_nothing_else(store: AnyStore) -> None:
    assert store.tag("shop/runs/r/journal.jsonl") == ""
    store.swap("shop/runs/r/journal.jsonl", b"one", "")
    listed = store.listed("shop/")["shop/runs/r/journal.jsonl"].tag
    assert listed == store.tag("shop/runs/r/journal.jsonl") == store.read("shop/runs/r/journal.jsonl")[1]
    second = store.swap("shop/runs/r/journal.jsonl", b"two", listed)
    with pytest.raises(Refused, match="written by somebody else"):
        store.swap("shop/runs/r/journal.jsonl", b"other", listed)
    assert store.listed("shop/")["shop/runs/r/journal.jsonl"].tag == second


def test_an_answer_that_was_lost_is_no_other_writer(store: AnyStore) -> None:
    tag = store.swap("shop/runs/r/journal.jsonl", b"one", "")
    # The same once more, as it is sent when the answer did not come.
    assert store.swap("shop/runs/r/journal.jsonl", b"one", "") == tag
    assert list(store.listed("shop/")) == ["shop/runs/r/journal.jsonl"]


def test_what_is_not_there_is_said(store: AnyStore, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="is not in the store"):
        store.read("shop/nothing")
    with pytest.raises(Unreachable, match="is not in the store"):
        store.get("shop/nothing", tmp_path / "out", 5)
    assert not (tmp_path / "out").exists()


def test_a_bucket_that_is_not_there_is_said_in_a_line(at: Line) -> None:
    with pytest.raises(Unreachable) as caught:
        Store("s3://no-such-bucket/kept").listed("")
    assert caught.value.message == "s3://no-such-bucket/kept: there is no such bucket"


def test_a_server_that_is_away_is_said_in_a_line(at: Line, bucket: str) -> None:
    at.sever()
    with pytest.raises(Unreachable) as caught:
        Store(f"s3://{bucket}/kept").listed("")
    assert caught.value.message == f"s3://{bucket}/kept: it does not answer"


def test_no_part_of_an_upload_that_is_cut_is_seen(at: Line, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(os.urandom(3 * PIECE))
    at.limit = at.passed + 2 * PIECE
    with pytest.raises(Unreachable):
        Store(f"s3://{bucket}/kept").put("shop/big", tmp_path / "in")
    at.limit, at.cut = -1, False
    assert Store(f"s3://{bucket}/kept").listed("") == {}

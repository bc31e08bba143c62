"""One suite over every kind of store: what each of them must do with a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ops.core.errors import Refused, Unreachable
from ops.infra.stores.base import AnyStore
from ops.infra.stores.object_store import PIECE, Store
from tests.support.stores.places import Place

pytestmark = pytest.mark.usefixtures("no_sums")
JOURNAL = "shop/runs/r/journal.jsonl"
# What a shell, a URL or a list would read as something else.
ODD = ("shop/a b", "shop/it's", "shop/50%25", "shop/#1?x=y&z", "shop/-r Füße+<a>")
# Folders, and files in one: a list of S3's has 1,000 at a time.
MANY = {"s3": (10, 1_010), "google": (10, 20), "azure": (5, 10)}
OTHERS = "changed by another process"


def written(folder: Path, content: bytes) -> Path:
    (folder / "in").write_bytes(content)
    return folder / "in"


def sizes(store: AnyStore, prefix: str = "shop/") -> dict[str, int]:
    return {key: kept.size for key, kept in store.listed(prefix).items()}


# --- what is put there -----------------------------------------------------------------------------------------------


def test_what_is_put_is_listed_read_and_fetched_whole(store: AnyStore, tmp_path: Path) -> None:
    key, content = "shop/backups/b1/dump/3.dat", os.urandom(PIECE + 17)
    tag = store.put(key, written(tmp_path, content))
    assert sizes(store) == {key: len(content)}
    assert store.listed("shop/")[key].tag == tag == store.tag(key)
    store.get(key, tmp_path / "new" / "out", len(content))
    assert (tmp_path / "new" / "out").read_bytes() == content
    assert (tmp_path / "new" / "out").stat().st_mode & 0o777 == 0o600
    assert store.sha256(key, len(content)) == hashlib.sha256(content).hexdigest()
    store.delete([key, "shop/never/was"])
    assert store.listed("shop/") == {}


def test_an_empty_file_is_a_file(store: AnyStore, tmp_path: Path) -> None:
    store.put("shop/empty", written(tmp_path, b""))
    assert sizes(store) == {"shop/empty": 0}
    store.get("shop/empty", tmp_path / "out", 0)
    assert (tmp_path / "out").read_bytes() == b"" and store.sha256("shop/empty", 0) == hashlib.sha256().hexdigest()


def test_a_file_takes_anothers_place_whole(store: AnyStore, tmp_path: Path) -> None:
    store.put("shop/a", written(tmp_path, b"a longer one"))
    store.put("shop/a", written(tmp_path, b"short"))
    assert store.read("shop/a")[0] == b"short" and sizes(store) == {"shop/a": 5}


def test_what_is_written_within_one_second_has_another_tag(store: AnyStore, tmp_path: Path) -> None:
    tags = []
    for content in (b"one", b"two", b"four", b"six"):
        tags.append(store.put("shop/pins/b.json", written(tmp_path, content)))
        assert store.listed("shop/")["shop/pins/b.json"].tag == tags[-1] == store.read("shop/pins/b.json")[1]
    assert len(set(tags)) == 4


# --- what it lists ---------------------------------------------------------------------------------------------------


def test_a_prefix_is_a_folder(store: AnyStore, tmp_path: Path) -> None:
    for key in ("shop/a", "shop-test/a"):
        store.put(key, written(tmp_path, b"x"))
    assert list(store.listed("shop/")) == ["shop/a"]
    assert set(store.listed("")) == {"shop/a", "shop-test/a"}


def test_many_folders_and_a_large_one_are_listed_whole(place: Place) -> None:
    folders, large = MANY.get(place.kind, (70, 250))
    wanted = {f"shop/backups/{number}/dump/x": 2 for number in range(folders)}
    wanted |= {f"shop/runs/r/{number}.log": 1 for number in range(large)}
    place.plant({key: bytes(size) for key, size in wanted.items()})
    assert sizes(place.store) == wanted


def test_a_name_is_taken_as_it_is(store: AnyStore, tmp_path: Path) -> None:
    for name in ODD:
        store.put(name, written(tmp_path, name.encode()))
    assert set(store.listed("shop/")) == set(ODD)
    for name in ODD:
        content = name.encode()
        assert store.read(name)[0] == content
        assert store.sha256(name, len(content)) == hashlib.sha256(content).hexdigest()
    store.delete(ODD)
    assert store.listed("shop/") == {}


def test_folders_that_are_empty_go_and_come_again(store: AnyStore, tmp_path: Path) -> None:
    for _ in range(2):
        store.put("shop/backups/b/dump/1.dat", written(tmp_path, b"x"))
        assert list(store.listed("")) == ["shop/backups/b/dump/1.dat"]
        store.delete(["shop/backups/b/dump/1.dat"])
        assert store.listed("") == {}


# --- who may write over it -------------------------------------------------------------------------------------------


def test_only_one_of_two_writers_wins(store: AnyStore) -> None:
    first = store.swap(JOURNAL, b"one", "")
    with pytest.raises(Refused, match=OTHERS):
        store.swap(JOURNAL, b"other", "")
    second = store.swap(JOURNAL, b"two", first)
    with pytest.raises(Refused, match=OTHERS):
        store.swap(JOURNAL, b"other", first)
    assert store.read(JOURNAL) == (b"two", second)


def test_what_the_list_tells_is_written_over_and_nothing_else(store: AnyStore) -> None:
    assert store.tag(JOURNAL) == ""
    store.swap(JOURNAL, b"one", "")
    listed = store.listed("shop/")[JOURNAL].tag
    assert listed == store.tag(JOURNAL) == store.read(JOURNAL)[1]
    second = store.swap(JOURNAL, b"two", listed)
    with pytest.raises(Refused, match=OTHERS):
        store.swap(JOURNAL, b"other", listed)
    assert store.listed("shop/")[JOURNAL].tag == second


def test_what_was_removed_meanwhile_is_not_written_over(store: AnyStore) -> None:
    tag = store.swap(JOURNAL, b"one", "")
    store.delete([JOURNAL])
    with pytest.raises((Refused, Unreachable), match=f"{OTHERS}|does not exist in the store"):
        store.swap(JOURNAL, b"two", tag)
    assert store.listed("shop/") == {}


def test_an_answer_that_was_lost_is_no_other_writer(store: AnyStore) -> None:
    tag = store.swap(JOURNAL, b"one", "")
    # The same once more, as it is sent when the answer did not come.
    assert store.swap(JOURNAL, b"one", "") == tag
    assert list(store.listed("shop/")) == [JOURNAL]


def test_an_answer_that_was_lost_over_a_line_is_no_other_writer(lined: Place) -> None:
    store = lined.store
    tag = store.swap(JOURNAL, b"one", "")
    second = store.swap(JOURNAL, b"two", tag)
    assert store.swap(JOURNAL, b"two", tag) == second


def test_two_machines_at_once_lose_no_line(lined: Place) -> None:
    lined.store.swap(JOURNAL, b"", "")

    def add(line: bytes) -> None:
        store, won = lined.store, 0
        while won < 6:
            content, tag = store.read(JOURNAL)
            try:
                store.swap(JOURNAL, content + line, tag)
                won += 1
            except Refused:
                pass

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(add, (b"here\n", b"there\n")))
    lines = lined.store.read(JOURNAL)[0].split()
    assert (lines.count(b"here"), lines.count(b"there")) == (6, 6)


@pytest.mark.xfail(reason="Store.swap looks at a mounted folder's file and writes after that", strict=True)
def test_who_comes_between_the_look_and_the_write_in_a_mounted_folder_is_not_written_over(
    place_of: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of("file")
    ours, theirs = Store(place.url), place.store
    known = ours.swap(JOURNAL, b"one", "")
    look = ours.tag

    def late(key: str) -> str:
        found = look(key)
        theirs.swap(key, b"theirs", found)
        return found

    monkeypatch.setattr(ours, "tag", late)
    with pytest.raises(Refused, match=OTHERS):
        ours.swap(JOURNAL, b"ours", known)


# --- what is not there, or cut off -----------------------------------------------------------------------------------


def test_what_is_not_there_is_said(store: AnyStore, tmp_path: Path) -> None:
    for ask in (
        lambda: store.read("shop/nothing"),
        lambda: store.get("shop/nothing", tmp_path / "out", 5),
        lambda: store.sha256("shop/nothing", 5),
    ):
        with pytest.raises(Unreachable, match="/shop/nothing: does not exist in the store$"):
            ask()
    assert not (tmp_path / "out").exists()
    assert store.tag("shop/nothing") == "" and store.listed("shop/") == {}


def test_no_part_of_an_upload_that_is_cut_is_seen(lined: Place, small: int, tmp_path: Path) -> None:
    store, path = lined.store, written(tmp_path, os.urandom(3 * small))
    lined.line.limit = lined.line.passed + 2 * small
    with pytest.raises(Unreachable) as caught:
        store.put("shop/big", path)
    assert caught.value.message.startswith(f"{lined.url}: ") and "\n" not in caught.value.message
    lined.line.mend()
    assert lined.store.listed("") == {}
    # Whoever was cut off goes on.
    store.put("shop/big", path)
    assert sizes(store) == {"shop/big": 3 * small}


def test_a_line_that_is_cut_while_it_is_fetched_leaves_no_file(lined: Place, small: int, tmp_path: Path) -> None:
    store = lined.store
    store.put("shop/big", written(tmp_path, os.urandom(3 * small)))
    lined.line.back = 2 * small
    with pytest.raises(Unreachable):
        store.get("shop/big", tmp_path / "out", 3 * small)
    assert not (tmp_path / "out").exists()
    lined.line.mend()
    store.get("shop/big", tmp_path / "out", 3 * small)
    assert (tmp_path / "out").read_bytes() == (tmp_path / "in").read_bytes()

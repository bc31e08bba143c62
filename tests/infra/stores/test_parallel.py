"""Files go several at once, small ones first; the first error is told, Ctrl-C ends it, the manifest goes last."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import cast

import pytest

from ops.core.errors import Unreachable
from ops.infra.stores import parallel as module
from ops.infra.stores.base import AT_ONCE, AnyStore, Kept
from ops.infra.stores.manifest import seal
from ops.infra.stores.parallel import several
from ops.infra.stores.remote_backup import MANIFEST, SMALL, StoredBackup
from tests.infra.stores.test_manifest import dumped, facts


def test_each_is_done_once_and_so_many_at_a_time() -> None:
    together, under_way, most, found = threading.Barrier(AT_ONCE), [0], [0], {}
    lock = threading.Lock()

    def work(item: int) -> int:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        together.wait(10)
        with lock:
            under_way[0] -= 1
        return item * item

    several(work, range(3 * AT_ONCE), found.__setitem__)
    assert found == {item: item * item for item in range(3 * AT_ONCE)} and most == [AT_ONCE]
    several(work, [], found.__setitem__)


def test_the_first_error_is_told_and_nothing_is_begun_after_it() -> None:
    failed, begun, found = threading.Event(), [], {}

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            failed.set()
            raise Unreachable("the first", "")
        assert failed.wait(10)
        time.sleep(0.2)
        if item == 2:
            raise Unreachable("the second", "")
        return item

    with pytest.raises(Unreachable, match="the first"):
        several(work, range(100), found.__setitem__)
    # What was under way has ended, and counts.
    assert set(begun) <= set(range(AT_ONCE + 1)) and found == {item: item for item in begun if item not in (1, 2)}
    assert 0 in found


def test_ctrl_c_ends_it_though_somebody_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE", 0.3)
    hangs, begun, found = threading.Event(), [], {}

    def work(item: int) -> int:
        begun.append(item)
        if item:
            hangs.wait(60)
        return item

    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        several(work, range(100), found.__setitem__)
    assert time.monotonic() - started < 5 and found == {0: 0} and len(begun) == AT_ONCE + 1
    hangs.set()


class Shelf:
    """A store in memory that notes what is put there, and by which thread."""

    url = "shelf"

    def __init__(self, fails: str = "") -> None:
        self.kept: dict[str, bytes] = {}
        self.put_by: dict[str, str] = {}
        self.fails = fails
        self.pair = threading.Barrier(2)

    def listed(self, prefix: str) -> dict[str, Kept]:
        return {key: Kept(len(content), key, None) for key, content in self.kept.items()}  # type: ignore[arg-type]

    def put(self, key: str, path: Path) -> str:
        self._beside_another(key)
        if self.fails and key.endswith(self.fails):
            raise Unreachable("it does not answer", "")
        self.kept[key] = path.read_bytes()
        self.put_by[key] = threading.current_thread().name
        return key

    def get(self, key: str, path: Path, size: int) -> None:
        self._beside_another(key)
        path.write_bytes(self.kept[key])

    def _beside_another(self, key: str) -> None:
        """Two of the small ones, and two of the large ones, meet here, or it breaks."""
        if key.endswith((".small", ".bad", ".large")):
            self.pair.wait(10)


def backup(folder: Path, *more: str) -> StoredBackup:
    partial = dumped(folder, "b1")
    for n in range(4):
        (partial / f"{n}.small").write_bytes(b"x" * n)
    for name in more:
        (partial / name).write_bytes(b"y")
    for n in range(2):
        (partial / f"{n}.large").write_bytes(b"z" * (SMALL + 1))
    seal(partial, folder / "backups/b1", facts("b1"))
    return StoredBackup(cast(AnyStore, Shelf()), "shop", folder, "b1")


def test_files_go_beside_each_other_the_large_ones_after_the_small_and_the_manifest_last(tmp_path: Path) -> None:
    one = backup(tmp_path)
    shelf = cast(Shelf, one.store)
    sent = one.put()
    names = [key.removeprefix("shop/backups/b1/") for key in shelf.put_by]
    assert {*names[-3:-1]} == {"0.large", "1.large"} and names[-1] == MANIFEST and len(names) == 11
    here = threading.current_thread().name
    assert [name for name, by in zip(names, shelf.put_by.values(), strict=True) if by == here] == [MANIFEST]
    assert sent == sum(len(content) for key, content in shelf.kept.items() if not key.endswith(MANIFEST))
    assert one.put() == 0
    for n in range(4):
        (one.folder / f"{n}.small").unlink()
    assert one.fetch() == 6 and one.fetch() == 0


def test_what_was_sent_before_an_error_is_not_sent_again_and_no_manifest_is_there(tmp_path: Path) -> None:
    one = backup(tmp_path, "4.small", "5.bad")
    shelf = cast(Shelf, one.store)
    shelf.fails = ".bad"
    with pytest.raises(Unreachable, match="shop: it does not answer"):
        one.put()
    before = set(shelf.kept)
    assert before and not any(key.endswith((MANIFEST, ".large")) for key in before)
    shelf.fails, shelf.put_by, shelf.pair = "", {}, threading.Barrier(1)
    one.put()
    assert before.isdisjoint(shelf.put_by) and list(shelf.put_by)[-1].endswith(MANIFEST)

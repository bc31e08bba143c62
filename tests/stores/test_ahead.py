"""What is finished of a dump is sent while the rest is still written; what went wrong there is put right after it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ops import ahead
from ops.ahead import Ahead
from ops.backup import seal
from ops.errors import Unreachable
from ops.store import AnyStore
from ops.stored import StoredBackup
from tests.conftest import Project
from tests.stores.conftest import elsewhere
from tests.stores.lines import Line
from tests.stores.places import Place
from tests.stores.scenes import BACKUP, ROWS, Buckets
from tests.unit.test_backup import facts

State = Callable[[str], Project]


class Dump:
    """A dump that is being written, and the store that it is sent to meanwhile."""

    def __init__(self, store: AnyStore, folder: Path) -> None:
        self.store, self.target = store, folder / "shop"
        self.folder = self.target / "backups/b1.partial"
        (self.folder / "dump").mkdir(parents=True)
        work = Ahead(store, "shop/backups/b1", self.folder, self.folder / "exit")
        self.work = threading.Thread(target=work.send, daemon=True)

    def wait(self, name: str) -> None:
        """Wait until something of that name is in the store."""
        for _ in range(200):
            if f"shop/backups/b1/{name}" in self.store.listed("shop/"):
                return
            time.sleep(0.05)
        raise AssertionError(f"{name} did not come")

    def end(self) -> None:
        """pg_dump comes to its end."""
        (self.folder / "exit").write_text("0")
        self.work.join(20)
        assert not self.work.is_alive()
        (self.folder / "exit").unlink()

    def put(self) -> int:
        """Seal it, and send the rest; the bytes that were sent then."""
        final = self.folder.with_name("b1")
        seal(self.folder, final, facts("b1"))
        assert not any(name.startswith(".") for name in os.listdir(final / "dump"))
        stored = StoredBackup(self.store, "shop", self.target, "b1")
        sent = stored.put()
        manifest = stored.check(deep=True)
        assert not any(".sent" in name for name in manifest.files)
        return sent


@pytest.fixture
def dump(store: AnyStore, tmp_path: Path, no_sums: None, monkeypatch: pytest.MonkeyPatch) -> Dump:
    monkeypatch.setattr(ahead, "STILL", 0.1)
    monkeypatch.setattr(ahead, "PAUSE", 0.05)
    return Dump(store, tmp_path)


def test_a_finished_table_is_sent_once(dump: Dump) -> None:
    (dump.folder / "dump/toc.dat").write_bytes(b"contents")
    (dump.folder / "dump/3001.dat.zst").write_bytes(os.urandom(1000))
    dump.work.start()
    dump.wait("dump/3001.dat.zst")
    dump.end()
    (dump.folder / "dump/3002.dat.zst").write_bytes(b"last")
    assert dump.put() == len(b"contents") + len(b"last")


def test_a_table_that_was_taken_for_finished_is_sent_again(dump: Dump) -> None:
    part = dump.folder / "dump/3001.dat"
    part.write_bytes(b"half")
    dump.work.start()
    dump.wait("dump/3001.dat")
    dump.end()
    with part.open("ab") as file:
        file.write(b", and the rest")
    assert dump.put() == len(b"half, and the rest")


def test_what_an_attempt_before_has_sent_is_not_taken_for_it(dump: Dump, tmp_path: Path) -> None:
    (tmp_path / "before").write_bytes(b"as long")
    dump.store.put("shop/backups/b1/dump/3001.dat", tmp_path / "before")
    (dump.folder / "dump/3001.dat").write_bytes(b"another")
    assert dump.put() == len(b"another")


def test_one_stream_is_followed_as_it_grows(dump: Dump, small: int) -> None:
    # The library sends pieces of 5 MB then.
    pieces = [os.urandom(small + 1) for _ in range(6)]
    with (dump.folder / "dump.age").open("wb", buffering=0) as file:
        dump.work.start()
        for piece in pieces:
            file.write(piece)
            time.sleep(0.02)
    dump.end()
    assert dump.put() == 0
    assert dump.store.read("shop/backups/b1/dump.age")[0] == b"".join(pieces)


def test_a_line_that_is_cut_meanwhile_costs_a_second_try_only(lined: Place, small: int, tmp_path: Path) -> None:
    dump, line = Dump(lined.store, tmp_path), lined.line
    content = os.urandom(3 * small)
    (dump.folder / "dump.age").write_bytes(content)
    line.limit = line.passed + 2 * small
    (dump.folder / "exit").write_text("0")
    with pytest.raises(Unreachable):
        Ahead(dump.store, "shop/backups/b1", dump.folder, dump.folder / "exit")._follow(dump.folder / "dump.age")
    line.mend()
    (dump.folder / "exit").unlink()
    assert dump.store.listed("shop/") == {}
    assert dump.put() == len(content)


@pytest.mark.parametrize("gone", ["psql", "folder"])
def test_nobody_who_waits_is_the_end_of_it(tmp_path: Path, gone: str) -> None:
    folder = tmp_path / "b1.partial"
    (folder / "dump").mkdir(parents=True)
    psql = subprocess.Popen(["sleep", "60"])
    place = os.fspath(folder)
    words = ("ops.ahead", f"file://{tmp_path}/kept", "shop/backups/b1", place, f"{place}/exit", str(psql.pid))
    child = subprocess.Popen([sys.executable, "-m", *words])
    try:
        time.sleep(1)
        assert child.poll() is None
        if gone == "psql":
            psql.kill()
            psql.wait()
        else:
            folder.rename(tmp_path / "b1")
            folder.mkdir()
        assert child.wait(10) == 1
    finally:
        for one in (child, psql):
            one.kill()
            one.wait()


@pytest.mark.slow
def test_a_backup_that_was_sent_meanwhile_comes_back_on_another_machine(
    sealed: State, buckets: Buckets, tmp_path: Path
) -> None:
    shop, made = sealed("sealed"), buckets.state("sealed")
    # All but the fingerprint was there already.
    assert "0.0 MB sent to s3://" in made.said.out, made.said.out
    assert max(map(len, made.objects.values())) > 2_000_000
    shop.query("DROP TABLE ballast")
    back = elsewhere(shop, tmp_path / "elsewhere").inv("rollback", "--backup=latest", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query("SELECT count(*) FROM ballast") == [(ROWS,)]


@pytest.mark.slow
def test_a_dump_does_not_fail_where_the_store_is_away_meanwhile(sealed: State, at: Line) -> None:
    shop = sealed("sealed")
    shop.env["OPS_AHEAD"] = "0"
    at.limit = at.passed + 1_500_000
    done = shop.inv(*BACKUP)
    assert done.code == 4 and "[ 1/" in done.out and "✓ Dump on one snapshot" in done.out, done.out + done.err
    at.mend()
    resumed = shop.inv("resume")
    assert resumed.code == 0, resumed.out + resumed.err

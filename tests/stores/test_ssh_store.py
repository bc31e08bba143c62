"""A folder behind SSH: what only that can do wrong."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ops import sftp_lock
from ops.errors import Refused, Unreachable
from ops.sftp import BLOCK, Answer, Client
from ops.sftp_lock import OURS, locked
from ops.ssh_store import LARGE, SshStore
from tests.stores.hosts import Far, reached, started

ROOT = Path(__file__).parents[2]
JOURNAL = "shop/runs/r/journal.jsonl"
# Adds lines to one file, as long as it is the one that it knows, and says how many.
ADDS = """
import sys
from ops.errors import Refused
from ops.ssh_store import SshStore
store, won = SshStore(sys.argv[1]), 0
while won < 15:
    content, tag = store.read(sys.argv[2])
    try:
        store.swap(sys.argv[2], content + sys.argv[3].encode() + b"\\n", tag)
        won += 1
    except Refused:
        pass
"""
Serve = Callable[..., contextlib.AbstractContextManager[Far]]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Starts OpenSSH's server with lines of its configuration."""

    @contextlib.contextmanager
    def serving(*more: str) -> Iterator[Far]:
        server = started("openssh", tmp_path / "server", *more)
        with server as login, reached(login, tmp_path / "far", monkeypatch) as found:
            yield found

    return serving


def written(folder: Path, size: int) -> Path:
    path = folder / f"{size}.dat"
    path.write_bytes(os.urandom(size))
    return path


def hidden(far: Far) -> list[str]:
    return [path.name for path in far.folder.rglob(".*")]


def test_it_is_its_owners_alone(far: Far, tmp_path: Path) -> None:
    store = SshStore(far.url)
    store.put("shop/backups/b/dump/1.dat", written(tmp_path, 10))
    store.swap(JOURNAL, b"one", "")
    for path in (far.folder, *far.folder.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert hidden(far) == []


@pytest.mark.slow
def test_two_processes_at_once_lose_no_line(far: Far) -> None:
    SshStore(far.url).swap(JOURNAL, b"", "")
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [[sys.executable, "-c", ADDS, far.url, JOURNAL, name] for name in ("here", "there")]
    both = [subprocess.Popen(one, env=env) for one in words]
    assert [one.wait(60) for one in both] == [0, 0]
    lines = (far.folder / JOURNAL).read_text().split()
    assert (lines.count("here"), lines.count("there")) == (15, 15)
    assert hidden(far) == []


def test_a_lock_that_was_left_is_broken_and_its_holder_can_not_go_on(openssh: Far) -> None:
    store = SshStore(openssh.url)
    tag = store.swap(JOURNAL, b"one", "")
    folder, version = (openssh.folder / JOURNAL).parent, f"{OURS}{'0' * 32}"
    (folder / version).write_bytes(b"of one who sleeps")
    file, sleeps = str(folder / "journal.jsonl"), store._sessions.one()
    with sleeps as client, locked(client, file, str(folder / version), time.time()):
        [lock] = folder.glob(f"{OURS}lock-*")
        assert version in lock.read_text() and f"(process {os.getpid()})" in lock.read_text()
        os.utime(lock, (time.time() - 2 * sftp_lock.STALE,) * 2)
        two = store.swap(JOURNAL, b"two", tag)
        with pytest.raises(Answer) as caught:
            client.replace(str(folder / version), file)
        assert caught.value.missing
    assert store.read(JOURNAL) == (b"two", two)
    assert hidden(openssh) == []


def test_a_lock_that_is_held_is_waited_for_and_its_holder_named(openssh: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SshStore(openssh.url)
    tag = store.swap(JOURNAL, b"one", "")
    lock = (openssh.folder / JOURNAL).with_name(f"{OURS}lock-journal.jsonl")
    lock.write_text("ann@nas (process 7)\n")
    with ThreadPoolExecutor() as pool:
        waits = pool.submit(store.swap, JOURNAL, b"two", tag)
        time.sleep(0.7)
        assert not waits.done()
        lock.unlink()
        tag = waits.result(10)
    monkeypatch.setattr(sftp_lock, "STALE", 0.5)
    monkeypatch.setattr(sftp_lock, "FENCE", 0)
    lock.write_text("ann@nas (process 7)\n")
    os.utime(lock, (time.time() + 60,) * 2)
    with pytest.raises(Unreachable, match=r"ann@nas \(process 7\) has been writing it for 1 s"):
        store.swap(JOURNAL, b"three", tag)
    assert store.read(JOURNAL)[0] == b"two"


def test_one_that_took_too_long_writes_nothing(openssh: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SshStore(openssh.url)
    tag = store.swap(JOURNAL, b"one", "")
    monkeypatch.setattr(sftp_lock, "FENCE", 0)
    with pytest.raises(Unreachable, match="took longer than 0 s"):
        store.swap(JOURNAL, b"two", tag)
    assert store.read(JOURNAL)[0] == b"one"


def test_what_an_upload_left_is_passed_over_and_removed_when_it_is_old(openssh: Far, tmp_path: Path) -> None:
    store, folder = SshStore(openssh.url), openssh.folder / "shop/backups/b"
    store.put("shop/backups/b/1.dat", written(tmp_path, 10))
    ages = {f"{OURS}{'a' * 32}": 2, f"{OURS}{'b' * 32}": 0.5, ".not-ours": 9}
    for name, days in ages.items():
        (folder / name).touch()
        os.utime(folder / name, (time.time() - days * 86400,) * 2)
    assert list(store.listed("shop/")) == ["shop/backups/b/1.dat"]
    assert set(hidden(openssh)) == set(ages)
    store.put("shop/backups/b/2.dat", written(tmp_path, 10))
    assert set(hidden(openssh)) == set(ages) - {f"{OURS}{'a' * 32}"}


def test_links_are_passed_over_and_empty_folders_go(far: Far, tmp_path: Path) -> None:
    store = SshStore(far.url)
    store.put("shop/backups/b/dump/1.dat", written(tmp_path, 10))
    (far.folder / "shop/runs").mkdir()
    (far.folder / "shop/runs/linked").symlink_to(far.folder)
    assert list(store.listed("shop/")) == ["shop/backups/b/dump/1.dat"]
    store.delete(["shop/backups/b/dump/1.dat"])
    assert os.listdir(far.folder) == ["shop"] and os.listdir(far.folder / "shop") == ["runs"]


@pytest.mark.parametrize("shell", ["sha256sum", "shasum -a 256", "none"])
def test_a_sum_is_the_same_with_and_without_a_program_there(
    openssh: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    store, path = SshStore(openssh.url), written(tmp_path, 3 * BLOCK + 5)
    store.put("shop/it's/1.dat", path)
    asked: list[str] = []
    ask = store._ask
    monkeypatch.setattr(store, "_ask", lambda line, patience: asked.append(line) or "")
    if shell != "none":
        monkeypatch.setattr("ops.ssh_store.SUMS", (shell,))
        monkeypatch.setattr(store, "_ask", lambda line, patience: asked.append(line) or ask(line, patience))
    before = openssh.line.passed
    assert store.sha256("shop/it's/1.dat", path.stat().st_size) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert asked and (store._sums == "") == (shell == "none")
    assert openssh.line.passed - before < 20_000


def test_a_host_that_only_lets_sftp_in_is_a_store_too(serve: Serve, tmp_path: Path) -> None:
    with serve("ForceCommand internal-sftp", "MaxSessions 1") as far:
        store, path = SshStore(far.url), written(tmp_path, BLOCK + 1)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: store.put(f"shop/{number}", path), range(8)))
        assert len(store.listed("shop/")) == 8
        assert store.sha256("shop/3", path.stat().st_size) == hashlib.sha256(path.read_bytes()).hexdigest()
        assert store._sums == ""


def test_a_home_is_named_by_a_tilde(openssh: Far, tmp_path: Path) -> None:
    name = f"generalprobe-test-{os.getpid()}"
    store = SshStore(openssh.url.removesuffix(str(openssh.folder)) + f"/~/{name}")
    try:
        store.put("shop/a", written(tmp_path, 10))
        assert list(store.listed("shop/")) == ["shop/a"] and len(store.sha256("shop/a", 10)) == 64
        assert store._sums
    finally:
        store.delete(["shop/a"])
        with store._sessions.one() as client:
            client.rmdir(f"{name}/shop")
            client.rmdir(name)


def test_without_the_extensions_a_file_is_replaced_all_the_same(
    far: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Client._send_version

    def plain(client: Client) -> int:
        version = made(client)
        client.extensions.clear()
        return version

    monkeypatch.setattr(Client, "_send_version", plain)
    store = SshStore(far.url)
    store.put("shop/a", written(tmp_path, 10))
    store.put("shop/a", written(tmp_path, 20))
    assert store.read("shop/a")[0] == written(tmp_path, 20).read_bytes() or len(store.read("shop/a")[0]) == 20
    assert hidden(far) == []


def test_a_line_that_is_cut_is_said_and_made_anew(far: Far, tmp_path: Path) -> None:
    store, path = SshStore(far.url), written(tmp_path, 3 << 20)
    far.line.limit = far.line.passed + (1 << 20)
    with pytest.raises(Unreachable) as caught:
        store.put("shop/big", path)
    assert caught.value.message == f"{far.url}: the link was lost" and caught.value.hint.endswith("127.0.0.1 true")
    far.line.mend()
    store.put("shop/big", path)
    far.line.back = 1 << 20
    with pytest.raises(Unreachable, match=": the link was lost$"):
        store.get("shop/big", tmp_path / "out", 3 << 20)


def test_what_was_interrupted_leaves_nothing_and_the_connection_serves_on(far: Far, tmp_path: Path) -> None:
    store, pieces = SshStore(far.url), iter([bytes(BLOCK)] * 9)

    def read(size: int) -> bytes:
        if piece := next(pieces, b""):
            return piece
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store._send("shop/a", read, 1 << 20, lambda client, version: "")
    assert hidden(far) == [] and store.listed("") == {}
    link = store._ssh.transport()
    store.put("shop/a", written(tmp_path, 3 * BLOCK))
    assert store._ssh.transport() is link


def test_what_has_another_size_is_not_fetched(openssh: Far, tmp_path: Path) -> None:
    store = SshStore(openssh.url)
    store.put("shop/a", written(tmp_path, 10))
    with pytest.raises(Unreachable, match="has 10 bytes, not 5"):
        store.get("shop/a", tmp_path / "out", 5)
    assert not (tmp_path / "out").exists()


def test_who_is_not_let_in_or_may_not_write_is_said_in_a_line(serve: Serve, tmp_path: Path) -> None:
    with serve("Subsystem sftp internal-sftp -R") as far:
        with pytest.raises(Unreachable, match="shop/a: permission denied") as caught:
            SshStore(far.url).put("shop/a", written(tmp_path, 5))
        assert caught.value.hint.endswith(f"ls -ld {far.folder}")
        far.login.key.unlink()
        with pytest.raises(Unreachable, match="does not let us in"):
            SshStore(far.url).listed("")


def test_a_host_without_sftp_is_said_in_a_line(serve: Serve) -> None:
    with serve("Subsystem sftp /nowhere") as far, pytest.raises(Unreachable, match="offers no SFTP"):
        SshStore(far.url).listed("")


@pytest.fixture
def full(far: Far) -> Iterator[Far]:
    """A host whose disk has 6 MB."""
    far.folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(far.folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no small disk: run the tests as root, in a container with --cap-add SYS_ADMIN")
    yield far
    subprocess.run(["umount", str(far.folder)], check=True)


@pytest.mark.parametrize("tells", [True, False])
def test_a_disk_that_is_full_is_said_and_nothing_of_it_stays(
    full: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tells: bool
) -> None:
    store = SshStore(full.url)
    if not tells:
        monkeypatch.setattr(Client, "room", lambda client, path: None)
    store.put("shop/1", written(tmp_path, 3 << 20))
    with pytest.raises(Unreachable) as caught:
        store.put("shop/2", written(tmp_path, LARGE + 1 if tells else 4 << 20))
    assert ("it has no room: " if tells else "its disk is full: ") in caught.value.message, caught.value.message
    assert caught.value.hint.startswith("make room there: ssh -p ")
    (full.folder / "filler").write_bytes(bytes(3 << 20))
    with pytest.raises(Unreachable, match="its disk is full: [0-9,]+ bytes free"):
        store.swap(JOURNAL, bytes(100_000), "")
    assert hidden(full) == [] and list(store.listed("shop/")) == ["shop/1"]
    (full.folder / "filler").unlink()
    store.put("shop/2", written(tmp_path, 1 << 20))
    with pytest.raises(Refused):
        store.swap("shop/2", b"", "")

"""A folder behind SSH: what only that can do wrong."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import asyncssh
import pytest
from asyncssh import SFTPClient, SFTPClientFile, SFTPFailure, SFTPOpUnsupported

from ops.core.errors import Refused, Unreachable
from ops.infra.stores import ssh_store
from ops.infra.stores.base import Changed
from ops.infra.stores.sftp import is_lost
from ops.infra.stores.ssh_store import LARGE, OURS, RECENT, SshStore
from tests.support.stores.hosts import Far, reached, started

PART = 32768
ROOT = Path(__file__).parents[3]
JOURNAL = "shop/runs/r/journal.jsonl"
# Adds lines to one file, as long as it is the one that it knows, and says how many.
ADDS = """
import sys
from ops.core.errors import Refused
from ops.infra.stores.ssh_store import SshStore
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
    return [path.name for path in far.folder.rglob(".*") if not path.name.endswith(".v")]


def test_it_is_its_owners_alone(far: Far, tmp_path: Path) -> None:
    store = SshStore(far.url)
    store.put("shop/backups/b/dump/1.dat", written(tmp_path, 10))
    store.swap(JOURNAL, b"one", "")
    for path in (far.folder, *far.folder.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert hidden(far) == []


def test_room_is_that_of_the_disk_also_before_the_folder_is_made(far: Far) -> None:
    room = os.statvfs(far.folder.parent)
    for url in (far.url, f"{far.url}/not/made/yet"):
        free = SshStore(url).free()
        assert free and abs(free - room.f_bavail * room.f_frsize) < 1 << 30


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


async def unsupported(*_: object) -> None:
    raise SFTPOpUnsupported("not supported")


def versions(far: Far) -> list[int]:
    return sorted(map(int, os.listdir((far.folder / JOURNAL).with_name(".journal.jsonl.v"))))


def test_of_two_who_know_the_same_version_one_wins(far: Far) -> None:
    one, other = SshStore(far.url), SshStore(far.url)
    for number in range(10):
        tag = one.tag(JOURNAL)

        def swap(store: SshStore, name: bytes, tag: str = tag) -> str:
            try:
                return store.swap(JOURNAL, name, tag)
            except Refused:
                return ""

        with ThreadPoolExecutor(2) as pool:
            won = [*pool.map(swap, (one, other), (b"one %d" % number, b"other %d" % number))]
        [tag] = filter(None, won)
        said = b"one %d" if won[0] else b"other %d"
        assert one.read(JOURNAL) == other.read(JOURNAL) == (said % number, tag)
        assert (far.folder / JOURNAL).read_bytes() == said % number
        assert versions(far) == [*range(max(1, number + 2 - RECENT), number + 2)]


def test_one_who_slept_while_others_wrote_changes_nothing(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = SshStore(far.url), SshStore(far.url)
    tag = store.swap(JOURNAL, b"one", "")
    claim = ssh_store._claim

    async def slow(*args: Any) -> list[int]:
        monkeypatch.setattr(ssh_store, "_claim", claim)
        # The name of the version that is meant was taken, and is free again.
        for number in range(2, RECENT + 3):
            await asyncio.to_thread(lambda number=number: other.swap(JOURNAL, b"%d" % number, other.tag(JOURNAL)))
        return await claim(*args)

    monkeypatch.setattr(ssh_store, "_claim", slow)
    with pytest.raises(Changed):
        store.swap(JOURNAL, b"late", tag)
    assert store.read(JOURNAL)[0] == (far.folder / JOURNAL).read_bytes() == b"%d" % (RECENT + 2)
    assert store.swap(JOURNAL, b"next", store.tag(JOURNAL)) and versions(far) == [*range(4, RECENT + 4)]


def test_a_version_upon_which_another_is_written_at_once_was_written(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = SshStore(far.url), SshStore(far.url)
    tag = store.swap(JOURNAL, b"one", "")
    claim = ssh_store._claim

    async def slow(*args: Any) -> list[int]:
        monkeypatch.setattr(ssh_store, "_claim", claim)
        await claim(*args)
        await asyncio.to_thread(lambda: other.swap(JOURNAL, b"two, three", other.tag(JOURNAL)))
        return await ssh_store._numbers(args[0], args[2])

    monkeypatch.setattr(ssh_store, "_claim", slow)
    assert store.swap(JOURNAL, b"two", tag)
    assert store.read(JOURNAL)[0] == (far.folder / JOURNAL).read_bytes() == b"two, three"


def test_a_store_that_was_made_before_there_were_versions_is_read_and_gone_on_with(far: Far) -> None:
    file = far.folder / JOURNAL
    file.parent.mkdir(parents=True)
    file.write_bytes(b"one")
    file.with_name(f"{OURS}lock-journal.jsonl").write_text("ann@nas (process 7)\n")
    store = SshStore(far.url)
    content, tag = store.read(JOURNAL)
    assert content == b"one" and store.listed("")[JOURNAL].tag == tag == f"{int(file.stat().st_mtime):x}-3"
    two = store.swap(JOURNAL, b"two", tag)
    assert store.read(JOURNAL) == (b"two", two) and store.listed("")[JOURNAL].tag == two
    with pytest.raises(Changed):
        store.swap(JOURNAL, b"late", tag)


def test_a_file_system_without_links_will_do(openssh: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    async def link(*_: object) -> None:
        raise SFTPFailure("Failure")

    monkeypatch.setattr(SFTPClient, "link", link)
    store = SshStore(openssh.url)
    two = store.swap(JOURNAL, b"two", store.swap(JOURNAL, b"one", ""))
    with pytest.raises(Changed):
        store.swap(JOURNAL, b"late", "")
    assert store.read(JOURNAL) == (b"two", two) and versions(openssh) == [1, 2]


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
    store, path = SshStore(openssh.url), written(tmp_path, 3 * PART + 5)
    store.put("shop/it's/1.dat", path)
    asked: list[str] = []
    ask = store._link.ask

    async def told(line: str, patience: float | None) -> str:
        asked.append(line)
        return "" if shell == "none" else await ask(line, patience)

    monkeypatch.setattr(store._link, "ask", told)
    if shell != "none":
        monkeypatch.setattr("ops.infra.stores.ssh_store.SUMS", (shell,))
    before = openssh.line.passed
    assert store.sha256("shop/it's/1.dat", path.stat().st_size) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert asked and (store._sums == "") == (shell == "none")
    assert openssh.line.passed - before < 20_000


def test_a_host_that_only_lets_sftp_in_is_a_store_too(serve: Serve, tmp_path: Path) -> None:
    with serve("ForceCommand internal-sftp", "MaxSessions 1") as far:
        store, path = SshStore(far.url), written(tmp_path, PART + 1)
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
        shutil.rmtree(Path(pwd.getpwuid(os.geteuid()).pw_dir) / name)


def test_without_the_extensions_a_file_is_replaced_all_the_same(
    far: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("posix_rename", "statvfs", "link"):
        monkeypatch.setattr(SFTPClient, name, unsupported)
    monkeypatch.setattr(SFTPClientFile, "fsync", unsupported)
    store = SshStore(far.url)
    store.put("shop/a", written(tmp_path, 10))
    store.put("shop/a", written(tmp_path, 20))
    assert store.read("shop/a")[0] == written(tmp_path, 20).read_bytes() or len(store.read("shop/a")[0]) == 20
    two = store.swap(JOURNAL, b"two", store.swap(JOURNAL, b"one", ""))
    assert store.read(JOURNAL) == (b"two", two) and hidden(far) == []


def test_a_line_that_is_cut_is_said_and_made_anew(far: Far, tmp_path: Path) -> None:
    store, path = SshStore(far.url), written(tmp_path, 3 << 20)
    far.line.limit = far.line.passed + (1 << 20)
    with pytest.raises(Unreachable) as caught:
        store.put("shop/big", path)
    assert caught.value.message == f"{far.url}: the connection was lost"
    assert caught.value.hint.endswith("127.0.0.1 true")
    far.line.mend()
    store.put("shop/big", path)
    far.line.back = 1 << 20
    with pytest.raises(Unreachable, match=": the connection was lost$"):
        store.get("shop/big", tmp_path / "out", 3 << 20)


@pytest.mark.parametrize("moment", ["create", "fill"])
def test_a_server_that_hangs_is_given_up(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    work, stopped = getattr(ssh_store, moment), list[int]()

    async def hangs(*given: Any) -> Any:
        stopped.extend(sessions() - before)
        for number in stopped:
            os.kill(number, signal.SIGSTOP)
        return await work(*given)

    before = sessions()
    with serve() as far:
        store = SshStore(far.url)
        store.put("shop/a", written(tmp_path, 10))
        monkeypatch.setattr("ops.infra.stores.sftp.PATIENCE", 1)
        monkeypatch.setattr(ssh_store, moment, hangs)
        with ThreadPoolExecutor(1) as pool:
            put = pool.submit(store.put, "shop/b", written(tmp_path, 20))
            try:
                with pytest.raises(Unreachable, match="the connection was lost"):
                    put.result(10)
            finally:
                for number in stopped:
                    os.kill(number, signal.SIGCONT)
        monkeypatch.setattr(ssh_store, moment, work)
        store.put("shop/b", written(tmp_path, 20))
        assert stopped and sorted(store.listed("shop/")) == ["shop/a", "shop/b"]


def sessions() -> set[int]:
    """The processes that serve SFTP here."""
    found = subprocess.run(["pgrep", "-f", "internal-sftp$"], capture_output=True, text=True)
    return set(map(int, found.stdout.split()))


def test_the_users_own_ssh_config_a_jump_host_and_its_key(openssh: Far, tmp_path: Path) -> None:
    login, port = openssh.login, openssh.line.port
    where = f"  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {login.home}/.ssh/none\n  IdentityFile {login.key}\n"
    config = f"Host bastion\n{where}Host inner\n{where}  ProxyJump bastion\nHost *\n  UserKnownHostsFile none\n"
    (login.home / ".ssh/config").write_text(config)
    url = f"ssh://inner{openssh.folder}"
    SshStore(url).put("shop/a", written(tmp_path, 10))
    assert list(SshStore(openssh.url).listed("")) == ["shop/a"]
    known = login.known.read_text()
    for content, said in (("", "is unknown"), (other_key(known), "differs from the known key")):
        login.known.write_text(f"no line\n{content}")
        with pytest.raises(Unreachable, match=said) as caught:
            SshStore(url).listed("")
        assert f"[127.0.0.1]:{port}" in caught.value.message


def other_key(known: str) -> str:
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    return f"{known.split()[0]} {key}"


def test_what_was_interrupted_leaves_nothing_and_the_connection_serves_on(
    far: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, fill = SshStore(far.url), ssh_store.fill

    async def slow(file: SFTPClientFile, content: BinaryIO) -> None:
        await fill(file, content)
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ssh_store, "fill", slow)
        store.put("shop/a", written(tmp_path, PART))
    assert hidden(far) == [] and store.listed("") == {}
    link = store._link._connection
    store.put("shop/a", written(tmp_path, 3 * PART))
    assert store._link._connection is link


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
        with pytest.raises(Unreachable, match="accepts none of your SSH keys"):
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
        monkeypatch.setattr(SFTPClient, "statvfs", unsupported)
    store.put("shop/1", written(tmp_path, 3 << 20))
    with pytest.raises(Unreachable) as caught:
        store.put("shop/2", written(tmp_path, LARGE + 1 if tells else 4 << 20))
    assert ("not enough disk space: " if tells else "the disk is full: ") in caught.value.message, caught.value.message
    assert caught.value.hint.startswith("free disk space on the host: ssh -p ")
    (full.folder / "filler").write_bytes(bytes(3 << 20))
    with pytest.raises(Unreachable, match="the disk is full: [0-9,]+ bytes free"):
        store.swap(JOURNAL, bytes(100_000), "")
    assert hidden(full) == [] and list(store.listed("shop/")) == ["shop/1"]
    (full.folder / "filler").unlink()
    store.put("shop/2", written(tmp_path, 1 << 20))
    with pytest.raises(Refused):
        store.swap("shop/2", b"", "")


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (ConnectionResetError(errno.ECONNRESET, "reset"), True),
        (BrokenPipeError(errno.EPIPE, "pipe"), True),
        (OSError(errno.EHOSTUNREACH, "no route"), True),
        (OSError("no number"), True),
        (OSError(errno.ENOSPC, "full"), False),
        (PermissionError(errno.EACCES, "denied"), False),
    ],
)
def test_an_error_of_the_network_is_a_lost_link_and_one_of_a_file_here_is_not(error: OSError, lost: bool) -> None:
    assert is_lost(error) == lost

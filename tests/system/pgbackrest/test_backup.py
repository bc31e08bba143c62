"""pgBackRest as the engine of backups: made, proved by restoring aside, drilled, unpacked, rolled back to."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.conftest import Done, Project
from tests.system.pgbackrest.conftest import Cluster

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(cluster: Cluster, shop: Project) -> str:
    """The id of a backup, made and proved."""
    done = shop.inv("backup")
    assert done.code == 0, done.out + done.err
    name: str = cluster.backups()[-1]["annotation"]["generalprobe"]
    assert f"inv unpack --backup={name}" in done.out, done.out
    assert not cluster.aside.exists()
    assert not cluster.pushed.exists()
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]
    return name


def ids(shop: Project) -> list[str]:
    return [event["backup"] for event in shop.inv("backups", "--json").events]


def killed(shop: Project, ready: Callable[[], bool], *words: str) -> None:
    """Begin a run and kill it as soon as something is so."""
    child = subprocess.Popen(shop.command(*words), cwd=shop.folder, env=shop.env, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not ready() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "it had ended before"


@contextmanager
def inventory(shop: Project, **changes: object) -> Iterator[None]:
    """The inventory's stanza with other values, for a while."""
    path = shop.folder / "inventory.yaml"
    before = path.read_text()
    found = yaml.safe_load(before)
    found["all"]["children"]["production"]["hosts"]["shop"]["pgbackrest"].update(changes)
    path.write_text(yaml.safe_dump(found))
    try:
        yield
    finally:
        path.write_text(before)


def test_a_backup_is_listed_drilled_unpacked_and_rolled_back_to(cluster: Cluster, shop: Project, made: str) -> None:
    before = shop.fingerprint()
    [one] = [one for one in cluster.backups() if one["annotation"]["generalprobe"] == made]
    [listed] = [event for event in shop.inv("backups", "--json").events if event["backup"] == made]
    assert (listed["engine"], listed["label"], listed["there"]) == ("pgbackrest", one["label"], True), listed
    assert listed["bytes"] > one["info"]["repository"]["delta"] and listed["proved"]["procedure"] == "backup-pgbackrest"
    assert shop.inv("check-backups").code == 0
    assert f"stanza main: the newest backup is {cluster.backups()[-1]['label']}" in shop.inv("doctor", "--all").out

    shop.query("DELETE FROM lessons_booking WHERE id > 500")
    for wanted in (made, "latest"):
        done = shop.inv("rollback", f"--backup={wanted}", "--confirm=shop")
        assert done.code == 2 and f"Try: inv unpack --target=shop --backup={made}" in done.out, done.out + done.err
    # It asks production for nothing.
    done = shop.inv("drill", f"--backup={made}")
    assert done.code == 0 and "restored in" in done.out, done.out + done.err
    assert "by drill-pgbackrest" in shop.inv("backups").out
    done = shop.inv("unpack")
    dump = made.replace("_pgbackrest", "_unpacked")
    assert done.code == 0 and f"inv rollback --target=shop --backup={dump}" in done.out, done.out + done.err
    done = shop.inv("unpack")
    assert done.code == 0 and "is unpacked" in done.out, done.out + done.err
    manifest = json.loads((shop.folder / f"backups/shop/backups/{dump}/manifest.json").read_text())
    assert manifest["unpacked_of"] == made
    done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert done.code == 0 and dump in done.out, done.out + done.err
    assert shop.fingerprint() == before
    assert not cluster.aside.exists()
    done = shop.inv("prune-backups", "--plan")
    assert "and expires it by its own rules" in done.out, done.out


def test_what_was_killed_is_resumed_or_undone_and_nothing_is_made_twice(cluster: Cluster, shop: Project) -> None:
    count = len(cluster.backups())
    killed(shop, lambda: any((cluster.folder / "lock").glob("main-backup.lock")), "backup")
    # Then in the restore, with its server running, which goes on.
    resumed = shop.command("resume")
    child = subprocess.Popen(resumed, cwd=shop.folder, env=shop.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while not (cluster.aside / "data/postmaster.pid").exists() and child.poll() is None:
        time.sleep(0.002)
    child.kill()
    said = child.communicate()[0].decode()
    assert child.returncode == -signal.SIGKILL, said
    status = shop.inv("status").out
    assert "this run has not changed production's data" in status and "inv resume" in status, status
    # What is left does not stop another run, and is no other's to undo.
    undone = shop.inv("undo")
    assert undone.code == 0 and not cluster.aside.exists(), undone.out + undone.err
    assert _servers(cluster) == []
    killed(shop, lambda: (cluster.aside / "data").exists(), "backup")
    done = shop.inv("resume")
    assert done.code == 0, done.out + done.err
    assert not cluster.aside.exists() and _servers(cluster) == []
    names = [one["annotation"]["generalprobe"] for one in cluster.backups()[count:]]
    assert len(names) == len(set(names)) == 2, names
    assert names[1] in ids(shop) and names[0] not in ids(shop)


def _servers(cluster: Cluster) -> list[str]:
    """The servers that run in the folder aside."""
    lines = {path: _read(path / "cmdline") for path in Path("/proc").glob("[0-9]*")}
    return [str(path) for path, line in lines.items() if str(cluster.aside).encode() in line]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def refused(done: Done, said: str, code: int = 3) -> None:
    assert done.code == code and said in done.out, done.out + done.err
    assert "Traceback" not in done.out + done.err
    assert "\nTry: " in done.out, done.out


def test_what_is_not_ours_and_what_does_not_fit_is_refused(cluster: Cluster, shop: Project, made: str) -> None:
    with inventory(shop, stanza="wrong"):
        done = shop.inv("backup")
        refused(done, "inventory.yaml:")
        assert "pgBackRest reports for stanza wrong: missing stanza path" in done.out, done.out
    given = ("--target=shop", "--stanza=main", f"--folder={cluster.aside}")
    refused(shop.inv("tool.check-stanza", *given, "--system=1"), "than shop's (1)")
    refused(shop.inv("tool.check-stanza", *given[:2], "--folder=/x", "--system=1"), "was planned with main, /x;")
    with inventory(shop, aside=f"{cluster.folder}/none/aside"):
        refused(shop.inv("drill", f"--backup={made}"), "there is no folder")
    with inventory(shop, aside=f"{cluster.folder}/data/aside"):
        refused(shop.inv("drill", f"--backup={made}"), "is in the data folder of a server")
    with inventory(shop, user="nobody-here"):
        refused(shop.inv("backup"), "there is no user nobody-here", 2)
    with inventory(shop, bin="/usr/bin"):
        refused(shop.inv("backup"), "server are not in /usr/bin", 2)
    cluster.aside.mkdir(parents=True)
    (cluster.aside / "theirs").write_text("x")
    refused(shop.inv("drill", f"--backup={made}"), "has no mark of the tool for shop")
    assert (cluster.aside / "theirs").read_text() == "x"
    shutil.rmtree(cluster.aside)


def test_damaged_pages_of_production_are_noticed_and_not_backed_up_again(cluster: Cluster, shop: Project) -> None:
    shop.query("CREATE TABLE rotten AS SELECT repeat('x', 100) AS x FROM generate_series(1, 1000)")
    shop.query("CHECKPOINT")
    [(name,)] = shop.query("SELECT pg_relation_filepath('rotten')")
    with (cluster.folder / "data" / name).open("r+b") as file:
        file.seek(4000)
        file.write(b"rotten")
    count = len(cluster.backups())
    try:
        for words in (["backup"], ["resume"]):
            done = shop.inv(*words)
            assert done.code == 4 and "found errors in" in done.out, done.out + done.err
            assert len(cluster.backups()) == count + 1
    finally:
        shop.query("DROP TABLE rotten")


def test_what_is_damaged_or_gone_in_the_repository_is_noticed(cluster: Cluster, shop: Project, made: str) -> None:
    label = next(one["label"] for one in cluster.backups() if one["annotation"]["generalprobe"] == made)
    found = (cluster.folder / "repo/backup/main" / label / "pg_data/base").rglob("*.gz")
    file = max(found, key=lambda path: path.stat().st_size)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] + b"\0\0\0\0" + whole[len(whole) // 2 + 4 :])
    done = shop.inv("drill", f"--backup={made}")
    assert done.code == 4 and f"{label} is damaged" in done.out, done.out + done.err
    assert "FAILED" in shop.inv("backups").out
    undone = shop.inv("undo")
    assert undone.code == 0 and not cluster.aside.exists(), undone.out + undone.err
    file.write_bytes(whole)
    # As if what was refused and undone was days ago.
    shutil.rmtree(shop.folder / "backups/shop/runs")

    cluster.backrest("--repo1-retention-full=1", "--type=full", "backup")
    assert label not in [one["label"] for one in cluster.backups()]
    assert f"MISSING: pgBackRest no longer has {label}" in shop.inv("backups").out
    refused(shop.inv("drill", f"--backup={made}"), f"pgBackRest no longer has {label}")
    done = shop.inv("check-backups", "--json")
    assert done.events[0]["backup"] != made, done.out
    done = shop.inv("prune-backups", "--confirm=shop")
    assert done.code == 0 and made not in ids(shop), done.out + done.err
    assert len(cluster.backups()) == 1



"""pgBackRest on a host behind SSH: driven from here, restored aside there, read through a channel to its socket."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.conftest import Project
from tests.support.fork_server import launcher
from tests.support.ssh_servers import Login, make_login, start_sshd
from tests.system.cli.test_pages import paste
from tests.system.pgbackrest.conftest import Cluster
from tests.system.pgbackrest.test_backup import _servers, ids, killed, refused

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    """OpenSSH's server, on which nothing of pgBackRest's is in the path that a login has, but the system's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("sshd")
        found = make_login(folder, patch)
        process = start_sshd(folder, found.port)
        yield found
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def far(cluster: Cluster, shop: Project, login: Login, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same project; its inventory is here, and its application, database and pgBackRest are behind SSH."""
    folder = tmp_path_factory.mktemp("far")
    found = yaml.safe_load((shop.folder / "inventory.yaml").read_text())
    app = {"dir": str(shop.folder / "shop"), "manage": [launcher().python, "manage.py"]}
    found["all"]["children"]["production"]["hosts"]["shop"]["app"] = app
    for group in found["all"]["children"].values():
        for host in group["hosts"].values():
            host |= login.variables()
    (folder / "inventory.yaml").write_text(yaml.safe_dump(found))
    shutil.copy(shop.folder / "tasks.py", folder)
    # OpenSSH's client asks the password file for the user's home, so the tests' one is named to it.
    programs = folder / "bin"
    programs.mkdir()
    (programs / "ssh").write_text(
        f'#!/bin/sh\nexec {shutil.which("ssh")} -F none -o UserKnownHostsFile={login.known} "$@"\n'
    )
    (programs / "ssh").chmod(0o755)
    env = shop.env | {"HOME": str(login.home), "PATH": f"{programs}:{shop.env['PATH']}"}
    return replace(shop, folder=folder, env=env)


@pytest.fixture(scope="module")
def made(cluster: Cluster, far: Project) -> str:
    """The id of a backup, made and proved."""
    done = far.inv("backup")
    assert done.code == 0, done.out + done.err
    name: str = cluster.backups()[-1]["annotation"]["generalprobe"]
    assert f"inv unpack --backup={name}" in done.out, done.out
    assert not cluster.aside.exists() and not cluster.pushed.exists()
    return name


def test_it_is_listed_drilled_unpacked_and_rolled_back_to(cluster: Cluster, far: Project, made: str) -> None:
    before = far.fingerprint()
    [listed] = [event for event in far.inv("backups", "--json").events if event["backup"] == made]
    assert listed["engine"] == "pgbackrest" and listed["there"] is True, listed
    assert far.inv("check-backups").code == 0
    said = far.inv("doctor", "--all").out
    assert f"stanza main: the newest backup is {cluster.backups()[-1]['label']}" in said, said
    done = far.inv("drill", f"--backup={made}")
    assert done.code == 0 and "restored in" in done.out, done.out + done.err
    done = far.inv("unpack")
    assert done.code == 0, done.out + done.err
    far.query("DELETE FROM lessons_booking WHERE id > 500")
    done = far.inv("rollback", "--backup=latest", "--confirm=shop")
    assert done.code == 0 and made.replace("_pgbackrest", "_unpacked") in done.out, done.out + done.err
    assert far.fingerprint() == before
    assert not cluster.aside.exists() and _servers(cluster) == []


def test_what_was_killed_is_resumed_or_undone(cluster: Cluster, far: Project, made: str) -> None:
    count = len(cluster.backups())
    killed(far, lambda: (cluster.aside / "data/postmaster.pid").exists(), "backup")
    assert _servers(cluster), "the server there goes on without us"
    undone = far.inv("undo")
    assert undone.code == 0 and not cluster.aside.exists(), undone.out + undone.err
    assert _servers(cluster) == []
    killed(far, lambda: (cluster.aside / "data").exists(), "backup")
    done = far.inv("resume")
    assert done.code == 0, done.out + done.err
    assert not cluster.aside.exists() and _servers(cluster) == []
    assert len(cluster.backups()) == count + 2
    assert len(ids(far)) >= 2


def test_ctrl_c_ends_what_runs_there(cluster: Cluster, far: Project, made: str) -> None:
    words = far.command("drill", f"--backup={made}")
    child = subprocess.Popen(words, cwd=far.folder, env=far.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while not (cluster.aside / "data/base").exists() and child.poll() is None:
        time.sleep(0.002)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=60)[0].decode()
    assert child.returncode == 130 and "inv resume" in said, said
    assert not _restoring(cluster)
    done = far.inv("undo")
    assert done.code == 0 and not cluster.aside.exists(), done.out + done.err


def _restoring(cluster: Cluster) -> list[str]:
    """pgBackRest's own processes that restore aside."""
    return [path for path in _servers(cluster) if b"\0restore\0" in Path(path, "cmdline").read_bytes() + b"\0"]


def test_one_run_at_a_time_works_there(cluster: Cluster, far: Project, made: str) -> None:
    lock = cluster.aside.parent / f".{cluster.aside.name}.lock"
    with subprocess.Popen(["flock", str(lock), "sh", "-c", "echo held; exec cat"], stdin=-1, stdout=-1) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        refused(far.inv("drill", f"--backup={made}"), "another run is restoring into")
        assert holder.stdin is not None
        holder.stdin.close()
    assert far.inv("undo").code == 0
    done = far.inv("drill", f"--backup={made}")
    assert done.code == 0, done.out + done.err
    assert subprocess.run(["flock", "-w", "5", str(lock), "true"]).returncode == 0, "the lock ends with its run"


def test_what_is_not_there_is_said(
    cluster: Cluster, far: Project, login: Login, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = far.folder / "inventory.yaml"
    before = path.read_text()
    for changes, said in (
        ({"user": "nobody-here"}, "there is no user nobody-here on "),
        ({"bin": "/usr/bin"}, "server are not in /usr/bin on "),
    ):
        found = yaml.safe_load(before)
        found["all"]["children"]["production"]["hosts"]["shop"]["pgbackrest"].update(changes)
        path.write_text(yaml.safe_dump(found))
        refused(far.inv("backup"), said, 2)
    path.write_text(before)
    cluster.aside.mkdir(parents=True, exist_ok=True)
    (cluster.aside / "theirs").write_text("x")
    refused(far.inv("drill", f"--backup={made}"), "has no mark of the tool for shop")
    shutil.rmtree(cluster.aside)


@pytest.mark.parametrize("where", ["here", "there"])
def test_by_hand_as_on_the_pages(cluster: Cluster, shop: Project, far: Project, login: Login, where: str) -> None:
    """What the engine does, by pasting; behind SSH the socket is reached by OpenSSH's own tunnel."""
    project = shop if where == "here" else far
    count = len(cluster.backups())
    assert project.inv("runbooks").code == 0
    for page in ("backup-pgbackrest", "drill-pgbackrest", "unpack"):
        done = paste(project, page)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not cluster.aside.exists() and _servers(cluster) == []
    made = [one["annotation"]["generalprobe"] for one in cluster.backups()[count:]]
    assert len(made) == 1 and made[0].endswith("_hand_pgbackrest")
    assert {made[0], made[0].replace("_pgbackrest", "_unpacked")} <= set(ids(project))

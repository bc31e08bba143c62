"""A database that only the host behind SSH reaches: server, application and sshd in a network of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from ops.infra.postgres.embedded_server import Server
from tests.conftest import ROOT, Project, project_env
from tests.projects import inventory, write_project
from tests.support.ssh_servers import SSHD, keygen, sshd_config

pytestmark = pytest.mark.slow
PROGRAMS = ("unshare", "nsenter", "ip")


@pytest.fixture
def within() -> Iterator[list[str]]:
    """The words that run something in a network that holds nothing but its own loopback address."""
    if os.geteuid() or SSHD is None or not all(map(shutil.which, PROGRAMS)):
        pytest.skip("a network of its own needs root and: apt-get install iproute2 openssh-server")
    holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up && exec sleep 900"])
    try:
        deadline = time.monotonic() + 5
        while _network(holder.pid) == _network(os.getpid()) or b"sleep" not in _words(holder.pid):
            if holder.poll() is not None or time.monotonic() > deadline:
                pytest.skip("the kernel makes no network namespaces here: run the tests where `unshare -n` works")
            time.sleep(0.05)
        yield ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
    finally:
        holder.kill()
        holder.wait()


def _network(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")


def _words(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def python(within: list[str], code: str, **env: str) -> str:
    """Run Python there."""
    done = subprocess.run(
        [*within, sys.executable, "-c", code], cwd=ROOT, env=os.environ | env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_release_rollback_and_undo(within: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ROOT / ".embedded" / f"there-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    server = Server(folder)
    call = "from pathlib import Path; from ops.infra.postgres.embedded_server import Server; "
    call += f"s = Server(Path({str(folder)!r})); "
    try:
        python(within, call + "s.start()")
        production, test = server.url("shop"), server.url("shop_test")
        port = urlsplit(production).port
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", int(port or 0)), 2)
        project = _project(within, tmp_path, monkeypatch, server, production, test)
        before = _rows(within, production)
        done = project.inv("release", "--confirm=shop")
        assert done.code == 0, done.out + done.err
        assert _rows(within, production) == "session"
        done = project.inv("rollback", "--backup=latest", "--confirm=shop")
        assert done.code == 0, done.out + done.err
        assert _rows(within, production) == before == "lesson"
        done = project.inv("rollback", "--to-replaced", "--confirm=shop")
        assert done.code == 0, done.out + done.err
        assert _rows(within, production) == "session"
    finally:
        python(within, call + "s.stop()")
        shutil.rmtree(folder, ignore_errors=True)


def _project(
    within: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server, production: str, test: str
) -> Project:
    home, far, here = tmp_path / "home", tmp_path / "there", tmp_path / "project"
    public = keygen(home / ".ssh/id_ed25519")
    (tmp_path / "authorized").write_text(public + "\n")
    (home / ".ssh/known_hosts").write_text(f"shop.there {keygen(tmp_path / 'host_key')}\n")
    config = sshd_config(tmp_path, 22)
    Path("/run/sshd").mkdir(exist_ok=True)
    proxy = f"{' '.join(within)} {SSHD} -i -f {config}"
    lines = ["Host shop.there", "  User root", f"  IdentityFile {home}/.ssh/id_ed25519", f"  ProxyCommand {proxy}"]
    (home / ".ssh/config").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("HOME", str(home))
    far.mkdir()
    here.mkdir()
    write_project(far, "c", {})
    python(within, _FILL.format(url=server.url("postgres"), far=str(far / "shop")), DATABASE_URL=production)
    app = {"dir": str(far / "shop"), "manage": [sys.executable, "manage.py"]}
    hosts = inventory({"app": app, "ansible_host": "shop.there"})
    hosts["all"]["children"]["test"]["hosts"]["shop-test"]["ansible_host"] = "shop.there"  # type: ignore[index]
    (here / "inventory.yaml").write_text(yaml.safe_dump(hosts))
    (here / "tasks.py").write_text("from ops.tasks import namespace\n__all__ = ['namespace']\n")
    env = project_env(server, production, test) | {"HOME": str(home)}
    return Project(here, production, test, env)


_FILL = """
import os, subprocess, sys, psycopg
with psycopg.connect({url!r}, autocommit=True) as c:
    c.execute("CREATE DATABASE shop")
for words in (["migrate", "lessons", "0001"], ["migrate", "contenttypes"], ["migrate", "auth"], ["fill"]):
    subprocess.run([sys.executable, "manage.py", *words], cwd={far!r}, check=True, stdout=subprocess.DEVNULL)
"""


def _rows(within: list[str], url: str) -> str:
    """Which of the two tables there is, with all its rows."""
    code = (
        f"import psycopg; c = psycopg.connect({url!r}); "
        "there = lambda n: c.execute('SELECT to_regclass(%s)', [f'lessons_{n}']).fetchone()[0]; "
        "found = [n for n in ('lesson', 'session') if there(n)]; "
        "assert all(c.execute(f'SELECT count(*) FROM lessons_{n}').fetchone()[0] == 1000 for n in found); "
        "print(*found)"
    )
    return python(within, code).strip()

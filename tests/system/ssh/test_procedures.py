"""Whole procedures for a target behind SSH: application and databases there, inventory and store here."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import yaml

from tests.conftest import Project
from tests.masked import release_beside_a_masked_clone
from tests.projects import DEFANG
from tests.support.fork_server import launcher
from tests.support.ssh_servers import Login
from tests.system.cli.test_pages import SEQUENCES, content, number_again, paste

pytestmark = pytest.mark.slow
# An app that writes down how it was called, as its host's `ps` and a person there would see it.
WATCH = """
import os, sys, json
with open(os.path.join(os.path.dirname(__file__), "..", "seen"), "a") as seen:
    seen.write(json.dumps([sys.argv, open("/proc/self/cmdline").read(), open(f"/proc/{os.getppid()}/cmdline").read()]))
"""


def test_release_rollback_and_salvage(there: Callable[..., Project], tmp_path: Path) -> None:
    shop = there("c")
    manage = tmp_path / "there/shop/manage.py"
    manage.write_text(WATCH + manage.read_text())
    before = shop.fingerprint()
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert {name for name in shop.fingerprint() if "session" in name} == {"public.lessons_session"}
    with psycopg.connect(shop.production, autocommit=True) as c:
        c.execute("DELETE FROM lessons_booking WHERE id <= 5")
    done = shop.inv("salvage", "--backup=latest", "--table=lessons_booking", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.query("SELECT count(*) FROM lessons_booking") == [(1000,)]
    done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.fingerprint() == before
    # A trace of what ran there: no password in any word, here or in what was said and written.
    password = shop.production.split(":")[2].split("@")[0]
    seen = (tmp_path / "there/seen").read_text()
    assert "migrate" in seen and password not in seen
    assert password not in done.out + done.err
    for path in (tmp_path / "project").rglob("*"):
        assert not path.is_file() or password.encode() not in path.read_bytes(), path


def test_the_incident_is_refused(there: Callable[..., Project]) -> None:
    shop = there("a")
    before = shop.fingerprint()
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 5, done.out + done.err
    assert "RenameModel" in done.out + done.err
    assert shop.fingerprint() == before


def test_release_and_rollback_by_hand_equal_the_engine(
    there: Callable[..., Project], openssh: Login, tmp_path: Path
) -> None:
    """OpenSSH's client asks the password file for the user's home, so the tests' one is named to it."""
    shop = there("c", deploy=["sh", "-c", f'echo "$RELEASE" >> {tmp_path}/deployed'])
    subprocess.run(["git", "init", "-q"], cwd=tmp_path / "there", check=True)
    words = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "x", "--allow-empty"]
    subprocess.run(words, cwd=tmp_path / "there", check=True)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    ssh = subprocess.run(["which", "ssh"], capture_output=True, text=True).stdout.strip()
    (bin_folder / "ssh").write_text(f'#!/bin/sh\nexec {ssh} -F none -o UserKnownHostsFile={openssh.known} "$@"\n')
    (bin_folder / "ssh").chmod(0o755)
    shop.env["PATH"] = f"{bin_folder}:{shop.env['PATH']}"
    before, numbers = shop.fingerprint(), shop.query(SEQUENCES)
    assert shop.inv("release", "--confirm=shop").code == 0
    by_engine = content(shop)
    assert shop.inv("rollback", "--backup=latest", "--confirm=shop").code == 0
    number_again(shop, numbers)
    assert shop.inv("runbooks").code == 0
    assert f"ssh -p {openssh.port} -i " in (shop.folder / "runbooks/release.md").read_text()
    done = paste(shop, "release")
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(shop) == by_engine
    backup = sorted(path.name for path in (shop.folder / "backups/shop/backups").glob("*_hand_last"))[-1]
    done = paste(shop, "rollback", BACKUP=backup)
    assert done.returncode == 0, done.stdout + done.stderr
    assert shop.fingerprint() == before
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path / "there", capture_output=True, text=True).stdout
    assert set((tmp_path / "deployed").read_text().split()) == {head.strip()}
    # The tunnel ended with the shell that opened it.
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert not re.search(rf"ssh .*-p {openssh.port} .*-fNM", listed)


def test_ctrl_c_ends_a_migration_there_and_resume_finishes(there: Callable[..., Project], tmp_path: Path) -> None:
    slow = (
        'migrations.RunPython(lambda *_: __import__("time").sleep(4 if __import__("os").path.exists('
        f'"{tmp_path}/slow") else 0)), migrations.AddField("lesson", "more", models.TextField(default=""))'
    )
    shop = there(slow)
    done = shop.inv("release", "--plan")
    assert done.code == 0, done.out + done.err
    assert "ssh -p" in done.out
    (tmp_path / "slow").touch()
    process = subprocess.Popen(
        shop.command("clone-prod-to-test"), cwd=shop.folder, env=shop.env, stdout=subprocess.DEVNULL
    )
    assert process.wait(120) == 0
    process = subprocess.Popen(
        shop.command("migrate-test"),
        cwd=shop.folder,
        env=shop.env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not _running(tmp_path):
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    assert not _running(tmp_path), said
    (tmp_path / "slow").unlink()
    done = shop.inv("resume", "--confirm=shop")
    assert done.code == 0, done.out + done.err


def _running(folder: Path) -> bool:
    """Whether the application's migrate runs there."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_text().split("\0")
            if "migrate" in words and "manage.py" in words and os.readlink(path / "cwd").startswith(str(folder)):
                return True
        except OSError:
            continue
    return False


def test_a_host_that_goes_away_during_a_release(there: Callable[..., Project], openssh: Login, tmp_path: Path) -> None:
    shop = there("c")
    before = shop.fingerprint()
    process = subprocess.Popen(
        shop.command("release", "--confirm=shop"),
        cwd=shop.folder,
        env=shop.env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    threading.Thread(target=_cut_when_begun, args=(shop.folder, tmp_path)).start()
    said, _ = process.communicate(timeout=120)
    if process.returncode:
        assert "Try: " in said and "Traceback" not in said, said
        done = shop.inv("resume", "--confirm=shop")
        assert done.code == 0, done.out + done.err
    done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.fingerprint() == before


def _cut_when_begun(project: Path, folder: Path) -> None:
    """Cut the connection in the midst of the run, however slowly it came to that."""
    deadline = time.monotonic() + 60
    while not list(project.glob("backups/shop/runs/*/journal.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    _cut(folder)


def _cut(folder: Path) -> None:
    parent = (folder / "sshd.pid").read_text().strip()
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", parent], capture_output=True, text=True).stdout.split()
    for pid in found:
        subprocess.run(["pkill", "-9", "-P", pid, "sshd"])
        subprocess.run(["kill", "-9", pid])


def test_what_is_typed_wrong(there: Callable[..., Project], openssh: Login) -> None:
    shop = there("c")
    openssh.known.write_text("")
    done = shop.inv("status")
    assert "is unknown" in done.out + done.err and "Traceback" not in done.out + done.err
    done = shop.inv("backup")
    assert done.code == 4 and "Try: ssh -p" in done.out + done.err, done.out + done.err
    done = shop.inv("doctor", "--target=shop")
    assert done.code == 4 and re.search(r"FAIL +host .*is unknown", done.out), done.out


def test_the_test_database_on_another_host_is_refused(there: Callable[..., Project], openssh: Login) -> None:
    """The application could not reach it: it runs on production's host."""
    shop = there("c")
    file = shop.folder / "inventory.yaml"
    found = yaml.safe_load(file.read_text())
    tests = found["all"]["children"]["test"]["hosts"]["shop-test"]
    for name in [name for name in tests if name.startswith("ansible")]:
        del tests[name]
    file.write_text(yaml.safe_dump(found))
    done = shop.inv("release", "--confirm=shop")
    assert done.code in (2, 3), done.out + done.err
    assert "which cannot reach shop-test's database" in done.out + done.err


def test_doctor(there: Callable[..., Project]) -> None:
    shop = there("c")
    done = shop.inv("doctor", "--all")
    assert done.code == 0, done.out + done.err
    assert re.search(r"ok +host +ssh -p", done.out), done.out


def test_an_application_here_with_a_database_behind_ssh(there: Callable[..., Project], tmp_path: Path) -> None:
    """Production on this machine, the test database behind SSH: the application reaches it through the tunnel."""
    shop = there("c")
    file = shop.folder / "inventory.yaml"
    found = yaml.safe_load(file.read_text())
    entry = found["all"]["children"]["production"]["hosts"]["shop"]
    for name in [name for name in entry if name.startswith("ansible")]:
        del entry[name]
    entry["app"] = {"dir": str(tmp_path / "there/shop"), "manage": [launcher().python, "manage.py"]}
    file.write_text(yaml.safe_dump(found))
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err


def test_what_the_application_declares_there_is_read_there(there: Callable[..., Project], tmp_path: Path) -> None:
    shop = there("a")
    file = tmp_path / "there/shop/migrations.expect.yaml"
    file.write_text("lessons.0002_session:\n  - tabel: lessons_lesson\n")
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 2, done.out + done.err
    assert f"@127.0.0.1:{file}:2" in done.out + done.err, done.out
    file.unlink()
    shop.inv("clone-prod-to-test")
    shop.inv("migrate-test")
    done = shop.inv("verify", "--write-expectations")
    assert done.code == 5 and f":{file.parent}/{file.name}" in done.out, done.out
    assert not file.exists() and "lessons.0002_session:" in done.out


def test_a_host_that_is_away_does_not_stand_in_the_way_of_others(there: Callable[..., Project]) -> None:
    shop = there("b")
    file = shop.folder / "inventory.yaml"
    found = yaml.safe_load(file.read_text())
    hosts = found["all"]["children"]["production"]["hosts"]
    hosts["away"] = hosts["shop"] | {"ansible_host": "away.invalid", "database": "env:AWAY_URL"}
    hosts["shop"], hosts["away"] = hosts.pop("shop"), hosts.pop("away")
    found["all"]["children"]["production"]["hosts"] = {"away": hosts["away"], "shop": hosts["shop"]}
    file.write_text(yaml.safe_dump(found, sort_keys=False))
    shop.env["AWAY_URL"] = "postgresql://nobody:nothing@localhost/away"
    done = shop.inv("doctor", "--all")
    assert done.code == 4 and re.search(r"FAIL +host +deploy@|FAIL +host +\S+@away.invalid", done.out), done.out
    assert re.search(r"ok +server +PostgreSQL .* through SSH by", done.out), done.out
    done = shop.inv("status")
    assert "takes writes" in done.out, done.out + done.err


def test_a_release_rehearses_on_true_rows_and_the_test_database_is_masked(there: Callable[..., Project]) -> None:
    shop = there("b", defang=DEFANG)
    release_beside_a_masked_clone(shop)

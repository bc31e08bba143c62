"""OpenSSH's configuration with the files that it includes, held against what ``ssh -G`` says of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ops.infra.transport.ssh_hosts import named_hosts, read_config

CONFIG = """
Include = hosts.d/*.conf "with blank"
User nobody
Host shop
  HostName shop.internal
  Include only-shop
  Port 2201
Include missing-file
Host *
  Include late
"""
FILES = {
    "hosts.d/10-web.conf": "Host web web-?\n  HostName web.internal\n  User deploy\n",
    "hosts.d/20-more.conf": "Include deeper\n",
    "deeper": "Host deep\n  Port 2222\n",
    "with blank": "Host blank\n  Port 2223\n",
    "only-shop": "IdentityFile ~/.ssh/shop\nHost hidden\n  Port 1\n",
    "late": "ServerAliveInterval 7\n",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / ".ssh"
    for name, text in {**FILES, "config": CONFIG}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return tmp_path


def test_hosts_of_included_files_are_named(home: Path) -> None:
    assert set(named_hosts(home)) >= {"blank", "deep", "shop", "web"}


@pytest.mark.parametrize("host", ["web", "shop", "deep", "blank", "hidden", "other"])
def test_a_host_is_what_ssh_says(home: Path, host: str) -> None:
    if shutil.which("ssh") is None:
        pytest.skip("needs ssh")
    # `ssh` takes the home from the system, so it is given absolute names.
    text = (home / ".ssh/config").read_text()
    for name in ("hosts.d/*.conf", '"with blank"', "only-shop", "late"):
        text = text.replace(name, f'"{home}/.ssh/{name.strip(chr(34))}"')
    (home / ".ssh/config").write_text(text)
    (home / ".ssh/hosts.d/20-more.conf").write_text(f'Include "{home}/.ssh/deeper"\n')
    done = subprocess.run(["ssh", "-G", "-F", home / ".ssh/config", host], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    found = read_config(home / ".ssh/config").lookup(host)
    for name, usual in (("hostname", host), ("user", "nobody"), ("port", "22"), ("serveraliveinterval", "0")):
        assert found.get(name, usual) == said[name], name
    assert ("shop" in str(found.get("identityfile", ""))) == (host == "shop")


def test_files_that_include_each_other_end(home: Path) -> None:
    (home / ".ssh/deeper").write_text("Host deep\nInclude deeper\n")
    assert "deep" in named_hosts(home)
    (home / ".ssh/config").write_text('Include "not closed\nHost left\n')
    assert named_hosts(home) == ["left"]


def test_a_folder_without_a_configuration_has_no_hosts(tmp_path: Path) -> None:
    assert named_hosts(tmp_path) == []

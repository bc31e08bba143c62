"""One suite over real SSH servers: exits, streams, signals, keys, and quoting."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ops.core.errors import Unreachable
from ops.engine.command import Fact, Host, Secret, Shell, fill, given_there, line_there, show
from tests.support.examples import examples
from tests.support.ssh_servers import Login, keygen, make_login, start_sshd

HOST = Host("shop", ("ssh", "shop.example.com"))
# Prints its own words and environment, which is how a wrongly quoted one is seen.
ECHO = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]))"
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\ue000\ue001"), max_size=12)
NASTY = st.one_of(TEXT, st.sampled_from(["", " ", "'", '"', "$HOME", "`id`", "!x", "-n", "a;b", "\\", "*", "~", "ü"]))


def shell(*words: str, folder: str = "", **env: str | Secret | Fact) -> Shell:
    return Shell((sys.executable, "-c", ECHO, *words), "", folder=folder, env=env, host=HOST)


def answers(shell: Shell, **values: str) -> str:
    return "".join(f"{values.get(name, '')}\n" for name in given_there(shell))


@settings(max_examples=examples(80), deadline=None)
@given(st.lists(NASTY, max_size=5), NASTY, st.text("abc./?pw:@'\"$", min_size=1, max_size=20))
def test_every_word_arrives_as_it_is(words: list[str], value: str, secret: str) -> None:
    # A word that is the same by chance is no leak.
    assume(all(secret not in word for word in (*words, value)))
    one = shell(*words, VALUE=value, DATABASE_URL=Secret("shop"))
    sent = answers(one, PGAPPNAME="generalprobe x", SHOP_URL=secret)
    done = subprocess.run(["sh", "-c", line_there(one)], input=sent, capture_output=True, text=True)
    argv, _, env = json.loads(done.stdout)
    assert argv == words
    assert (env["VALUE"], env["DATABASE_URL"], env["PGAPPNAME"]) == (value, secret, "generalprobe x")
    assert secret not in line_there(one) or len(secret) < 8


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NASTY, max_size=4), NASTY)
def test_a_page_says_the_same_words(tmp_path: Path, words: list[str], value: str) -> None:
    """An ``ssh`` that hands its last word to a shell, as sshd does, stands in for the network here."""
    fake = tmp_path / "ssh"
    fake.write_text('#!/bin/sh\nshift\nexec sh -c "$1"\n')
    fake.chmod(0o755)
    page = show(shell(*words, VALUE=value, RELEASE=Fact("RELEASE")))
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RELEASE": "it's", "PGAPPNAME": "by hand"}
    done = subprocess.run(["bash", "-c", page], env=env, capture_output=True, text=True)
    argv, _, found = json.loads(done.stdout)
    assert (argv, found["VALUE"], found["RELEASE"]) == (words, value, "it's")


def test_exit_output_lines_and_folder(login: Login, tmp_path: Path) -> None:
    ssh, lines = login.ssh(), list[str]()
    one = Shell(("sh", "-c", "pwd; echo two >&2; exit 7"), "", folder=str(tmp_path), host=HOST)
    done = ssh.run(line_there(one), answers(one), on_line=lines.append)
    assert (done.exit, done.out, done.err) == (7, f"{tmp_path}\n", "two\n")
    assert sorted(lines) == sorted([str(tmp_path), "two"])
    missing = Shell(("nothing-of-this-name",), "", host=HOST)
    assert ssh.run(line_there(missing), answers(missing)).exit == 127
    nowhere = Shell(("true",), "", folder="/nowhere", host=HOST)
    assert ssh.run(line_there(nowhere), answers(nowhere)).exit not in (0, None)


def test_a_large_stream_goes_into_a_file_whole(login: Login, tmp_path: Path) -> None:
    ssh, out = login.ssh(), tmp_path / "out"
    one = Shell((sys.executable, "-c", "print('x' * 999, end='', flush=True); print('y' * 40_000_000)"), "", host=HOST)
    assert ssh.run(line_there(one), answers(one), output=out).exit == 0
    assert out.stat().st_size == 40_001_000 and out.stat().st_mode & 0o777 == 0o600
    one = Shell(("sh", "-c", "echo half; exit 3"), "", host=HOST)
    assert ssh.run(line_there(one), answers(one), output=tmp_path / "none").exit == 3
    assert sorted(path.name for path in tmp_path.glob("*none*")) == []


def interrupted(ssh: object, line: str, sent: str, after: float) -> list[str]:
    """Run a line and press Ctrl-C; gives what was said."""
    lines: list[str] = []
    threading.Timer(after, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        ssh.run(line, sent, on_line=lines.append)  # type: ignore[attr-defined]
    return lines


def test_ctrl_c_ends_the_program_there_with_all_it_started(
    login: Login, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a shell starts in the background does not hear Ctrl-C, and is ended after that time.
    monkeypatch.setattr("ops.infra.transport.ssh.GRACE", (1.0, 5.0))
    ssh, mark = login.ssh(), tmp_path / "alive"
    words = f"while :; do date >> {mark}; sleep 0.1; done & while :; do sleep 0.1; done"
    one = Shell(("sh", "-c", words), "", host=HOST)
    interrupted(ssh, line_there(one), answers(one), 1)
    size = mark.stat().st_size
    assert size
    time.sleep(0.5)
    assert mark.stat().st_size == size


def test_a_program_that_ignores_ctrl_c_is_ended_harder(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.infra.transport.ssh.GRACE", (0.5, 0.5))
    ssh = login.ssh()
    deaf = "import signal, time; signal.signal(2, signal.SIG_IGN); time.sleep(60)"
    one = Shell((sys.executable, "-c", deaf), "", host=HOST)
    started = time.monotonic()
    interrupted(ssh, line_there(one), answers(one), 1)
    assert time.monotonic() - started < 10


def test_an_unknown_host_is_refused_and_never_remembered(login: Login) -> None:
    login.known.write_text("")
    with pytest.raises(Unreachable) as refused:
        login.ssh().transport()
    assert "is unknown" in refused.value.message and "SHA256:" in refused.value.message
    assert f"ssh -p {login.port}" in refused.value.hint
    assert login.known.read_text() == ""


def test_another_host_key_is_refused(login: Login, tmp_path: Path) -> None:
    login.known.write_text(f"[127.0.0.1]:{login.port} {keygen(tmp_path / 'other')}\n")
    with pytest.raises(Unreachable, match="differs from the known key") as refused:
        login.ssh().transport()
    assert "ssh-keygen -R" in refused.value.hint


def test_a_key_that_is_not_let_in(login: Login, tmp_path: Path) -> None:
    keygen(login.key)
    with pytest.raises(Unreachable, match="accepts none of your SSH keys"):
        login.ssh().transport()


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreachable, match="shop: .*: no connection"):
        make_login(tmp_path, monkeypatch).ssh().transport()


def test_a_link_that_is_lost_says_what_may_still_run_and_is_made_anew(openssh: Login, tmp_path: Path) -> None:
    ssh = openssh.ssh()
    one = Shell(("sleep", "3"), "", host=HOST)
    threading.Timer(1, lambda: _cut(openssh)).start()
    with pytest.raises(Unreachable, match="the connection was lost; the program may still run there as") as lost:
        ssh.run(line_there(one), answers(one))
    assert "ps -p" in lost.value.hint
    again = Shell(("true",), "", host=HOST)
    assert ssh.run(line_there(again), answers(again)).exit == 0


def _cut(login: Login) -> None:
    """End the server's side of every connection that it has, not the server."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout
    folder = login.home.parent
    parent = (folder / "sshd.pid").read_text().strip()
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", parent], capture_output=True, text=True).stdout.split()
    assert children, listed
    for pid in children:
        subprocess.run(["kill", "-9", *_below(pid), pid])


def _below(pid: str) -> list[str]:
    found = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", pid], capture_output=True, text=True).stdout
    return [line.split()[0] for line in found.splitlines() if "sshd" in line]


def test_the_users_own_ssh_config_and_a_jump_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    login = make_login(tmp_path, monkeypatch)
    process = start_sshd(tmp_path, login.port)
    try:
        (login.home / ".ssh/config").write_text(
            f"Include inner.conf\nHost bastion\n  HostName 127.0.0.1\n  Port {login.port}\n  IdentityFile {login.key}\n"
        )
        (login.home / ".ssh/inner.conf").write_text(
            f"Host inner\n  HostName 127.0.0.1\n  Port {login.port}\n  IdentityFile {login.key}\n  ProxyJump bastion\n"
        )
        from ops.infra.transport.ssh import Ssh, host_of
        from ops.inventory.targets import Connection

        connection = Connection.model_validate({"ansible_host": "inner"})
        host = host_of("shop", connection)
        assert host is not None and host.words == ("ssh", "inner")
        ssh = Ssh(host, connection, tmp_path)
        one = Shell(("echo", "through"), "", host=HOST)
        assert ssh.run(line_there(one), answers(one)).out == "through\n"
        known = login.known.read_text()
        login.known.write_text("")
        with pytest.raises(Unreachable, match="is unknown"):
            Ssh(host, connection, tmp_path).transport()
        login.known.write_text(known)
    finally:
        process.terminate()
        process.wait(10)


def test_a_port_here_leads_to_one_there_and_survives_a_refusal(login: Login) -> None:
    import socket

    from tests.support.ssh_servers import free_port

    ssh, port = login.ssh(), free_port()
    forward = ssh.forward("127.0.0.1", port)

    def ask() -> bytes:
        with socket.create_connection(("127.0.0.1", forward.port), 5) as client:
            client.settimeout(5)
            return client.recv(100)

    assert ask() == b""
    assert forward.refused
    with socket.create_server(("127.0.0.1", port)) as listening:

        def answer() -> None:
            one, _ = listening.accept()
            with one:
                one.sendall(b"hello")

        threading.Thread(target=answer, daemon=True).start()
        assert ask() == b"hello"
    assert not forward.refused


def test_values_of_a_run_are_filled_in_before_the_line_is_made() -> None:
    filled = fill(shell(Fact("ROWS").name, RELEASE=Fact("RELEASE")), {"RELEASE": "a b"})
    assert shlex.quote("a b") in line_there(filled) and given_there(filled) == ("PGAPPNAME",)

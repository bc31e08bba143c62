"""Freshness: an exit code and a line for monitors, metrics, a ping, notifications; silence is alarm."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Project

Make = Callable[..., Project]


@dataclass
class Heard:
    """A real web server: what it was asked, and how it answers."""

    port: int = 0
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    answer: int = 200


@pytest.fixture
def heard() -> Iterator[Heard]:
    found = Heard()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            found.asked.append((self.command, self.path, body))
            self.send_response(found.answer)
            self.end_headers()

        do_GET = do_POST = answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def age(shop: Project, days: float) -> None:
    """Make every backup older."""
    for path in (shop.folder / "backups/shop/backups").glob("*/manifest.json"):
        found = json.loads(path.read_text())
        found["taken_at"] = (datetime.fromisoformat(found["taken_at"]) - timedelta(days=days)).isoformat()
        path.write_text(json.dumps(found))


def test_a_fresh_backup_is_well_and_an_old_one_is_not(project: Make) -> None:
    shop = project("b")
    none = shop.inv("check-backups")
    assert none.code == 4 and "shop: FAILED: there is no backup" in none.out, none.out + none.err
    assert "Try: inv backup --target=shop" in none.out + none.err
    assert shop.inv("backup").code == 0
    del shop.env["DATABASE_URL"]
    well = shop.inv("check-backups", "--deep")
    assert well.code == 0 and well.out.startswith("shop: ok: 20") and well.out.count("\n") == 1, well.out + well.err
    age(shop, 2)
    old = shop.inv("check-backups")
    assert old.code == 4 and "the newest backup is older than 26 h" in old.out, old.out
    half = shop.folder / "backups/shop/backups/29991231_000000_abcd.partial"
    half.mkdir()
    assert "29991231_000000_abcd was begun since, and is unfinished" in shop.inv("check-backups").out


def test_a_proof_can_be_asked_for(scene: Make) -> None:
    shop = scene("backed_up", fresh={"backup": "2h", "proved": "8d"})
    never = shop.inv("check-backups")
    assert never.code == 4 and "no backup was proved within 8 d: never" in never.out, never.out
    assert "Try: inv drill --target=shop" in never.out + never.err
    assert shop.inv("drill").code == 0
    assert shop.inv("check-backups").code == 0


@pytest.mark.parametrize("deep", [False, True])
def test_a_file_that_is_not_what_was_written_is_noticed(scene: Make, deep: bool) -> None:
    shop = scene("backed_up")
    dump = max((shop.folder / "backups").rglob("*.dat*"), key=lambda path: path.stat().st_size)
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content if deep else content[:-1])
    done = shop.inv("check-backups", *(["--deep"] if deep else []))
    said = "does not match the manifest" if deep else "has another size than the manifest names"
    assert done.code == 4 and f"{dump.name} {said}" in done.out, done.out


def test_metrics_are_prometheus_own(project: Make, tmp_path: Path) -> None:
    shop = project("b")
    assert shop.inv("backup").code == 0 and shop.inv("drill").code == 0
    file = tmp_path / "generalprobe.prom"
    assert shop.inv("check-backups", f"--metrics={file}").code == 0
    assert file.stat().st_mode & 0o777 == 0o644
    found = {family.name: family.samples[0] for family in text_string_to_metric_families(file.read_text())}
    assert found["generalprobe_backup_ok"].value == 1 and found["generalprobe_backup_ok"].labels == {"target": "shop"}
    assert found["generalprobe_backup_rows"].value == 2060 and 0 <= found["generalprobe_backup_age_seconds"].value < 300
    assert found["generalprobe_backup_restore_seconds"].value > 0


def test_a_ping_while_all_is_well_and_another_where_not(project: Make, heard: Heard) -> None:
    shop = project("b", fresh={"ping": "env:PING_URL"})
    shop.env["PING_URL"] = f"http://127.0.0.1:{heard.port}/secret-path?rid=1"
    assert shop.inv("backup").code == 0
    assert shop.inv("check-backups").code == 0
    age(shop, 2)
    assert shop.inv("check-backups").code == 4
    assert [path for _, path, _ in heard.asked] == ["/secret-path?rid=1", "/secret-path/fail?rid=1"]


@pytest.mark.parametrize("how", ["refuses", "away", "missing", "no-address", "blank"])
def test_a_ping_that_does_not_get_through_is_told_without_its_address(project: Make, heard: Heard, how: str) -> None:
    shop = project("b", fresh={"ping": "env:PING_URL"})
    shop.env["PING_URL"] = f"http://127.0.0.1:{heard.port}/secret-path"
    heard.answer = 500 if how == "refuses" else 200
    if how == "away":
        shop.env["PING_URL"] = "http://127.0.0.1:9/secret-path"
    elif how == "missing":
        del shop.env["PING_URL"]
    elif how == "no-address":
        shop.env["PING_URL"] = "secret-path"
    elif how == "blank":
        shop.env["PING_URL"] = f"http://user:x@127.0.0.1:{heard.port}/secret-path /a b"
    assert shop.inv("backup").code == 0
    done = shop.inv("check-backups")
    assert done.code == 4 and "shop: ok: " in done.out and "env:PING_URL" in done.out, done.out + done.err
    assert "secret-path" not in done.out + done.err
    refused = "answered with status 500"
    causes = {"away": "no connection: Connection refused", "refuses": refused, "blank": "it is no web address"}
    assert causes.get(how, "") in done.out, done.out


def test_failure_and_recovery_are_notified_once(project: Make, heard: Heard) -> None:
    shop = project("b", fresh={"notify": ["env:NOTIFY_URL"]})
    shop.env["NOTIFY_URL"] = f"json://127.0.0.1:{heard.port}/secret-path"
    assert shop.inv("backup").code == 0
    assert shop.inv("check-backups").code == 0 and heard.asked == []
    age(shop, 2)
    for _ in range(2):
        assert shop.inv("check-backups").code == 4
    [(_, _, body)] = heard.asked
    assert "Backups of shop: FAILED" in body and "older than 26 h" in body and "inv backup --target=shop" in body
    # A day later somebody is told again.
    state = shop.folder / "backups/shop/fresh.json"
    [(name, told)] = json.loads(state.read_text()).items()
    state.write_text(json.dumps({name: (datetime.fromisoformat(told) - timedelta(days=1, minutes=1)).isoformat()}))
    assert shop.inv("check-backups").code == 4 and len(heard.asked) == 2
    assert shop.inv("backup").code == 0
    for _ in range(2):
        assert shop.inv("check-backups").code == 0
    assert len(heard.asked) == 3 and "Backups of shop: well again" in heard.asked[-1][2]


def test_who_was_not_reached_is_told_the_next_time(project: Make, heard: Heard) -> None:
    shop = project("b", fresh={"notify": ["env:NOTIFY_URL"]})
    shop.env["NOTIFY_URL"] = "json://127.0.0.1:9/secret-path"
    done = shop.inv("check-backups")
    assert done.code == 4 and "env:NOTIFY_URL could not be notified" in done.out, done.out + done.err
    assert "secret-path" not in done.out + done.err
    shop.env["NOTIFY_URL"] = f"json://127.0.0.1:{heard.port}/secret-path"
    assert shop.inv("check-backups").code == 4 and len(heard.asked) == 1


def test_json_is_for_programs(scene: Make) -> None:
    shop = scene("backed_up")
    one, outcome = shop.inv("check-backups", "--json").events
    assert one["event"] == "freshness" and one["ok"] and one["wrong"] == [] and one["backup"]
    assert outcome["exit"] == 0 and outcome["procedure"] == "check-backups"

"""``inv schedule`` with timers that systemd itself runs: installed, started, caught up, removed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import Done, Project
from tests.support.project import wait_for
from tests.systemd import Manager, booted

pytestmark = pytest.mark.slow


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with booted(tmp_path) as found:
        yield found


@pytest.fixture
def shop(project: Callable[..., Project]) -> Project:
    """A shop whose backup is hours away."""
    at = datetime.now(UTC) + timedelta(hours=6)
    made = project(
        "b", schedule={"backup": f"{at.minute} {at.hour} * * *", "with": "systemd", "environment": "environment"}
    )
    path = made.folder / "environment"
    path.write_text(f"DATABASE_URL={made.production}\nTEST_DATABASE_URL={made.test}\n")
    path.chmod(0o600)
    return made


def inside(manager: Manager, shop: Project, *words: str) -> Done:
    done = manager.run(*shop.command(*words), env=shop.env, cwd=shop.folder)
    return Done(done.returncode, done.stdout, done.stderr)


def units(manager: Manager) -> list[str]:
    return manager.run("sh", "-c", "find /etc/systemd/system -name 'generalprobe-*'").stdout.split()


def backups(shop: Project) -> int:
    return len(list((shop.folder / "backups/shop/backups").glob("*/manifest.json")))


def test_systemd_itself_runs_what_was_installed_and_nothing_is_left(manager: Manager, shop: Project) -> None:
    done = inside(manager, shop, "schedule", "--install")
    assert done.code == 0 and "1 task with systemd" in done.out, done.out + done.err
    listed = manager.run("systemctl", "list-timers", "--all", "--no-pager", "--full").stdout
    [timer] = [word for word in listed.split() if word.startswith("generalprobe-") and word.endswith(".timer")]
    service = timer.replace(".timer", ".service")
    started = manager.run("systemctl", "start", service)
    assert started.returncode == 0, started.stderr
    assert backups(shop) == 1
    outcome = json.loads((shop.folder / "backups/shop/schedules/backup.json").read_text())
    assert outcome["exit"] == 0
    shown = inside(manager, shop, "schedule")
    assert shown.code == 0, shown.out + shown.err
    # What was missed while the machine was down: the stamp of the last time is two days old.
    assert manager.run("systemctl", "stop", timer).returncode == 0
    stamp = f"/var/lib/systemd/timers/stamp-{timer}"
    assert manager.run("touch", "--no-create", "--date=2 days ago", stamp).returncode == 0
    assert manager.run("systemctl", "start", timer).returncode == 0
    assert wait_for(lambda: backups(shop) == 2, 60)
    removed = inside(manager, shop, "schedule", "--remove")
    assert removed.code == 0, removed.out + removed.err
    assert units(manager) == []
    assert "generalprobe" not in manager.run("systemctl", "list-units", "--all", "--no-pager", "--full").stdout
    assert "generalprobe" not in manager.run("systemctl", "list-timers", "--all", "--no-pager", "--full").stdout


def test_a_service_that_failed_is_among_the_failed_ones(manager: Manager, shop: Project) -> None:
    assert inside(manager, shop, "schedule", "--install").code == 0
    [service] = [Path(unit).name for unit in units(manager) if unit.endswith(".service")]
    (shop.folder / "environment").write_text("DATABASE_URL=postgresql://127.0.0.1:1/no\nTEST_DATABASE_URL=x\n")
    assert manager.run("systemctl", "start", service).returncode != 0
    assert service in manager.run("systemctl", "--failed", "--no-pager", "--full").stdout
    assert inside(manager, shop, "schedule").code == 4

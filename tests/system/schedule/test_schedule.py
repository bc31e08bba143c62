"""``inv schedule``: installed, called as cron calls it, seen to run, to wait, to fail and to be cut off; removed."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests.conftest import Done, Project
from tests.schedules import write_crontab
from tests.support.project import wait_for

Make = Callable[..., Project]
# Hours ago, whatever the time is: a moment that comes up while a test runs would be due once more.
BASE = datetime.now(UTC) - timedelta(hours=6)


def at(minutes: int) -> str:
    """Cron's fields of a moment some minutes after that."""
    moment = BASE + timedelta(minutes=minutes)
    return f"{moment.minute} {moment.hour} * * *"


NIGHTLY = {"backup": at(0)}
MINE = b"# mine\nMAILTO=ops@example.com\n0 5 * * * /bin/true"


class Cron:
    """A shop with a crontab(1) of its own, and what cron would do with it."""

    def __init__(self, shop: Project) -> None:
        self.shop = shop
        self.crontab = write_crontab(shop.folder.parent / "bin")
        shop.env["PATH"] = f"{self.crontab.parent}{os.pathsep}{shop.env['PATH']}"
        self.home = shop.folder.parent
        self.kept = shop.folder / "backups/shop/schedules"
        self.started: list[subprocess.Popen[str]] = []

    def variables(self, **more: str) -> None:
        """Write the file of variables that the inventory names."""
        path = self.shop.folder / "environment"
        values = {"DATABASE_URL": self.shop.production, "TEST_DATABASE_URL": self.shop.test, **more}
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        path.chmod(0o600)

    def schedule(self, **wanted: object) -> None:
        """Change what the inventory wants."""
        self.keys(schedule=wanted)

    def keys(self, **wanted: object) -> dict[str, Any]:
        """Change keys of the target in the inventory, or remove those that are None; the values before."""
        path = self.shop.folder / "inventory.yaml"
        given = yaml.safe_load(path.read_text())
        shop = given["all"]["children"]["production"]["hosts"]["shop"]
        before = {key: shop.get(key) for key in wanted}
        shop |= wanted
        for key in [key for key, value in shop.items() if value is None]:
            del shop[key]
        path.write_text(yaml.safe_dump(given))
        return before

    def install(self) -> Done:
        done = self.shop.inv("schedule", "--install")
        assert done.code == 0, done.out + done.err
        return done

    def lines(self) -> list[str]:
        """The installed lines, as cron reads them: `%` without its backslash."""
        lines = self.crontab.read_text().splitlines()
        return [one.replace("\\%", "%") for one in lines if "scheduled --due" in one and not one.startswith("#")]

    def start(self, task: str = "") -> subprocess.Popen[str]:
        """Run an installed line as cron does: of a task, or of the machine's start."""
        begin = "@reboot sleep 60 && "
        [command] = [
            line.split(" ", 5)[5] if task else line.removeprefix(begin)
            for line in self.lines()
            if (f"--task={task} " in line if task else line.startswith(begin))
        ]
        poor = ["env", "-i", f"HOME={self.home}", "SHELL=/bin/sh", "PATH=/usr/bin:/bin", "/bin/sh", "-c", command]
        pipe = subprocess.PIPE
        process = subprocess.Popen(poor, cwd=self.home, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)
        self.started.append(process)
        return process

    def tick(self, task: str = "") -> Done:
        process = self.start(task)
        out, err = process.communicate(timeout=120)
        return Done(process.returncode, out, err)

    def days_pass(self, days: float = 1, task: str = "backup") -> None:
        """What was installed, and ran, was so long ago."""
        for path in (self.kept / "installed.json", self.kept / f"{task}.json"):
            if path.exists():
                given = json.loads(path.read_text())
                part = given.get("since", given)
                for key in [key for key in (task, "begun", "ended") if part.get(key)]:
                    earlier = datetime.fromisoformat(part[key]) - timedelta(days=days)
                    part[key] = earlier.isoformat(timespec="seconds")
                path.write_text(json.dumps(given))

    def outcome(self, task: str = "backup") -> dict[str, Any]:
        return dict(json.loads((self.kept / f"{task}.json").read_text()))

    def backups(self) -> int:
        return len(list((self.shop.folder / "backups/shop/backups").glob("*/manifest.json")))

    def shown(self) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """The exit code of a show, its one task, and its outcome."""
        done = self.shop.inv("schedule", "--json")
        return done.code, done.events[0], done.outcome


@pytest.fixture
def cron(project: Make) -> Iterator[Cron]:
    """Nightly backups, wanted and not installed."""
    made = Cron(project("b", schedule={**NIGHTLY, "environment": "environment"}))
    made.variables()
    yield made
    for process in made.started:
        for pipe in filter(None, (process.stdout, process.stderr)):
            pipe.close()


@pytest.fixture
def blocked(cron: Cron) -> Iterator[psycopg.Connection[Any]]:
    """While this is open, a dump waits."""
    with psycopg.connect(cron.shop.production) as connection:
        connection.execute("LOCK TABLE lessons_teacher IN ACCESS EXCLUSIVE MODE")
        yield connection


def dumping(cron: Cron) -> bool:
    return bool(list((cron.shop.folder / "backups/shop/backups").glob("*.partial")))


def doctor(shop: Project) -> dict[str, Any]:
    """What the doctor says of the schedule."""
    return next(one for one in shop.inv("doctor", "--json").events if one.get("check") == "schedule")


@pytest.mark.slow
def test_installed_shown_and_removed(cron: Cron) -> None:
    shop = cron.shop
    cron.crontab.write_bytes(MINE + b"\n")
    code, task, outcome = cron.shown()
    assert (code, task["wanted"], task["installed"], task["next"]) == (5, NIGHTLY["backup"], None, None)
    assert outcome["reason"] == "shop: nothing is installed yet"
    assert outcome["hint"] == "inv schedule --install --target=shop"

    plan = shop.inv("schedule", "--install", "--plan")
    assert plan.code == 0 and f"{NIGHTLY['backup']} cd " in plan.out and "@reboot" in plan.out, plan.out + plan.err
    assert cron.crontab.read_bytes() == MINE + b"\n" and not cron.kept.exists()
    assert doctor(shop)["status"] == "warn" and "nothing is installed yet" in doctor(shop)["said"]

    done = cron.install()
    assert doctor(shop)["said"] == "with cron: backup"
    assert "1 task with cron; next backup, " in done.out
    written = cron.crontab.read_bytes()
    assert written.startswith(MINE + b"\n# BEGIN Generalprobe shop ")
    assert cron.kept.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in cron.kept.iterdir()) == ["installed.json"]
    assert (cron.kept / "installed.json").stat().st_mode & 0o777 == 0o600
    code, task, outcome = cron.shown()
    assert (code, task["installed"], task["last"], outcome["outcome"]) == (0, NIGHTLY["backup"], None, "done")
    assert datetime.fromisoformat(task["next"]) > datetime.now(UTC)
    assert "backup" in shop.inv("schedule").out
    # Nothing is lost by installing it again.
    before = (cron.kept / "installed.json").read_bytes()
    cron.install()
    assert (cron.crontab.read_bytes(), (cron.kept / "installed.json").read_bytes()) == (written, before)

    cron.schedule(backup=at(60), environment="environment", zone="Europe/Berlin")
    code, _, outcome = cron.shown()
    assert code == 5 and f"backup: {at(60)} in the inventory, {at(0)} installed" in outcome["reason"]
    assert "zone: Europe/Berlin in the inventory, UTC installed" in outcome["reason"]
    cron.install()
    assert cron.shown()[0] == 0
    for damage in (MINE + b"\n", cron.crontab.read_bytes().replace(b"--due", b"--dua")):
        whole = cron.crontab.read_bytes()
        cron.crontab.write_bytes(damage)
        assert cron.shown()[0] == 5
        cron.crontab.write_bytes(whole)
    cut = cron.crontab.read_bytes().replace(b"# END", b"# end")
    cron.crontab.write_bytes(cut)
    refused = shop.inv("schedule", "--install")
    assert (refused.code, "is missing" in refused.out, "Try: crontab -e" in refused.out) == (3, True, True), refused
    assert cron.crontab.read_bytes() == cut
    cron.crontab.write_bytes(cut.replace(b"# end", b"# END"))

    assert shop.inv("schedule", "--remove", "--plan").code == 0 and b"BEGIN" in cron.crontab.read_bytes()
    assert shop.inv("schedule", "--remove").code == 0
    assert cron.crontab.read_bytes() == MINE + b"\n" and list(cron.kept.iterdir()) == []
    assert "nothing to do" in shop.inv("schedule", "--remove").out


def test_the_line_makes_a_backup_in_cron_s_own_environment(cron: Cron) -> None:
    cron.install()
    assert cron.tick("backup") == Done(0, "", "") and cron.backups() == 0
    cron.days_pass(3)
    assert cron.shown()[0] == 5, "what nobody began is overdue"
    assert cron.tick("backup") == Done(0, "", "")
    assert cron.backups() == 1, "what was missed three times is caught up once"
    assert cron.tick() == Done(0, "", "") and cron.tick("backup") == Done(0, "", "") and cron.backups() == 1
    assert cron.outcome()["exit"] == 0
    code, task, _ = cron.shown()
    assert (code, task["last"]["exit"], task["running"]) == (0, 0, False)
    log = (cron.kept / "backup.log").read_text()
    assert "inv backup --target=shop" in log and "ended with 0" in log and "backup is done" in log
    secret = cron.shop.production.split(":")[2].split("@")[0]
    for path in cron.kept.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600 and secret not in path.read_text(), path
    assert secret not in cron.crontab.read_text()
    assert any("scheduled" in line for line in cron.shop.inv("runs").out.splitlines())


@pytest.mark.slow
def test_a_failure_speaks_on_standard_error_and_is_not_tried_again_before_its_time(cron: Cron) -> None:
    cron.install()
    cron.days_pass()
    cron.variables(DATABASE_URL="postgresql://postgres:hidden-word@127.0.0.1:1/shop")
    done = cron.tick()
    assert (done.code, done.out) == (4, ""), done
    assert "shop: scheduled backup ended with exit code 4" in done.err and "the database does not answer" in done.err
    assert f"Log: {cron.kept / 'backup.log'}" in done.err and "Try: inv status --target=shop" in done.err
    assert "hidden-word" not in done.err and "Traceback" not in done.err
    assert cron.tick() == Done(0, "", "")
    code, task, outcome = cron.shown()
    assert (code, task["last"]["exit"], outcome["hint"]) == (4, 4, "inv status --target=shop")
    # The next night all is well again.
    cron.variables()
    cron.days_pass()
    assert cron.tick() == Done(0, "", "") and cron.backups() == 1
    assert cron.shown()[0] == 0


def test_a_file_of_variables_that_others_can_read_by_then_is_told(cron: Cron) -> None:
    cron.install()
    cron.days_pass()
    (cron.shop.folder / "environment").chmod(0o644)
    done = cron.tick()
    assert done.code == 4 and "can be read by others" in done.err and "Try: chmod 600 " in done.err, done
    (cron.kept / "installed.json").unlink()
    done = cron.tick()
    assert (done.code, done.out) == (2, "") and "no schedule is installed, or the store is missing" in done.err, done


@pytest.mark.slow
def test_two_of_a_kind_never_overlap(cron: Cron, blocked: psycopg.Connection[Any]) -> None:
    cron.install()
    cron.days_pass()
    first = cron.start()
    assert wait_for(lambda: dumping(cron), 40)
    assert cron.tick("backup") == Done(0, "", ""), "cron calls again, and it says nothing"
    done = cron.shop.inv("scheduled", "--task=backup")
    assert done.code == 0 and "shop: backup: the previous run, started " in done.out, done.out + done.err
    assert "has not ended; nothing was started" in done.out and len(done.out.splitlines()) == 1
    code, task, _ = cron.shown()
    assert (code, task["running"], task["last"]["exit"]) == (0, True, None)
    blocked.rollback()
    assert first.wait(60) == 0 and cron.backups() == 1
    assert cron.tick() == Done(0, "", "") and cron.backups() == 1


@pytest.mark.slow
def test_what_called_it_is_killed_and_it_still_does_not_overlap(cron: Cron, blocked: psycopg.Connection[Any]) -> None:
    cron.install()
    cron.days_pass()
    first = cron.start()
    assert wait_for(lambda: dumping(cron), 40)
    first.kill()
    first.communicate()
    assert cron.tick() == Done(0, "", "")
    done = cron.shop.inv("scheduled", "--task=backup")
    assert done.code == 0 and "has not ended; nothing was started" in done.out, done.out + done.err
    assert cron.backups() == 0
    blocked.rollback()
    assert wait_for(lambda: cron.backups() == 1, 40)
    assert wait_for(lambda: not cron.shown()[1]["running"], 40)
    # Nobody saw how it ended, so it is done once more, and not a third time.
    assert cron.outcome()["exit"] is None
    assert cron.tick() == Done(0, "", "") and cron.backups() == 2
    assert cron.tick() == Done(0, "", "") and cron.backups() == 2


@pytest.mark.slow
def test_a_reboot_in_the_middle_is_caught_up(cron: Cron, blocked: psycopg.Connection[Any]) -> None:
    cron.install()
    cron.days_pass()
    first = cron.start()
    assert wait_for(lambda: dumping(cron), 40)
    first.send_signal(signal.SIGTERM)
    _, err = first.communicate(timeout=60)
    assert first.returncode == 130 and "scheduled backup ended with exit code 130" in err
    assert cron.outcome()["exit"] == 130 and cron.backups() == 0
    blocked.rollback()
    assert cron.tick() == Done(0, "", "") and cron.backups() == 1
    assert cron.outcome() == cron.outcome() | {"exit": 0, "tries": 2}


# A project's own tasks.py, in which what restores and prunes only says how it was called.
TASKS = """
from invoke import Collection, task
from ops.tasks import namespace as all_of_them
def told(name):
    @task(name=name)
    def body(c, target, inventory, confirm=""):
        print(name, target, inventory, confirm)
    return body
ours = [all_of_them.tasks[name] for name in ("schedule", "scheduled", "backup")]
namespace = Collection(*ours, *map(told, ("drill", "check-backups", "prune-backups")))
"""


@pytest.mark.slow
def test_what_uses_backups_waits_its_turn_and_what_checks_them_does_not(
    cron: Cron, blocked: psycopg.Connection[Any]
) -> None:
    (cron.shop.folder / "tasks.py").write_text(TASKS)
    late = {"drill": at(10), "prune-backups": at(20), "check-backups": at(25)}
    cron.schedule(**NIGHTLY, **late, environment="environment")
    cron.install()
    for task in (*NIGHTLY, *late):
        cron.days_pass(task=task)
    first = cron.start()
    assert wait_for(lambda: dumping(cron), 40)
    second = cron.start()
    third = cron.start()
    ended = cron.kept / "check-backups.json"
    assert wait_for(lambda: ended.exists() and cron.outcome("check-backups")["exit"] == 0, 40)
    assert not any((cron.kept / f"{task}.json").exists() for task in ("drill", "prune-backups"))
    blocked.rollback()
    for process in (first, second, third):
        assert process.communicate(timeout=60) == ("", "") and process.returncode == 0
    assert cron.backups() == 1
    begun = [cron.outcome(task)["begun"] for task in ("drill", "prune-backups")]
    assert min(begun) >= cron.outcome()["ended"]
    inventory = cron.shop.folder / "inventory.yaml"
    assert (cron.kept / "drill.log").read_text().splitlines()[1] == f"drill shop {inventory} "
    assert (cron.kept / "prune-backups.log").read_text().splitlines()[1] == f"prune-backups shop {inventory} shop"
    assert cron.tick() == Done(0, "", "")
    assert cron.shown()[0] == 0


@pytest.mark.slow
def test_a_log_begins_anew_when_it_is_long(cron: Cron) -> None:
    (cron.shop.folder / "tasks.py").write_text(TASKS)
    cron.schedule(drill=at(0), environment="environment")
    cron.install()
    log = cron.kept / "drill.log"
    log.write_text("x" * 1_000_001)
    cron.days_pass(task="drill")
    assert cron.tick() == Done(0, "", "")
    assert log.stat().st_size < 1000 and log.stat().st_mode & 0o777 == 0o600
    assert log.with_name("drill.log.1").stat().st_size == 1_000_001


@pytest.mark.slow
def test_the_jitter_is_waited_for_before_a_task_is_begun(cron: Cron) -> None:
    (cron.shop.folder / "tasks.py").write_text(TASKS)
    cron.schedule(drill=at(0), environment="environment", jitter=3600)
    cron.install()
    cron.days_pass(task="drill")
    process = cron.start()
    assert wait_for(lambda: cron.shown()[1]["running"], 40)
    time.sleep(1)
    assert process.poll() is None and not (cron.kept / "drill.json").exists()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    assert not (cron.kept / "drill.json").exists(), "it was not begun, so it is still due"


@pytest.mark.slow
def test_what_can_never_work_is_not_installed(cron: Cron, tmp_path: Path) -> None:
    shop = cron.shop
    paths = [shop.folder / "environment", shop.folder / "tasks.py"]
    good = {path: path.read_text() for path in paths}

    def refused(said: str, hint: str, code: int = 2) -> None:
        done = shop.inv("schedule", "--install")
        assert done.code == code and said in done.out and hint in done.out, done.out + done.err
        assert "Traceback" not in done.out + done.err
        assert not cron.crontab.exists() and not (cron.kept / "installed.json").exists()

    cron.schedule(backup="30 2 * * *")
    refused("env:DATABASE_URL: cron has no variables of your shell", "or database: file:secrets/database-url")
    cron.schedule(backup="30 2 * * *", environment="environment")
    paths[0].chmod(0o644)
    refused("can be read by others", "chmod 600")
    paths[0].chmod(0o600)
    paths[0].write_text("OTHER=1\n")
    refused("has no line DATABASE_URL=…", "in that file")
    cron.variables(DATABASE_URL="not an address")
    refused("is not a PostgreSQL connection URL", "Try: ")
    paths[0].write_text(good[paths[0]])
    cron.schedule(**{"clone-prod-to-test": "0 3 * * *"}, environment="environment")
    paths[0].write_text(f"DATABASE_URL={shop.production}\n")
    refused("has no line TEST_DATABASE_URL=…", "in that file")
    paths[0].write_text(good[paths[0]])
    cron.schedule(backup="30 2 * * *", environment="environment")
    before = cron.keys(standby="env:STANDBY_URL", dump={"from": "standby"})
    refused(f"standby: env:STANDBY_URL: {paths[0]} has no line STANDBY_URL=…", "in that file")
    cron.keys(**before)
    some = "from invoke import Collection\nfrom ops.tasks import namespace as all_of_them\nnamespace = Collection(*"
    paths[1].write_text(f"{some}[all_of_them.tasks[name] for name in ('schedule', 'scheduled')])\n")
    refused("there is no task 'backup'", "Try: ")
    paths[1].write_text(good[paths[1]])
    cron.crontab.with_name("denied").touch()
    refused("not allowed to use this program", "/etc/cron.allow")
    cron.crontab.with_name("denied").unlink()
    cron.crontab.with_name("crontab").unlink()
    if not shutil.which("crontab"):
        refused("cron is not installed", "schedule: {with: systemd}")
    write_crontab(cron.crontab.parent)
    cron.install()


@pytest.mark.slow
def test_an_inventory_elsewhere_and_a_folder_with_odd_letters(cron: Cron, tmp_path: Path) -> None:
    odd = tmp_path / "50% it's $HOME"
    odd.mkdir()
    for name in ("inventory.yaml", "environment"):
        (cron.shop.folder / name).rename(odd / name)
    where = f"--inventory={odd / 'inventory.yaml'}"
    done = cron.shop.inv("schedule", "--install", where)
    assert done.code == 0, done.out + done.err
    assert f"--search-root={cron.shop.folder}" in cron.crontab.read_text()
    cron.kept = odd / "backups/shop/schedules"
    cron.days_pass()
    assert cron.tick() == Done(0, "", "")
    assert cron.outcome()["exit"] == 0
    assert cron.shop.inv("schedule", where).code == 0


@pytest.mark.slow
def test_asked_in_another_way(cron: Cron) -> None:
    shop = cron.shop
    for words, code, said, hint in [
        (["schedule", "--install", "--remove"], 2, "either --install or --remove", "inv schedule --install"),
        (["schedule", "--plan"], 2, "--plan needs --install or --remove", "inv schedule --install --plan"),
        (["schedule", "--target=shop-test"], 2, "shop-test is a test target", "--target=shop"),
        (["schedule", "--install", "--target=shp"], 2, "no such target", "--target=shop"),
        (["scheduled"], 2, "one of --due, --look and --task=TASK", "inv scheduled --task=backup"),
        (["scheduled", "--task=backup"], 2, "no schedule is installed", "inv schedule --install"),
        (["scheduled", "--due", "--file=/nowhere"], 2, "no schedule is installed", "inv schedule --install"),
    ]:
        done = shop.inv(*words)
        text = done.out + done.err
        assert (done.code, said in text, hint in text, "Traceback" in text) == (code, True, True, False), (words, done)
    for task in ("schedule", "scheduled"):
        assert "-i STRING, --inventory=STRING" in shop.inv(task, "--help").out
    cron.install()
    done = shop.inv("scheduled", "--task=drill")
    assert done.code == 2 and "'drill' is not installed; installed: backup" in done.err
    path = shop.folder / "inventory.yaml"
    given = yaml.safe_load(path.read_text())
    del given["all"]["children"]["production"]["hosts"]["shop"]["schedule"]
    path.write_text(yaml.safe_dump(given))
    code, _, outcome = cron.shown()
    assert code == 5 and "a schedule is installed, but the inventory has none" in outcome["reason"]
    assert outcome["hint"] == "inv schedule --remove --target=shop"
    done = shop.inv("schedule", "--install")
    assert done.code == 2 and "shop has no schedule" in done.out
    assert shop.inv("schedule", "--remove").code == 0
    assert "Try: schedule: {backup:" in shop.inv("schedule").out


@pytest.mark.skipif(
    Path("/run/systemd/system").exists(),
    reason="systemd runs here, and is not ours to change: run the tests in a container",
)
def test_where_no_systemd_runs_its_timers_are_refused(cron: Cron) -> None:
    cron.schedule(**NIGHTLY, environment="environment", **{"with": "systemd"})
    plan = cron.shop.inv("schedule", "--install", "--plan")
    assert plan.code == 0 and "Persistent=true" in plan.out and f"OnCalendar=*-*-* {BASE:%H:%M}:00 UTC" in plan.out
    done = cron.shop.inv("schedule", "--install")
    assert done.code == 2 and "systemd" in done.out and "with: cron" in done.out, done.out + done.err
    assert not (cron.kept / "installed.json").exists()


def test_the_line_is_one_that_a_shell_reads(cron: Cron) -> None:
    cron.install()
    backup, start = cron.lines()
    file = f"--file={cron.kept / 'installed.json'}"
    words = shlex.split(backup.split(" ", 5)[5])
    assert words[:4] == ["cd", str(cron.shop.folder), "&&", "exec"]
    assert words[-4:] == ["scheduled", "--due", "--task=backup", file]
    assert shlex.split(start)[-3:] == ["scheduled", "--due", file]


def test_lines_of_version_0_1_are_named_and_replaced(cron: Cron) -> None:
    cron.crontab.write_bytes(MINE + b"\n")
    cron.install()
    written = cron.crontab.read_text()
    backup, start = cron.lines()
    every = "*/5 * * * * " + start.removeprefix("@reboot sleep 60 && ")
    cron.crontab.write_text(written.replace(f"{backup}\n{start}", every))
    code, _, outcome = cron.shown()
    assert (code, outcome["hint"]) == (5, "inv schedule --install --target=shop")
    assert "the lines in the crontab were changed after the installation" in outcome["reason"]
    assert doctor(cron.shop)["status"] == "warn"
    cron.install()
    assert cron.crontab.read_text() == written and cron.shown()[0] == 0

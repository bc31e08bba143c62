"""Schedules: what the inventory may say, which moment is due, what systemd is told, and the file of variables."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from ops.core.cron import following, last, mistake
from ops.core.errors import InventoryError, UsageError
from ops.inventory.load import load
from ops.schedule import systemd, task_state
from ops.schedule.environment import variables
from ops.schedule.task_state import Installed, Outcome
from tests.schedule.test_crontab import FILE, installed

# --- the inventory ---------------------------------------------------------------------------------------------------


def inventory(folder: Path, schedule: str, target: str = "") -> Path:
    path = folder / "inventory.yaml"
    path.write_text(
        "all:\n  children:\n    production:\n      hosts:\n        shop:\n          database: file:url\n"
        f"          test: shop-test\n          schedule: {schedule}\n"
        f"    test:\n      hosts:\n        shop-test: {{database: file:test{target}}}\n"
    )
    return path


def test_it_is_read(tmp_path: Path) -> None:
    given = '{backup: "30 2 * * *", prune-backups: "0 5 * * MON-fri", zone: Europe/Berlin, jitter: 300, with: systemd}'
    found = load(inventory(tmp_path, given)).target("shop").schedule
    assert found is not None
    assert found.tasks == {"backup": "30 2 * * *", "prune-backups": "0 5 * * MON-fri"}
    assert (found.with_, found.zone, found.jitter, found.environment) == ("systemd", "Europe/Berlin", 300, None)
    plain = load(inventory(tmp_path, '{drill: "0 4 * * sun"}')).target("shop").schedule
    assert plain is not None and (plain.with_, plain.zone, plain.jitter) == ("cron", "UTC", 0)
    assert load(inventory(tmp_path, "null")).target("shop").schedule is None


@pytest.mark.parametrize(
    ("schedule", "said", "hint"),
    [
        ('{backup: "30 2 * *"}', "`schedule.backup` should have five fields", '"30 2 * * *"'),
        ('{backup: "@daily"}', "`schedule.backup` should be five fields and not a name", '"30 2 * * *"'),
        ('{backup: "61 * * * *"}', "bad minute", '"30 2 * * *"'),
        ('{backup: "0 0 30 2 *"}', "bad day-of-month", '"30 2 * * *"'),
        ('{backup: "0 0 L * *"}', "not every cron accepts", '"30 2 * * *"'),
        ('{backup: "0 0 * * 1#2"}', "not every cron accepts", '"30 2 * * *"'),
        ('{backup: "*/5 * * * * *"}', "should have five fields", '"30 2 * * *"'),
        ("{backup: 5}", "`schedule.backup` should be", ""),
        ("{zone: UTC}", "names no task", "backup:"),
        ("{}", "names no task", "backup:"),
        ('{release: "0 0 * * *"}', "names release, which only a person may run", "remove `release:`"),
        ('{backup: "0 0 * * *", promote: "0 0 * * *"}', "names promote, which only a person may run", "remove"),
        ('{rollback: "0 0 * * *"}', "names rollback, which only a person may run", "remove"),
        ('{backups: "0 0 * * *"}', "is an unknown key", "write `backup:`"),
        ('{clone_prod_to_test: "0 0 * * *"}', "is an unknown key", "write `clone-prod-to-test:`"),
        ('{backup: "0 0 * * *", with: anacron}', "`schedule.with`", "schedule:"),
        ('{backup: "0 0 * * *", zone: Berlin}', "no", "zone: "),
        ('{backup: "0 0 * * *", jitter: 1.5}', "`schedule.jitter`", "schedule:"),
        ('{backup: "0 0 * * *", jitter: 99999}', "`schedule.jitter`", "schedule:"),
        ("daily", "should be a mapping", "schedule:"),
    ],
)
def test_what_it_may_not_say(tmp_path: Path, schedule: str, said: str, hint: str) -> None:
    with pytest.raises(InventoryError) as caught:
        load(inventory(tmp_path, schedule))
    assert said in caught.value.message and hint in caught.value.hint, (caught.value.message, caught.value.hint)
    assert ":8: shop: " in caught.value.message


def test_a_test_target_has_none(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="`schedule` is allowed only in production"):
        load(inventory(tmp_path, '{drill: "0 4 * * sun"}', ', schedule: {backup: "0 0 * * *"}'))


# --- moments ---------------------------------------------------------------------------------------------------------

FIELDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


@st.composite
def expressions(draw: st.DrawFn) -> str:
    def field(low: int, high: int) -> str:
        one = st.integers(low, high)
        span = st.tuples(one, one).map(lambda ends: f"{min(ends)}-{max(ends)}")
        step = st.tuples(span | st.just("*"), st.integers(1, 9)).map(lambda both: f"{both[0]}/{both[1]}")
        part = one.map(str) | span | step
        return draw(st.just("*") | part | st.lists(part, min_size=1, max_size=3).map(",".join))

    return " ".join(field(low, high) for low, high in FIELDS)


@given(expressions(), st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)), st.sampled_from(["UTC", "Asia/Tokyo"]))
def test_the_last_one_and_the_next_one_are_neighbours(at: str, moment: datetime, zone: str) -> None:
    if mistake(at):
        return
    now = moment.replace(tzinfo=UTC)
    before, after = last(at, zone, now), following(at, zone, now)
    assert before <= now < after
    assert following(at, zone, before) == after and last(at, zone, after) == after


def test_the_hours_of_a_zone_that_skips_and_repeats_one() -> None:
    at, zone = "30 2 * * *", "Europe/Berlin"
    assert last(at, zone, datetime(2026, 3, 29, 12, tzinfo=UTC)) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert last(at, zone, datetime(2026, 10, 25, 12, tzinfo=UTC)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


# --- due -------------------------------------------------------------------------------------------------------------

NIGHT = datetime(2026, 11, 27, 2, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def of(since: datetime, **given: object) -> Installed:
    return installed(since={"backup": task_state.stamp(since)}, **given)


def due(folder: Path, now: datetime, since: datetime = NIGHT - timedelta(days=9), **given: object) -> datetime | None:
    return task_state.due(of(since, **given), folder, "backup", now)


def test_due_and_not_due(tmp_path: Path) -> None:
    assert due(tmp_path, NIGHT, since=NIGHT - MINUTE) == NIGHT
    assert due(tmp_path, NIGHT - MINUTE, since=NIGHT - 2 * MINUTE) is None
    # What was installed in the afternoon was not meant for the night before.
    assert due(tmp_path, NIGHT + 600 * MINUTE, since=NIGHT + MINUTE) is None
    ended = task_state.stamp(NIGHT + 2 * MINUTE)
    task_state.note(tmp_path, "backup", Outcome(task_state.stamp(NIGHT + MINUTE), ended, 0))
    assert due(tmp_path, NIGHT + 3 * MINUTE) is None
    assert due(tmp_path, NIGHT + timedelta(days=1)) == NIGHT + timedelta(days=1)
    # One that failed has run, too.
    task_state.note(tmp_path, "backup", Outcome(task_state.stamp(NIGHT + MINUTE), ended, 4))
    assert due(tmp_path, NIGHT + 3 * MINUTE) is None


def test_what_was_missed_is_due_once(tmp_path: Path) -> None:
    later = NIGHT + timedelta(days=3, hours=6)
    task_state.note(tmp_path, "backup", Outcome(task_state.stamp(NIGHT), task_state.stamp(NIGHT), 0))
    assert due(tmp_path, later) == NIGHT + timedelta(days=3)
    assert task_state.overdue(of(NIGHT), tmp_path, "backup", later)
    task_state.note(tmp_path, "backup", Outcome(task_state.stamp(later), task_state.stamp(later), 0))
    assert due(tmp_path, later + MINUTE) is None


def test_what_was_cut_off_is_due_once_more_and_not_for_ever(tmp_path: Path) -> None:
    for code in (None, 130):
        task_state.note(tmp_path, "backup", Outcome(task_state.stamp(NIGHT), None, code, tries=1))
        assert due(tmp_path, NIGHT + 9 * MINUTE) == NIGHT
        assert task_state.tries(of(NIGHT), tmp_path, "backup", NIGHT + 9 * MINUTE) == 2
        assert due(tmp_path, NIGHT + 9 * MINUTE, by="systemd") is None
        task_state.note(tmp_path, "backup", Outcome(task_state.stamp(NIGHT), None, code, tries=2))
        assert due(tmp_path, NIGHT + 9 * MINUTE) is None
        night = NIGHT + timedelta(days=1)
        assert due(tmp_path, night) == night and task_state.tries(of(NIGHT), tmp_path, "backup", night) == 1


def test_a_clock_that_was_set_back_keeps_nothing_waiting(tmp_path: Path) -> None:
    begun = task_state.stamp(NIGHT + timedelta(days=400))
    task_state.note(tmp_path, "backup", Outcome(begun, task_state.stamp(NIGHT), 0))
    assert due(tmp_path, NIGHT + MINUTE) == NIGHT


def test_overdue_is_what_nobody_began(tmp_path: Path) -> None:
    def overdue(now: datetime, **given: object) -> datetime | None:
        return task_state.overdue(of(NIGHT - MINUTE, **given), tmp_path, "backup", now)

    assert overdue(NIGHT + 14 * MINUTE) is None
    assert overdue(NIGHT + 16 * MINUTE) == NIGHT
    assert overdue(NIGHT + 16 * MINUTE, jitter=300) is None


def test_one_that_hangs_is_overdue_when_its_next_moment_has_passed(tmp_path: Path) -> None:
    one, night = of(NIGHT - MINUTE), NIGHT + timedelta(days=1)
    task_state.note(tmp_path, "backup", Outcome(task_state.stamp(NIGHT)))
    with open(tmp_path / "backup.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert task_state.runs(tmp_path, "backup")
        assert task_state.overdue(one, tmp_path, "backup", night - MINUTE) is None
        assert task_state.overdue(one, tmp_path, "backup", night + 16 * MINUTE) == night
    assert not task_state.runs(tmp_path, "backup")


BROKEN = ["", "{", "[]", '{"target": 1}', '{"begun": "x"}', "\0", "null", '{"begun": "2026-01-01"}']


@pytest.mark.parametrize("text", BROKEN)
def test_files_that_are_not_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / task_state.FILE).write_text(text)
    (tmp_path / "backup.json").write_text(text)
    with pytest.raises(UsageError) as caught:
        task_state.read(tmp_path / task_state.FILE)
    assert "inv schedule --install" in caught.value.hint
    assert task_state.outcome(tmp_path, "backup") is None


def test_what_was_installed_is_read_as_it_was_written(tmp_path: Path) -> None:
    one = of(NIGHT, environment="/x")
    one.write(tmp_path / task_state.FILE)
    assert task_state.read(tmp_path / task_state.FILE) == one
    assert (tmp_path / task_state.FILE).stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="no schedule is installed"):
        task_state.read(tmp_path / "nowhere.json")


# --- systemd ---------------------------------------------------------------------------------------------------------


def test_our_units_are_found_in_order_and_only_ours(tmp_path: Path) -> None:
    names = [f"{systemd.stem('shop', '/i.yaml')}{task}.{kind}" for task in "cab" for kind in ("timer", "service")]
    for name in names:
        (tmp_path / name).write_text(f"{systemd.mark('shop', '/i.yaml')}\n")
    (tmp_path / names[0]).write_text("# somebody else's\n")

    class Folder(type(tmp_path)):  # type: ignore[misc]
        """A folder that lists its files as they come."""

        def glob(self, pattern: str) -> list[Path]:
            return sorted(tmp_path.glob(pattern), reverse=True)

    assert list(systemd.Place(Folder(tmp_path)).found("shop", "/i.yaml")) == sorted(names[1:])


def test_the_units_as_they_are_written() -> None:
    made = systemd.units(installed(by="systemd", jitter=300, folder="/srv/50% $x", inv=("/opt/a b/inv", "--x")), FILE)
    stem = systemd.stem("shop", "/srv/shop/inventory.yaml")
    assert list(made) == [f"{stem}backup.service", f"{stem}backup.timer"]
    head = systemd.mark("shop", "/srv/shop/inventory.yaml")
    assert (
        made[f"{stem}backup.service"]
        == f"""{head}
[Unit]
Description=Generalprobe: inv backup of shop

[Service]
Type=oneshot
WorkingDirectory=/srv/50%% $x
ExecStart="/opt/a b/inv" "--x" "scheduled" "--task=backup" "--file={FILE}"
UMask=0077
"""
    )
    assert (
        made[f"{stem}backup.timer"]
        == f"""{head}
[Unit]
Description=Generalprobe: when inv backup of shop begins (30 2 * * * UTC)

[Timer]
OnCalendar=*-*-* 02:30:00 UTC
Persistent=true
RandomizedDelaySec=300

[Install]
WantedBy=timers.target
"""
    )


def test_a_day_of_the_month_or_a_weekday_are_two_expressions() -> None:
    assert systemd.calendar("0 4 1 * sun", "UTC") == ["*-*-01 04:00:00 UTC", "Sun *-*-* 04:00:00 UTC"]
    # A star makes it both, as in Debian's cron, also with a step.
    assert systemd.calendar("0 0 */16 * sun", "UTC") == ["Sun *-*-01,17 00:00:00 UTC"]
    assert systemd.calendar("*/30 * * 6 0-7", "UTC") == ["*-06-* *:00,30:00 UTC"]


ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed: apt-get install systemd")


MANY = ["30 2 * * *", "*/15 8-18 1 * mon,wed", "0 0 29 2 *", "5,35 */7 * jan-mar 1-5", "0 4 1,15 * sun", "59 23 31 * *"]


@needs_systemd
@pytest.mark.parametrize("at", MANY)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_systemd_finds_the_moments_that_cron_does(at: str, zone: str) -> None:
    start, count = datetime(2026, 2, 3, 4, 5, tzinfo=UTC), 12
    sim = CronSim(at, start.astimezone(ZoneInfo(zone)))
    wanted = [next(sim).astimezone(UTC) for _ in range(count)]
    words = [str(ANALYZE), "calendar", f"--iterations={count}", f"--base-time={start:%Y-%m-%d %H:%M:%S} UTC"]
    done = subprocess.run(
        [*words, *systemd.calendar(at, zone)], capture_output=True, text=True, env={"TZ": "UTC", "LC_ALL": "C"}
    )
    assert done.returncode == 0, done.stderr
    found = set()
    for line in done.stdout.splitlines():
        words = line.split(": ", 1)[-1].split()
        if ("elapse" in line or "Iteration" in line or "Iter." in line) and words[-1] == "UTC":
            found.add(datetime.fromisoformat(f"{words[1]} {words[2]}+00:00"))
    assert sorted(found)[:count] == wanted


@needs_systemd
def test_systemd_reads_the_units(tmp_path: Path) -> None:
    program = tmp_path / "a b%$" / "inv"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    one = installed(by="systemd", inv=(str(program),), folder=str(program.parent), tasks={"backup": "0 4 1 * sun"})
    for name, text in systemd.units(one, str(program.parent / "x.json")).items():
        (tmp_path / name).write_text(text)
    units = [str(path) for path in tmp_path.glob("generalprobe-*")]
    for more in ([], ["--user"]):
        done = subprocess.run([str(ANALYZE), "verify", "--man=no", *more, *units], capture_output=True, text=True)
        assert "generalprobe-" not in done.stderr, done.stderr


SYSTEMCTL = """#!/bin/sh
# Notes what it was asked; `no` beside it makes it answer as systemctl does where nothing runs systemd.
echo "$*" >> "$(dirname "$0")/asked"
if [ -e "$(dirname "$0")/no" ]; then echo "Failed to connect to bus: No medium found" >&2; exit 1; fi
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> systemd.Place:
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return systemd.Place(tmp_path / "units", user=False)


def with_systemd(tmp_path: Path, **tasks: str) -> tuple[Installed, dict[str, str]]:
    one = installed(by="systemd", inv=("/bin/true",), folder=str(tmp_path), tasks=tasks)
    return one, systemd.units(one, FILE)


def test_timers_are_switched_on_and_taken_away(tmp_path: Path, place: systemd.Place) -> None:
    place.folder.mkdir()
    stem = systemd.stem("shop", "/srv/shop/inventory.yaml")
    foreign = place.folder / f"{stem}mine.timer"
    foreign.write_text("[Timer]\n")
    one, made = with_systemd(tmp_path, backup="30 2 * * *", drill="0 4 * * sun")
    place.install(one, made)
    assert place.found("shop", "/srv/shop/inventory.yaml") == made
    fewer, rest = with_systemd(tmp_path, backup="30 3 * * *")
    place.install(fewer, rest)
    assert place.found("shop", "/srv/shop/inventory.yaml") == rest
    asked = (tmp_path / "bin/asked").read_text().splitlines()
    assert f"enable --now {stem}backup.timer {stem}drill.timer" in asked
    assert f"disable --now {stem}drill.timer" in asked and asked[-1] == f"restart {stem}backup.timer"
    assert sorted(place.remove("shop", "/srv/shop/inventory.yaml")) == sorted(rest)
    assert [path.name for path in place.folder.iterdir()] == [foreign.name]
    assert place.remove("shop", "/srv/shop/inventory.yaml") == []


def test_where_no_systemd_answers_nothing_is_written(tmp_path: Path, place: systemd.Place) -> None:
    (tmp_path / "bin/no").touch()
    one, made = with_systemd(tmp_path, backup="30 2 * * *")
    with pytest.raises(UsageError, match="systemd does not answer.*No medium found") as caught:
        place.install(one, made)
    assert caught.value.hint == "schedule: {with: cron}"
    assert not place.folder.exists()


# --- the file of variables -------------------------------------------------------------------------------------------

SECRET = "postgresql://u:hunter2@h/d?a=b#c"


def written(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "environment"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_variables_are_read_as_they_stand(tmp_path: Path) -> None:
    text = f"# a comment\n\nURL={SECRET}\r\nQUOTED=\"a 'b' \"\nSINGLE='x'\nEMPTY=\nONE='\n  # another\nLAST=$HOME \\n"
    assert variables(written(tmp_path, text)) == {
        "URL": SECRET,
        "QUOTED": "a 'b' ",
        "SINGLE": "x",
        "EMPTY": "",
        "ONE": "'",
        "LAST": "$HOME \\n",
    }


LINES = [f"export URL={SECRET}", SECRET.replace("=", ""), f" URL={SECRET}", f"1={SECRET}", "=x", "A=\0"]


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_another_form_is_named_and_not_quoted(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError, match=":2: is not a line NAME=VALUE") as caught:
        variables(written(tmp_path, f"A=1\n{line}\n"))
    assert "hunter2" not in json.dumps([caught.value.message, caught.value.hint])


def test_a_file_that_others_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can be read by others"):
        variables(written(tmp_path, "A=1\n", 0o640))
    with pytest.raises(UsageError, match="No such file") as caught:
        variables(tmp_path / "nowhere")
    assert "chmod 600" in caught.value.hint

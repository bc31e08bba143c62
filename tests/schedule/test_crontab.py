"""Our block in a crontab: what is around it stays byte for byte; and the program that keeps it."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from ops.core.cron import following
from ops.core.errors import Refused, StepFailed, UsageError
from ops.schedule import crontab
from ops.schedule.task_state import Installed
from tests.schedules import write_crontab
from tests.support.tiers import quick

INVENTORY = "/srv/shop/inventory.yaml"
NAMED = crontab.mark("shop", INVENTORY)
FILE = "/srv/shop/backups/shop/schedules/installed.json"


def installed(**given: object) -> Installed:
    values = {"target": "shop", "inventory": INVENTORY, "folder": "/srv/shop", "inv": ("/opt/bin/inv",), "path": ""}
    more = {"by": "cron", "zone": "UTC", "jitter": 0, "environment": "", "tasks": {"backup": "30 2 * * *"}}
    return Installed(**{**values, **more, **given})  # type: ignore[arg-type]


OURS = crontab.block(installed(), FILE)
OTHER = crontab.block(installed(tasks={"backup": "1 1 * * *", "drill": "0 0 * * sun"}, inv=("/x", "y")), FILE)
NEIGHBOUR = crontab.block(installed(target="office"), FILE)
LINES = st.sampled_from(
    [b"", b"# a comment", b"MAILTO=ops@example.com", b"0 5 * * * /bin/true", b"CRON_TZ=UTC", b"\t", b"\xff\x00"]
) | st.binary(max_size=30)
TEXTS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r", b""]))).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


@given(TEXTS)
def test_what_is_around_it_stays_byte_for_byte(text: bytes) -> None:
    with_it = crontab.with_block(text, NAMED, OURS)
    # Behind a line that has no end ours would be a part of it.
    assert with_it == (OURS + text if text and not text.endswith(b"\n") else text + OURS)
    assert crontab.without(with_it, NAMED) == text
    assert crontab.with_block(with_it, NAMED, OURS) == with_it
    changed = crontab.with_block(with_it, NAMED, OTHER)
    assert crontab.without(changed, NAMED) == text
    assert crontab.find(changed, NAMED)[1] == OTHER


@given(TEXTS, TEXTS)
def test_lines_that_somebody_adds_after_it_stay_lines(before: bytes, after: bytes) -> None:
    with_it = crontab.with_block(before, NAMED, OURS) + after
    left = crontab.without(with_it, NAMED)
    assert left == before + after
    assert crontab.find(left, NAMED)[1] is None


@given(TEXTS)
def test_another_target_s_block_is_not_ours(text: bytes) -> None:
    both = crontab.with_block(crontab.with_block(text, crontab.mark("office", INVENTORY), NEIGHBOUR), NAMED, OURS)
    assert crontab.without(both, NAMED) == crontab.with_block(text, crontab.mark("office", INVENTORY), NEIGHBOUR)


@pytest.mark.parametrize(
    "damage",
    [
        OURS.replace(b"# END", b"# end"),
        OURS.replace(b"# BEGIN", b"# begin"),
        OURS + OURS,
        b"".join(reversed(OURS.splitlines(keepends=True))),
    ],
)
def test_a_block_that_somebody_cut_is_refused(damage: bytes) -> None:
    with pytest.raises(Refused, match="is missing"):
        crontab.with_block(b"# mine\n" + damage, NAMED, OURS)


def test_a_per_cent_sign_is_escaped_and_words_are_quoted() -> None:
    lines = crontab.block(installed(folder="/srv/50% of/it's"), "/srv/a b/x.json").decode().splitlines()
    call = r"""cd '/srv/50\% of/it'"'"'s' && exec /opt/bin/inv scheduled --due """
    file = "'--file=/srv/a b/x.json'"
    assert lines[2:4] == [f"30 2 * * * {call}--task=backup {file}", f"@reboot sleep 60 && {call}{file}"]


BEFORE = f"""# BEGIN {NAMED.decode()} (the line before had no end)
# Written by `inv schedule --install`, removed by `inv schedule --remove`. In UTC: backup: 30 2 * * *
*/5 * * * * cd /srv/shop && exec /opt/bin/inv scheduled --due --file={FILE}
# END {NAMED.decode()}
""".encode()


@given(TEXTS)
def test_a_block_of_version_0_1_is_replaced_and_removed(text: bytes) -> None:
    before = text + b"\n" if text and not text.endswith(b"\n") else text
    for block in (BEFORE, BEFORE.replace(b" (the line before had no end)", b"")):
        assert crontab.with_block(before + block, NAMED, OURS) == before + OURS
        assert crontab.without(before + block, NAMED) == before


@pytest.mark.parametrize(
    ("at", "zone", "here", "line"),
    [
        ("5/20 2 1-3 jan-mar mon", "UTC", "UTC", "5,25,45 2 1,2,3 1,2,3 1"),
        ("*/15 0-23/12 */2 * 0,7", "Europe/Berlin", "Europe/Berlin", "*/15 0,12 */2 * 0"),
        ("30 2 * * *", "Europe/Vienna", "Europe/Berlin", "30 2 * * *"),
        ("30 2 * * sun", "Europe/Berlin", "UTC", "30 * * * *"),
        ("30 2 * * *", "Asia/Kolkata", "UTC", "0 * * * *"),
        ("10,40 2 * * *", "UTC", "Asia/Kathmandu", "25,55 * * * *"),
        # Half an hour of summer time.
        ("0 2 * * *", "Australia/Lord_Howe", "UTC", "0,30 * * * *"),
    ],
)
def test_cron_calls_at_each_moment_of_the_schedule_s_zone(
    at: str, zone: str, here: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crontab, "LOCAL", Path("/usr/share/zoneinfo", here))
    assert crontab.fields(at, zone) == line
    moment, called = datetime(2026, 1, 1, tzinfo=UTC), CronSim(line, datetime(2026, 1, 1, tzinfo=ZoneInfo(here)))
    calls = {next(called).astimezone(UTC) for _ in range(400)}
    while (moment := following(at, zone, moment)) < max(calls):
        assert moment in calls


def test_a_machine_without_a_zone_is_in_utc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(crontab, "LOCAL", tmp_path / "nowhere")
    assert crontab.fields("30 2 * * *", "UTC") == "30 2 * * *"


@pytest.mark.parametrize("folder", ["/srv/a\nb", "/srv/a\\%b", "/srv/" + "x" * 1000])
def test_what_cron_can_t_call_is_refused(folder: str) -> None:
    with pytest.raises(UsageError):
        crontab.block(installed(folder=folder), FILE)


# --- the program -----------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_crontab(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    return path


def put_in(text: bytes) -> bytes:
    return crontab.with_block(text, NAMED, OURS)


def test_none_is_an_empty_one_and_none_again(kept: Path) -> None:
    assert crontab.listed() == b""
    crontab.change(put_in)
    assert kept.read_bytes() == OURS
    crontab.change(lambda text: crontab.without(text, NAMED))
    assert not kept.exists()


def test_a_program_that_refuses_leaves_it_as_it_was(kept: Path) -> None:
    kept.write_bytes(b"xyz! is no minute of anything\n")
    with pytest.raises(StepFailed, match="errors in crontab file, can't install"):
        crontab.change(put_in)
    assert kept.read_bytes() == b"xyz! is no minute of anything\n"


SPELLED_OUT = [b"# mine\r\nA=1\r\n", b"* * * * * tr -d '\\r'\n", b"# \b\\b\n"]


@pytest.mark.parametrize("text", quick(SPELLED_OUT, SPELLED_OUT[0]))
def test_what_crontab_spells_out_stays_as_it_is(kept: Path, text: bytes) -> None:
    kept.write_bytes(text)
    crontab.change(put_in)
    assert kept.read_bytes() == text + OURS
    crontab.change(lambda found: crontab.without(found, NAMED))
    assert kept.read_bytes() == text


def test_who_may_not_use_it_is_told(kept: Path) -> None:
    kept.with_name("denied").touch()
    with pytest.raises(UsageError, match="not allowed to use this program") as caught:
        crontab.change(put_in)
    assert "/etc/cron.allow" in caught.value.hint


def test_without_cron_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no program `crontab`"):
        crontab.listed()
    assert not crontab.there()


def test_somebody_who_writes_meanwhile_is_noticed(kept: Path) -> None:
    program = kept.with_name("crontab")
    program.write_text(program.read_text().replace("kept.write_bytes(text)", "kept.write_bytes(b'# other\\n')"))
    with pytest.raises(StepFailed, match="is not what was written"):
        crontab.change(put_in)


REAL = shutil.which("crontab")


@pytest.mark.skipif(REAL is None, reason="crontab is not installed: apt-get install cron")
def test_the_real_one_answers_as_ours_does(tmp_path: Path) -> None:
    """Only where this user has no crontab: nothing of anybody's is touched."""
    assert REAL is not None
    ours = str(write_crontab(tmp_path / "bin").with_name("crontab"))

    def call(program: str, *words: str, text: bytes = b"") -> tuple[int, bytes, str]:
        done = subprocess.run([program, *words], input=text, capture_output=True, env={"LC_ALL": "C", "PATH": "/bin"})
        return done.returncode, done.stdout, done.stderr.decode().replace(str(os.environ.get("USER", "root")), "root")

    if call(REAL, "-l")[0] == 0:
        pytest.skip("this user has a crontab, which is not ours to change: run the tests as another user")
    try:
        for words, text in [
            (("-l",), b""),
            (("-r",), b""),
            (("-",), b"A=1"),
            (("-",), put_in(b"# mine\r\nMAILTO=x\n")),
            (("-l",), b""),
            (("-",), b"61 * * * * x\n".replace(b"61", b"xyz!")),
            (("-l",), b""),
            (("-",), b"* * * * * " + b"x" * 1100 + b"\n"),
            (("-r",), b""),
            (("-l",), b""),
        ]:
            real, mine = call(REAL, *words, text=text), call(ours, *words, text=text)
            assert real[:2] == mine[:2], (words, text, real, mine)
            # Where in the text it is wrong is said with other numbers by each.
            assert [said for said in real[2].splitlines() if '"' not in said] == [
                said for said in mine[2].splitlines() if '"' not in said
            ]
        for text in (b"# mine\r\nMAILTO=x\r\n", b"* * * * * tr -d '\\r'\n"):
            call(REAL, "-", text=text)
            crontab.change(put_in)
            crontab.change(lambda found: crontab.without(found, NAMED))
            assert crontab.listed() == text
    finally:
        call(REAL, "-r")

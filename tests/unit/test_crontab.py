"""Our block in a crontab: what is around it stays byte for byte; and the program that keeps it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.errors import Refused, StepFailed, UsageError
from ops.schedule import crontab
from ops.schedule.kept import Installed
from tests.schedules import write_crontab

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
    assert with_it.startswith(text) and with_it.endswith(b"\n")
    assert crontab.without(with_it, NAMED) == text
    assert crontab.with_block(with_it, NAMED, OURS) == with_it
    changed = crontab.with_block(with_it, NAMED, OTHER)
    assert crontab.without(changed, NAMED) == text
    _, found, _ = crontab.find(changed, NAMED)
    assert found is not None and crontab.plain(found) == OTHER


@given(TEXTS, TEXTS)
def test_lines_that_somebody_adds_after_it_stay_lines(before: bytes, after: bytes) -> None:
    with_it = crontab.with_block(before, NAMED, OURS) + after
    left = crontab.without(with_it, NAMED)
    # A line that had no end has got one, where another one follows it by now.
    end = b"\n" if before and not before.endswith(b"\n") and after else b""
    assert left == before + end + after
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
    with pytest.raises(Refused, match="are no pair"):
        crontab.with_block(b"# mine\n" + damage, NAMED, OURS)


def test_a_per_cent_sign_is_escaped_and_words_are_quoted() -> None:
    line = crontab.block(installed(folder="/srv/50% of/it's"), "/srv/a b/x.json").decode().splitlines()[2]
    assert line == (
        r"""*/5 * * * * cd '/srv/50\% of/it'"'"'s' && exec /opt/bin/inv scheduled --due '--file=/srv/a b/x.json'"""
    )


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


@pytest.mark.parametrize("text", [b"# mine\r\nA=1\r\n", b"* * * * * tr -d '\\r'\n", b"# \b\\b\n"])
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
    with pytest.raises(StepFailed, match="something else than was written"):
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

"""The local transport: real programs, their codes, their output, and their end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from ops.engine.command import Completed
from ops.infra.transport.local import Local, end

ROOT = Path(__file__).parents[3]
ENV = {"PATH": os.defpath}


def sh(folder: Path, script: str, **options: object) -> Completed:
    return Local().run(["sh", "-c", script], folder=folder, env=ENV, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", -15), ("kill -KILL $$", -9)]
)
def test_the_exit_code_or_the_signal_is_told(tmp_path: Path, script: str, code: int) -> None:
    assert sh(tmp_path, script).exit == code


def test_what_was_printed_is_told_apart(tmp_path: Path) -> None:
    assert sh(tmp_path, "echo out; echo err >&2; printf end") == Completed(0, "out\nend", "err\n")


def test_a_missing_program_is_127(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    for name in ("no-such-program", "/nowhere/program", str(tmp_path / "plain")):
        done = Local().run([name, "word"], folder=tmp_path, env=ENV)
        assert (done.exit, done.err.split(": ")[0]) == (127, name)


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_missing_folder_is_126(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    assert sh(tmp_path / name, "exit 0") == Completed(126, "", f"the folder {tmp_path / name} does not exist")


def test_words_are_read_by_no_shell(tmp_path: Path) -> None:
    words = ["$HOME", "a b", "*", "", "'", "\n"]
    done = Local().run([sys.executable, "-c", "import sys; print(sys.argv[1:])", *words], folder=tmp_path, env=ENV)
    assert done.out == f"{words}\n"


def test_a_program_sees_its_environment_its_folder_and_no_input(tmp_path: Path) -> None:
    done = Local().run(["sh", "-c", "echo $A; pwd; cat; env | grep -c HOME"], folder=tmp_path, env=ENV | {"A": "x y"})
    assert done.out == f"x y\n{tmp_path}\n0\n"


def test_much_output_on_both_streams_does_not_block(tmp_path: Path) -> None:
    done = sh(tmp_path, "head -c 300000 /dev/zero | tr '\\0' x | tee /dev/stderr")
    assert (done.exit, len(done.out), len(done.err)) == (0, 300_000, 300_000)


# --- output ----------------------------------------------------------------------------------------------------------


def test_an_output_file_appears_whole_and_for_its_owner_only(tmp_path: Path) -> None:
    output = tmp_path / "rows"
    done = sh(tmp_path, "seq 20000; test ! -e rows; echo $? >&2", output=output)
    assert done == Completed(0, "", "0\n")
    assert output.read_text().splitlines() == [str(n) for n in range(1, 20001)]
    assert output.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["rows"]


@pytest.mark.parametrize("script", ["echo half; exit 1", "echo half; kill -KILL $$"])
def test_a_failed_program_leaves_no_output_file(tmp_path: Path, script: str) -> None:
    assert sh(tmp_path, script, output=tmp_path / "rows").exit != 0
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("words", "folder"), [(["no-such-program"], "."), (["false"], "."), (["true"], "missing")])
def test_an_earlier_output_file_stays_where_a_program_fails(tmp_path: Path, words: list[str], folder: str) -> None:
    (tmp_path / "rows").write_text("earlier")
    assert Local().run(words, folder=tmp_path / folder, env=ENV, output=tmp_path / "rows").exit != 0
    assert (tmp_path / "rows").read_text() == "earlier"


# --- lines -----------------------------------------------------------------------------------------------------------


def test_each_line_is_told_as_it_comes(tmp_path: Path) -> None:
    told: list[str] = []
    script = r"echo one; printf 'two\r\n'; printf '\377three'; until test -e go; do sleep 0.01; done; echo; echo four"

    def on_line(line: str) -> None:
        told.append(line)
        if line == "two":
            (tmp_path / "go").touch()

    done = sh(tmp_path, script, on_line=on_line)
    assert told == ["one", "two", "\ufffdthree", "four"]
    assert done.out == "one\ntwo\r\n\ufffdthree\nfour\n"


def test_with_an_output_file_only_errors_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    sh(tmp_path, "echo out; echo err >&2", output=tmp_path / "rows", on_line=told.append)
    assert told == ["err"]


# --- end -------------------------------------------------------------------------------------------------------------


def ended(pipe: IO[bytes]) -> bool:
    """Whether everyone who held the other end is gone, at once."""
    return bool(select.select([pipe], [], [], 20)[0]) and pipe.read() == b""


GROUP = """if True:
    import os, signal, sys, time
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for number in map(int, sys.argv[1:]):
        signal.signal(number, signal.SIG_IGN)
    if os.fork():
        print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("ignored", "last"),
    [([], signal.SIGINT), ([signal.SIGINT], signal.SIGTERM), ([signal.SIGINT, signal.SIGTERM], signal.SIGKILL)],
)
def test_a_group_that_ignores_the_gentle_signals_is_ended(
    monkeypatch: pytest.MonkeyPatch, ignored: list[signal.Signals], last: signal.Signals
) -> None:
    grace = (5.0 if not ignored else 0.1, 5.0 if len(ignored) < 2 else 0.1)
    monkeypatch.setattr("ops.infra.transport.local.GRACE", grace)
    words = [sys.executable, "-Sc", GROUP, *(str(int(number)) for number in ignored)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        end(process)
        assert process.returncode == -last
        assert ended(process.stdout)  # its child held the pipe, too


def test_ending_what_has_ended_is_no_error() -> None:
    process = subprocess.Popen(["true"], start_new_session=True)
    process.wait()
    end(process)
    assert process.returncode == 0


def test_an_interrupt_ends_the_program_and_its_children(tmp_path: Path) -> None:
    code = """if True:
        import pathlib, signal, sys
        from ops.infra.transport.local import Local
        signal.signal(signal.SIGINT, signal.default_int_handler)
        Local().run(["sh", "-c", "exec 9> pipe; sleep 60 9>&9 | { echo ready >&9; cat; }"],
                    folder=pathlib.Path(sys.argv[1]), env={"PATH": "/usr/bin:/bin"})
    """
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE) as process:
        with (tmp_path / "pipe").open("rb") as pipe:
            assert pipe.readline() == b"ready\n"
            process.send_signal(signal.SIGINT)
            assert ended(pipe)  # whoever is left would hold it
        assert process.stderr and process.stderr.read().endswith(b"KeyboardInterrupt\n")

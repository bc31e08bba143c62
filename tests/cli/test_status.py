"""What ``inv status`` prints of a run that did not end: a statement a line, and each command alone on its line."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Callable

from tests.conftest import Project


def test_after_a_kill_each_statement_and_each_command_has_a_line(scene: Callable[..., Project]) -> None:
    shop = scene("interrupted")
    lines = shop.inv("status", "--target=shop").out.splitlines()
    (run,) = [line.rsplit(" ", 1)[1] for line in lines if line.startswith("shop: ")]
    begin = next(number for number, line in enumerate(lines) if line.startswith("  state:   "))
    end = next(number for number, line in enumerate(lines) if line.startswith("  stopped: "))
    assert all(line.startswith(" " * 11) for line in lines[begin + 1 : end]) and end - begin > 2, lines
    assert not any("; " in line for line in lines[begin:end]), lines
    assert lines[end].startswith("  stopped: in step ") and lines[end].endswith('"'), lines
    typed = [line for line in lines if line.startswith(("  Try: ", "  or:  "))]
    assert typed[:2] == [f"  Try: inv resume --run={run}", f"  or:  inv undo --run={run}"], lines
    assert lines[lines.index(typed[0]) + 1].startswith("       ")


def test_a_run_that_another_process_executes_is_not_called_interrupted(scene: Callable[..., Project]) -> None:
    shop = scene("interrupted")
    assert "  outcome: interrupted\n" in shop.inv("status").out
    known = shop.folder.glob("backups/shop/runs/*/journal.jsonl")
    (journal,) = (path for path in known if '"procedure": "promote"' in path.read_text().splitlines()[0])
    with journal.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        said, glance = shop.inv("status").out, shop.inv().out
    assert "  outcome: still running on this machine\n" in said and "  running: in step " in said, said
    assert "Try: wait until the run ends" in said and "inv resume" not in said, said
    assert ": still running on this machine, " in glance, glance


def test_the_status_of_a_run_that_ended_imports_no_action() -> None:
    """It answers while somebody waits; importing every feature takes a third of that time."""
    code = "import ops.cli.status; from ops.engine.registry import TOOLS; print(list(TOOLS))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

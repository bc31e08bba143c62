"""Run every tier of the tests, one after the other, and end with what ran and how long each took (hours)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

# Each tier: its name, pytest's words, and what it adds to the environment.
TIERS: tuple[tuple[str, tuple[str, ...], dict[str, str]], ...] = (
    ("default", (), {}),
    ("slow", ("-m", "slow"), {}),
    ("huge", ("-m", "huge", "-n", "1"), {}),
    ("faults, every blow everywhere", ("-m", "faults"), {"OPS_FAULTS": "all"}),
    ("upgrades of well-known applications", ("-m", "upgrades"), {}),
)


@dataclass(frozen=True)
class Ran:
    """How one tier ended."""

    name: str
    code: int
    summary: str
    seconds: float

    @property
    def line(self) -> str:
        """One line of the report."""
        took = timedelta(seconds=round(self.seconds))
        return f"{'passed' if self.code == 0 else 'FAILED':<8}{took!s:>9}  {self.name}: {self.summary}"


def run(name: str, words: Sequence[str], more: dict[str, str]) -> Ran:
    """Run one tier, showing what it prints."""
    print(f"\n=== {name}", flush=True)
    started, summary = time.monotonic(), "it ended without a summary"
    call = [sys.executable, "-m", "pytest", *words]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=os.environ | more) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            if re.search(r"\d+ (passed|failed|error|skipped|deselected).* in [\d.]+s", line):
                summary = line.strip("= \n")
    # A tier without a test on this machine is no failure.
    return Ran(name, 0 if process.returncode == 5 else process.returncode, summary, time.monotonic() - started)


def main() -> int:
    """Run all; 1 where a tier failed."""
    done = [run(*tier) for tier in TIERS]
    print("\n=== all tests")
    print("\n".join(ran.line for ran in done))
    print(f"{timedelta(seconds=round(sum(ran.seconds for ran in done)))} in all")
    return int(any(ran.code for ran in done))


if __name__ == "__main__":
    raise SystemExit(main())

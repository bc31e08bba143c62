"""How much longer `inv --list` takes than the same on an empty tasks.py: side by side, interleaved, medians.

Run: `make bench`. Target: at most 1.3 times.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 15


def seconds(folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "invoke", "--list"], cwd=folder, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        empty = Path(name)
        (empty / "tasks.py").write_text("from invoke import task\n\n\n@task\ndef nothing(c):\n    '''Nothing.'''\n")
        pairs = [(seconds(ROOT), seconds(empty)) for _ in range(ROUNDS + 1)][1:]
    ours, theirs = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"inv --list: {ours * 1000:.0f} ms, empty tasks.py: {theirs * 1000:.0f} ms, ratio {ratio:.2f} (target 1.30)")


if __name__ == "__main__":
    main()

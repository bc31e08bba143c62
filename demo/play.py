"""Play the demo: the incident must be refused, then the safe release is promoted. Run: `make demo`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import reset

# Heading, arguments of `inv`, and the exit code that shows that the tool did its work.
SCENES = (
    (
        "1. The incident: its migration would lose every lesson. The release must be refused with exit code 5.",
        ["release", "--target=lessons-incident", "--confirm=lessons-incident"],
        5,
    ),
    (
        "2. The safe migration: it keeps every lesson. The release must be promoted with exit code 0.",
        ["release", "--target=lessons", "--confirm=lessons"],
        0,
    ),
)
NEXT = """
The demo is done. Continue with:
  source .venv/bin/activate
  inv                                             the state of both targets, and the most used commands
  inv hazards --target=lessons-incident           what the refused migration would do, and how to write it correctly
  inv rollback --target=lessons --backup=latest   roll the release back
  make demo                                       start from the beginning
  make clean                                      stop the demo's server, and remove everything that make demo made
"""


def main() -> None:
    """Run both scenes.

    Raises:
        SystemExit: a release did not end as it must.
    """
    reset.main()
    inv = Path(sys.executable).with_name("inv")
    for heading, words, wanted in SCENES:
        print(f"\n{heading}\n\n$ inv {' '.join(words)}", flush=True)
        code = subprocess.run([inv, *words], cwd=reset.ROOT).returncode
        print(f"$ echo $?\n{code}", flush=True)
        if code != wanted:
            sys.exit(f"The demo failed: exit code {code}, and {wanted} was expected.")
    print(NEXT)


if __name__ == "__main__":
    main()

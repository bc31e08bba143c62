"""The probe's program: it runs inside the application, as the one argument of its ``manage.py shell -c``.

It needs nothing there but Django (3.2 or newer, on Python 3.8 or newer), only reads, and prints one line of JSON behind
a mark. What can't be described is left out, never guessed. Nothing of it is imported here: the parts are text, joined.
"""

from __future__ import annotations

import re
from pathlib import Path

PARTS = ("state", "change", "code", "walk")


def program() -> str:
    """The parts as one program, without the imports among them."""
    texts = [Path(__file__).with_name(f"{part}.py").read_text(encoding="utf-8") for part in PARTS]
    return re.sub(r"^from ops\.inside\.\w+ import .*\n", "", "\n".join(texts), flags=re.MULTILINE)

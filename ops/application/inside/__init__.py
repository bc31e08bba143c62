"""Programs that run inside the application, each as the one argument of its ``manage.py shell -c``.

They need nothing there but Django (4.2 or newer, on Python 3.8 or newer), only read, and print lines of JSON, each
behind a mark. What can't be described is left out, never guessed. Nothing of it is imported here: the parts are text,
joined. Begin with ``state``, then ``walk``.
"""

from __future__ import annotations

import re
from pathlib import Path

PROBE = ("comments", "state", "change", "code", "aliases", "walk", "sql")
MIGRATE = ("migrate",)
RENAME = ("rename", "rename_copy")


def program(parts: tuple[str, ...]) -> str:
    """The parts as one program, without the imports among them."""
    texts = [Path(__file__).with_name(f"{part}.py").read_text(encoding="utf-8") for part in parts]
    ours = rf"^from {re.escape(__name__)}\.\w+ import (\([^)]*\)|.*)\n"
    return re.sub(ours, "", "\n".join(texts), flags=re.MULTILINE)

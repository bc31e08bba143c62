"""Programs that run inside the application, each as the argument of ``manage.py shell -c``.

They require Django 4.2 and Python 3.8, or newer, and print lines of JSON, each after a mark. ``PROBE`` and ``RENAME``
are read-only. A property that cannot be determined is omitted, never guessed. The modules are joined as text and not
imported. Begin with ``state``, then ``walk``.
"""

from __future__ import annotations

import re
from pathlib import Path

PROBE = ("clock", "comments", "state", "change", "code", "aliases", "variable_reads", "walk", "sql")
MIGRATE = ("migrate",)
RENAME = ("rename", "rename_copy")


def program(parts: tuple[str, ...]) -> str:
    """Join modules to one program, without the imports among them."""
    texts = [Path(__file__).with_name(f"{part}.py").read_text(encoding="utf-8") for part in parts]
    ours = rf"^from {re.escape(__name__)}\.\w+ import (\([^)]*\)|.*)\n"
    return re.sub(ours, "", "\n".join(texts), flags=re.MULTILINE)

"""Read the file of environment variables that ``schedule: {environment: FILE}`` names."""

from __future__ import annotations

import re
from pathlib import Path

from ops.core.errors import UsageError
from ops.core.permissions import secret_file
from ops.engine.command import quote

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MOST = 64 * 1024


def variables(path: Path) -> dict[str, str]:
    """Return the variables of the file, which has lines ``NAME=VALUE``.

    Empty lines and lines that begin with ``#`` are skipped. Quotes around a value are removed. There is no other
    syntax.

    Raises:
        UsageError: the file is missing, others can read it, or a line is malformed. The message quotes no line.
    """
    secret_file(path, "schedule: environment")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        hint = f"touch {quote(str(path))}; chmod 600 {quote(str(path))}   and write one line NAME=VALUE per variable"
        raise UsageError(f"{path}: {said}", hint) from None
    if len(text) > MOST:
        raise UsageError(f"{path}: is larger than {MOST} bytes", "write lines NAME=VALUE only")
    found = {}
    for number, line in enumerate(re.split(r"\r?\n", text), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not NAME.fullmatch(name) or "\0" in value or "\r" in value:
            raise UsageError(f"{path}:{number}: is not a line NAME=VALUE", "NAME=VALUE, without `export` or spaces")
        found[name] = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    return found

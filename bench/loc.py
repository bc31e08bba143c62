"""How many lines each package of `ops` has: code, docstrings and comments, blank, all. Run: `make loc`."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from pathlib import Path

OPS = Path(__file__).resolve().parent.parent / "ops"
KINDS = ("code", "text", "blank")


def lines(source: str) -> Counter[str]:
    """Count the lines of a module: ``code``, ``text`` (docstrings and comments that stand alone), ``blank``."""
    found = dict.fromkeys(range(1, len(source.splitlines()) + 1), "code")
    for number, line in enumerate(source.splitlines(), 1):
        if not line.strip():
            found[number] = "blank"
        elif line.lstrip().startswith("#"):
            found[number] = "text"
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING:  # A '#' or a blank line within a string is no comment.
            found.update(dict.fromkeys(range(token.start[0], token.end[0] + 1), "code"))
    for node in ast.walk(ast.parse(source)):
        owner = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        if owner and ast.get_docstring(node) is not None:
            found.update(dict.fromkeys(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1), "text"))
    return Counter(found.values())


def main() -> None:
    """Print a line a package, and the sum."""
    packages: dict[str, Counter[str]] = {}
    for file in sorted(OPS.rglob("*.py")):
        parts = file.relative_to(OPS).parts
        name = "/".join(parts[: 2 if parts[0] == "infra" and len(parts) > 2 else 1]) if len(parts) > 1 else "(ops)"
        packages.setdefault(name, Counter()).update(lines(file.read_text("utf-8")), files=1)
    packages["sum"] = sum(packages.values(), Counter())
    print(f"{'package':20}{'files':>7}{'code':>8}{'text':>8}{'blank':>8}{'all':>8}")
    for name, count in packages.items():
        row = [count["files"], *(count[kind] for kind in KINDS), sum(count[kind] for kind in KINDS)]
        print(f"{name:20}{row[0]:>7}" + "".join(f"{number:>8,}" for number in row[1:]))


if __name__ == "__main__":
    main()

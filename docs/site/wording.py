"""Check the wording of the pages by the rules of ``styles/``.

    python docs/site/wording.py [FILE …]    print each finding as FILE:LINE; exit 5 if there is one

The rules are YAML in vale's format. vale itself is not used: its packages on PyPI and npm contain no program, they
download it from another host. Code, HTML comments and addresses are not checked.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = [yaml.safe_load(path.read_text("utf-8")) for path in sorted(Path(__file__).parent.glob("styles/*/*.yml"))]
ENGLISH = ("*.md", "demo/*.md", "docs/**/*.md", "runbooks/*.md")
OTHERS = {"README.de.md", "schnellstart.md", "CODE_OF_CONDUCT.md"}
HIDDEN = re.compile(
    r"^```.*?^```|<!-- generated: .*?<!-- end -->|<!--.*?-->|(`+)(?:(?!\1).)+?\1|\]\([^)]*\)|https?://\S+", re.M | re.S
)
SENTENCE = re.compile(r"(?:[^.!?|\n]|[.!?](?!\s)|\n(?!\s*(?:\n|[-*#|>]|\d+\.)))+")


def findings(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the message of each finding in a page."""
    prose = HIDDEN.sub(lambda found: re.sub(r"[^\n]", "\0" if found[1] else " ", found[0]), text)
    for rule in RULES:
        if rule["extends"] == "occurrence":
            found = [one for one in SENTENCE.finditer(prose) if len(re.findall(rule["token"], one[0])) > rule["max"]]
            yield from ((_line(prose, one.end()), rule["message"]) for one in found)
        for pattern, better in (rule.get("swap") or dict.fromkeys(rule.get("tokens", ()))).items():
            for one in re.finditer(rf"\b(?:{pattern})\b", prose, re.IGNORECASE):
                yield _line(prose, one.start()), rule["message"] % ((better, one[0]) if better else one[0])


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def main(names: list[str]) -> int:
    """Print the findings of some pages, or of all; return the exit code."""
    pages = [Path(name).resolve() for name in names] or sorted(page for one in ENGLISH for page in ROOT.glob(one))
    lines = []
    for page in pages:
        if page.name not in OTHERS:
            found = sorted(findings(page.read_text("utf-8")))
            lines += [f"{page.relative_to(ROOT)}:{line}: {message}" for line, message in found]
    print("\n".join(lines) or "Wording: no findings")
    return 5 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

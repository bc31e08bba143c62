"""Write the generated parts of the pages from the commands, keys, checks, hazards and masks in the code.

    python docs/site/reference.py            write the generated parts
    python docs/site/reference.py --check    change nothing; exit 5 if a page differs from what would be written

The parts of ``docs/explanation/performance.md`` and its chart are of the measurements in ``bench/results/``.
A generated part is between ``<!-- generated: NAME -->`` and ``<!-- end -->``. People write the rest of a page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from commands import commands, tools  # noqa: E402
from keys import keys  # noqa: E402
from measurements import CHART, MEASURED, chart  # noqa: E402
from tables import code, prose, sentence, table, words  # noqa: E402

from ops.core import errors  # noqa: E402
from ops.defang.masks import MASKS  # noqa: E402
from ops.defang.patterns import PATTERNS  # noqa: E402
from ops.defang.rules import RULES  # noqa: E402
from ops.doctor.catalog import checks  # noqa: E402
from ops.doctor.check import Check  # noqa: E402
from ops.procedures.catalog import PROCEDURES  # noqa: E402
from ops.release.certificate_validity import NAMES  # noqa: E402
from ops.release.hazards.locks import LINTS  # noqa: E402
from ops.release.hazards.rule import LEVELS  # noqa: E402
from ops.release.hazards.scan import rules  # noqa: E402

PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def production_checks() -> str:
    """Render the checks of a production target."""
    return _checks([*checks("production"), *(one for one in checks("trial") if one.of == ("trial",))])


def test_checks() -> str:
    """Render the checks that apply to test targets only."""
    return _checks(one for one in checks("test") if one.of == ("test",))


def _checks(found: Iterable[Check]) -> str:
    rows = [(code(one.name), prose(_right(one.why)), ", ".join(map(code, one.after))) for one in found]
    return table(("check", "passes if", "after"), rows)


def _right(why: str) -> str:
    text = why.removeprefix("Check that ")
    return text[:1].upper() + text[1:]


def hazards() -> str:
    """Render every hazard by its code: what it does, why it matters, and the correction."""
    found = [(one.code, one.level, one.what, one.why, one.how) for one in rules().values()]
    found += [(one.code, one.level, one.what, "", one.how) for one in LINTS.values()]
    assert {level for _, level, *_ in found} <= set(LEVELS)
    return "\n".join(_hazard(*one) for one in sorted(found))


def _hazard(name: str, level: str, what: str, why: str, how: str) -> str:
    if what.startswith("{") and what.endswith("}") and what.count("{") == 1:
        what, _, why = why.partition(". ")
    parts = [f"## {name}", f"**{level}**: {sentence(what)}.", prose(why), "```text\n" + words(how) + "\n```"]
    return "\n\n".join(part for part in parts if part) + "\n"


def masks() -> str:
    """Render every mask."""
    return table(("mask", "makes"), [(code(name), prose(one.does)) for name, one in MASKS.items()])


def defang_rules() -> str:
    """Render every rule, with its tables and columns."""
    rows = [(code(name), prose(one.what), prose(one.why)) for name, one in RULES.items()]
    return table(("rule", "does", "reason"), rows)


def patterns() -> str:
    """Render the patterns that the gate regards as personal data."""
    found: dict[str, list[str]] = {}
    for one in PATTERNS:
        found.setdefault(one.what, []).extend(one.masks[:1])
    return table(("looks like", "drafted mask"), [(what, ", ".join(map(code, of))) for what, of in found.items()])


def exit_codes() -> str:
    """Render the exit codes from the tree in the docstring of ``ops.core.errors``."""
    found = re.findall(r"^\W*(\w+) +(\d+) +(.+)$", errors.__doc__ or "", re.MULTILINE)
    meant: dict[int, list[str]] = {}
    for name, number, text in found:
        assert getattr(errors, name).exit_code == int(number), name
        meant.setdefault(int(number), []).append(text)
    rows = [("`0`", "done, or nothing to do", "")]
    rows += [(code(str(one)), prose(texts[0]), prose("; ".join(texts[1:]))) for one, texts in sorted(meant.items())]
    return table(("exit code", "means", "includes"), rows)


def certificate() -> str:
    """Render what a certificate is bound to."""
    return "\n".join(f"- {prose(name)}" for name in NAMES.values())


def runbooks() -> str:
    """Render the list of the procedures' pages."""
    rows = []
    for name, one in sorted(PROCEDURES.items()):
        first = one.purpose.split(". ")[0].rstrip(".") + "."
        rows.append((f"[{one.title}](../../runbooks/{name}.md)", code(one.task), prose(first)))
    return table(("page", "task", "purpose"), rows)


CHECKS, DEFANG = (production_checks, test_checks), (masks, defang_rules, patterns)
GENERATED = (commands, tools, keys, *CHECKS, hazards, *DEFANG, exit_codes, certificate, runbooks, *MEASURED)
PARTS: dict[str, Callable[[], str]] = {one.__name__.replace("_", "-"): one for one in GENERATED}


def render(text: str) -> str:
    """Return a page with its generated parts renewed.

    Raises:
        KeyError: no function generates a part of the page.
    """
    return PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]().strip()}\n\n{found[3]}", text)


def pages() -> list[Path]:
    """Return all pages of ``docs/``."""
    return sorted((ROOT / "docs").rglob("*.md"))


def main(words: list[str]) -> int:
    """Write the pages, or with ``--check`` only list those that have drifted; return the exit code."""
    texts = {page: page.read_text("utf-8") for page in pages()}
    rendered = {page: render(text) for page, text in texts.items()} | {CHART: chart()}
    drifted = [page for page, text in rendered.items() if not page.exists() or page.read_text("utf-8") != text]
    for page in drifted:
        print(f"{page.relative_to(ROOT)}: differs from the code" if "--check" in words else page.relative_to(ROOT))
        if "--check" not in words:
            page.write_text(rendered[page], "utf-8")
    if drifted and "--check" in words:
        print("Try: make reference")
    return errors.DIFFERS if drifted and "--check" in words else errors.DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The generated parts of the reference are what the code says; where they have drifted: ``make reference``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ops.cli.json_output import CHATTER

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference"


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program that writes them."""
    monkeypatch.syspath_prepend(str(ROOT / "docs/site"))
    import reference as found

    return found


def test_no_page_has_drifted(reference: ModuleType) -> None:
    texts = {page.name: page.read_text("utf-8") for page in reference.pages()}
    drifted = [name for name, text in texts.items() if reference.render(text) != text]
    assert drifted == [], "make reference writes them"


def test_every_part_stands_on_one_page(reference: ModuleType) -> None:
    found = [name for page in reference.pages() for _, name, _ in reference.PART.findall(page.read_text("utf-8"))]
    assert sorted(found) == sorted(reference.PARTS)


def test_a_page_that_was_edited_is_drift(reference: ModuleType) -> None:
    text = (REFERENCE / "checks.md").read_text("utf-8")
    assert reference.render(text.replace("| `clock` |", "| `clok` |")) == text


def test_a_key_without_a_text_is_named(reference: ModuleType) -> None:
    from keys import texts_of

    from ops.inventory.fields import Keep

    class Other(Keep):
        weeks: int = 3

    with pytest.raises(LookupError, match="Other: no text below .*weeks"):
        texts_of(Other)


def test_the_program_names_what_has_drifted() -> None:
    words = [sys.executable, "docs/site/reference.py", "--check"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_event_stands_on_the_page_of_json() -> None:
    text = (REFERENCE / "json.md").read_text("utf-8")
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "ops").rglob("*.py"))
    events = set(re.findall(r'"event": ?"([\w-]+)"', code)) - CHATTER
    assert len(events) > 10
    assert {name for name in events if f'"event":"{name}"' not in text and f'|"{name}"' not in text} == set()

"""The German pages have the code of the English ones, and each section was translated from the English text of today.

Under each German heading a comment holds the digest of the English section's prose. Where the English text changes, the
test names the section and its new digest: translate what changed, then write the digest.
"""

from __future__ import annotations

import hashlib
import re

import pytest

from tests.support.project import ROOT

PAIRS = [("README.md", "README.de.md"), ("docs/tutorial/first-release.md", "docs/tutorial/schnellstart.md")]
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"^<!-- english: (\w{12}) -->$", re.MULTILINE)


def sections(text: str) -> list[str]:
    """Split a page before its headings of the first and second level."""
    hidden = BLOCK.sub(lambda found: found[0].replace("\n#", "\n\0"), text)
    return [part.replace("\0", "#") for part in re.split(r"^(?=##? )", hidden, flags=re.MULTILINE) if part.strip()]


def digest(section: str) -> str:
    return hashlib.sha256(" ".join(BLOCK.sub("", section).split()).encode()).hexdigest()[:12]


def outdated(english: str, german: str) -> list[str]:
    """The first lines of the English sections whose German text was made from another one."""
    found = []
    for new, old in zip(sections(english), sections(german), strict=True):
        mark = MARK.search(old)
        if mark is None or mark[1] != digest(new):
            found.append(f"{new.splitlines()[0]} <!-- english: {digest(new)} -->")
    return found


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize(("english", "german"), PAIRS)
def test_the_code_is_that_of_the_english_page(english: str, german: str) -> None:
    for new, old in zip(sections(read(english)), sections(read(german)), strict=True):
        assert BLOCK.findall(old) == BLOCK.findall(new), f"{german}: {old.splitlines()[0]}"


@pytest.mark.parametrize(("english", "german"), PAIRS)
def test_no_section_changed_since_its_translation(english: str, german: str) -> None:
    assert outdated(read(english), read(german)) == [], f"translate these sections of {english} anew in {german}"


def test_a_changed_sentence_is_reported_and_changed_code_is_not() -> None:
    english = "# A\n\nOne.\n\n## B\n\nTwo.\n\n```bash\n# no heading\ninv\n```\n"
    a, b = map(digest, sections(english))
    german = f"# A\n<!-- english: {a} -->\n\n## B\n<!-- english: {b} -->\n"
    assert outdated(english, german) == [] == outdated(english.replace("inv", "inv status"), german)
    assert [line[:4] for line in outdated(english.replace("Two.", "Three."), german)] == ["## B"]
    assert [line[:3] for line in outdated(english, german.replace("<!-- english", "<!-- eng", 1))] == ["# A"]

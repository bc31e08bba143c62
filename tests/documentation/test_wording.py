"""The rules of the pages' wording find what they are for, and nothing in code."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.documentation.pages import ROOT

BAD = {
    "The way back is tried.": "Write 'rollback, recovery' instead of 'The way back'.",
    "Nothing was kept.": "Write 'retained, stored, held' instead of 'kept'.",
    "There is no room on the disk.": "Write 'disk space' instead of 'room'.",
    "Take a back-up.": "Use the term 'backup' instead of 'back-up'.",
    "It simply works.": "Leave out 'simply', or state the fact.",
    "One, " + "and then " * 20 + "two.": "More than 40 words in a sentence.",
}


@pytest.fixture
def wording(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "docs/site"))
    import wording as found

    return found


@pytest.mark.parametrize("sentence", BAD)
def test_a_bad_sentence_is_found_in_its_line(sentence: str, wording: ModuleType) -> None:
    assert list(wording.findings(f"# A page\n\n{sentence}\n")) == [(3, BAD[sentence])]


def test_code_and_the_terms_are_not_found(wording: ModuleType) -> None:
    page = "`inv status` lists a kept database ([roll back](way-back.md)).\n\n```text\nthe way back\n```\n"
    assert list(wording.findings(page)) == []


def test_the_program_names_the_file_and_the_line(
    wording: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wording, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("# A page\n\nNobody was told.\n", "utf-8")
    assert wording.main([str(page)]) == 5
    assert "page.md:3: Write 'reported, reports, states' instead of 'told'." in capsys.readouterr().out

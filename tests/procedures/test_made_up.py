"""A contributor adds a procedure in one file: catalog, plan, page, run, resume and undo know it by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops import procedures
from ops.cli.options import Options, open_session
from ops.cli.run import again, start
from ops.cli.runbooks import pages
from ops.core.errors import UsageError
from ops.engine import journal
from ops.procedures import catalog
from tests.support.invoked import apart
from tests.support.project import Project

MADE_UP = Path(__file__).parent / "made_up"
Make = Callable[..., Project]


@pytest.fixture
def shop(scene: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project, with the made-up definition in the folder of all others; inside its folder and environment."""
    monkeypatch.setattr(procedures, "__path__", [*procedures.__path__, str(MADE_UP)])
    for name, procedure in catalog.find_procedures().items():
        monkeypatch.setitem(catalog.PROCEDURES, name, procedure)
    found = scene("filled")
    with apart(found.folder, found.env, ["inv"]):
        yield found


def test_the_catalog_finds_every_definition_that_declares_needs(shop: Project) -> None:
    assert {
        "note-version",
        "release",
        "backup-pgbackrest",
    } <= catalog.PROCEDURES.keys() and "clone" not in catalog.PROCEDURES
    assert catalog.procedure_of("note-version", "pg_dump").title == "Note which version production has"
    with pytest.raises(UsageError) as caught:
        catalog.procedure_of("note-versions", "pg_dump")
    assert caught.value.hint == "inv plan --procedure=note-version"


def test_it_has_a_page_and_a_plan(shop: Project, capsys: pytest.CaptureFixture[str]) -> None:
    page = pages(open_session(Options()), "shop")["note-version.md"]
    assert "# Note which version production has" in page and '"database=${DATABASE}"' in page
    assert "identity.sql" in page and "inv note-version" in page
    assert start("note-version", Options(plan=True)) == 0
    told = capsys.readouterr().out
    assert "shop: Note which version production has" in told and "done  What was written down names" in told
    assert not list(shop.folder.glob("backups/shop/runs/*"))


def test_it_runs_and_is_taken_back(shop: Project) -> None:
    assert start("note-version", Options(reason="an upgrade")) == 0
    (state,) = journal.runs(shop.folder / "backups/shop")
    written = shop.folder / "backups/shop/runs" / state.run / "version.jsonl"
    assert state.finished and shop.production.rsplit("/", 1)[1] in written.read_text()
    assert again(Options(), state.run, undo=True) == 0
    assert not written.exists() and journal.runs(shop.folder / "backups/shop")[0].undone

"""Each file that a page outside of the site, or a text of the code, points to is there; the site has `make lint`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [path for folder in (".", "demo", "runbooks", ".github") for path in (ROOT / folder).glob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_each_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s#]+)[^)\s]*\)|(?:src|href)=\"([^\"#]+)", page.read_text("utf-8"))
    local = {one or other for one, other in links if not re.match(r"[a-z]+:", one or other)}
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_each_page_that_a_text_names_is_there() -> None:
    files = [path for path in (ROOT / "ops").rglob("*") if path.suffix in (".py", ".sql", ".sh", ".j2", ".toml")]
    texts = "\n".join(path.read_text("utf-8") for path in [*files, ROOT / "inventory.yaml"])
    named = set(re.findall(r"docs/[\w/-]+\.(?:md|yaml)", texts))
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []

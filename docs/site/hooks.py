"""Hooks of mkdocs: add pages from outside ``docs/``, and convert links to files outside ``docs/``.

The pages are read in the repository and on the site. A link to a file that is not a page of the site, such as a module
of ``ops/``, becomes plain text on the site. A link to a missing file is not changed, so that ``mkdocs build --strict``
reports it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = sorted(path.name for path in (ROOT / "runbooks").glob("*.md"))
# The file in the repository, by the page of the site.
OUTSIDE = {
    "changelog.md": "CHANGELOG.md",
    "contributing/index.md": "CONTRIBUTING.md",
    **{f"runbooks/{name}": f"runbooks/{name}" for name in RUNBOOKS},
}
PAGES = {file: page for page, file in OUTSIDE.items()}
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])+)\]\(([^)\s]+)\)")


def on_config(config: MkDocsConfig) -> None:
    """Replace ``runbooks/`` in the navigation by the runbooks."""
    config.nav = _with_runbooks(config.nav)


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages from outside ``docs/``."""
    for page, file in OUTSIDE.items():
        # mkdocs finds a title only if the page begins with the title.
        text = re.sub(r"\A<!--.*?-->\n", "", (ROOT / file).read_text("utf-8"))
        files.append(File.generated(config, page, content=text))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Convert links between files of the repository to links between pages of the site."""
    here = page.file.src_uri
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else LINK.sub(lambda m: _link(m, here), part) for part in parts)


def _link(found: re.Match[str], here: str) -> str:
    text, address = found.groups()
    path, _, anchor = address.partition("#")
    if not path or re.match(r"[a-z]+:", path):
        return found[0]
    file = posixpath.normpath(posixpath.join(posixpath.dirname(OUTSIDE.get(here, f"docs/{here}")), path))
    page = PAGES.get(file) or (file.removeprefix("docs/") if file.startswith("docs/") else "")
    if page:
        return f"[{text}]({posixpath.relpath(page, posixpath.dirname(here))}{'#' + anchor if anchor else ''})"
    return text if (ROOT / file).exists() else found[0]


def _with_runbooks(nav: Any) -> Any:
    if isinstance(nav, list):
        return [_with_runbooks(one) for one in nav]
    if isinstance(nav, dict):
        return {title: _with_runbooks(one) for title, one in nav.items()}
    return [f"runbooks/{name}" for name in RUNBOOKS] if nav == "runbooks/" else nav

"""The built site loads nothing from another host: no font, script, picture or counter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ELSEWHERE = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
# What of a page is loaded; an `a` is only followed by a person.
LOADED = {"script", "link", "img", "iframe", "source", "video", "audio", "object", "embed", "use", "image", "form"}
ADDRESSES = {"src", "href", "data", "action", "poster", "srcset", "xlink:href", "formaction"}
# What the theme's own script could ask for, and what a page would need for that. No page has it.
DORMANT = {
    "https://api.github.com/repos/": 'data-md-component="source"',
    "https://api.github.com/users/": 'data-md-component="source"',
    "https://unpkg.com/mermaid@11/dist/mermaid.min.js": 'class="mermaid"',
}
# Loaded by a browser without ResizeObserver, which none has been since 2020.
NEVER = {"https://unpkg.com/resize-observer-polyfill"}
# Comments that name the author of a part.
AUTHORS = {"https://clipboardjs.com/", "http://lunrjs.com", "https://bit.ly/2s3ChXG", "http://tartarus.org/"}


class Loads(HTMLParser):
    """Collects what a page loads from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in LOADED:
            given = [value or "" for name, value in attrs if name in ADDRESSES]
            self.found += [f"{tag} {value}" for value in given if ELSEWHERE.match(value)]
        self.found += styles(" ".join(value or "" for name, value in attrs if name == "style"))


def styles(text: str) -> list[str]:
    """What a style sheet loads from elsewhere; what stands in a `data:` address is loaded from nowhere."""
    urls = re.findall(r"url\(\s*['\"]?([^'\")]+)", text) + re.findall(r"@import\s+['\"]([^'\"]+)", text)
    return [f"style {url}" for url in urls if ELSEWHERE.match(url)]


def loads(text: str) -> list[str]:
    page = Loads()
    page.feed(text)
    inner = "\n".join(re.findall(r"<style[^>]*>(.*?)</style>", text, re.DOTALL))
    return page.found + styles(inner)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as ``make lint`` builds it."""
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    texts = {page.relative_to(site).as_posix(): page.read_text("utf-8") for page in site.rglob("*.html")}
    assert len(texts) > 50
    assert {name: found for name, text in texts.items() if (found := loads(text))} == {}
    sheets = [*site.rglob("*.css"), *site.rglob("*.svg")]
    assert len(sheets) > 3
    assert {sheet.name: found for sheet in sheets if (found := styles(sheet.read_text("utf-8")))} == {}


def test_what_the_script_could_ask_for_is_known_and_never_asked_for(site: Path) -> None:
    scripts = "\n".join(path.read_text("utf-8") for path in site.rglob("*.js") if "lunr" not in path.parts)
    assert set(re.findall(r"https?://[\w./@-]*[\w/]", scripts)) <= {*DORMANT, *NEVER, *AUTHORS}
    pages = "\n".join(page.read_text("utf-8") for page in site.rglob("*.html"))
    assert [needs for needs in DORMANT.values() if needs in pages] == []


def test_what_loads_from_elsewhere_is_seen() -> None:
    assert loads('<link href="https://fonts.example/a.css" rel="stylesheet">') == ["link https://fonts.example/a.css"]
    assert loads('<img src="//cdn.example/a.png"><a href="https://example.com">x</a>') == ["img //cdn.example/a.png"]
    assert loads("<style>@import 'https://x.example/a.css';</style>") == ["style https://x.example/a.css"]
    assert styles("a{background:url(https://x.example/a.png)} b{background:url('data:image/svg+xml,http://w')}") == [
        "style https://x.example/a.png"
    ]


def test_every_procedure_has_its_page_on_the_site(site: Path) -> None:
    text = (site / "runbooks/release.html").read_text("utf-8")
    steps = (ROOT / "runbooks/release.md").read_text("utf-8").count("\n## ")
    assert "```" not in text and text.count("<h2") == steps
    named = {path.stem for path in (ROOT / "runbooks").glob("*.md")}
    assert {path.stem for path in (site / "runbooks").glob("*.html")} == named

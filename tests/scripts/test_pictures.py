"""The pictures of README.md and the tutorials show the steps of the definitions; the pictures ask no other host."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ops.cli import all_actions as _all_actions  # noqa: F401  (the definitions name them)
from ops.cli.options import Options, open_session
from ops.engine.plan import make_plan
from ops.procedures.catalog import PROCEDURES
from ops.procedures.planning.bind import bind
from ops.procedures.planning.page_inputs import Page
from tests.support.project import ROOT

PICTURES = sorted((ROOT / "docs/pictures").glob("*.svg"))
TUTORIALS = sorted((ROOT / "docs/tutorial").glob("*.md"))
STEP = re.compile(r"\[ *(\d+)/(\d+)\] [✓✗] (?:refused: )?(.+?)  [\d.]+ (?:s|min|h)")


def lines(picture: Path) -> list[str]:
    """The lines of a picture, from top to bottom."""
    rows: dict[float, str] = defaultdict(str)
    for text in ElementTree.parse(picture).getroot().iter("{http://www.w3.org/2000/svg}text"):
        if "clip-path" in text.attrib:
            said = "".join(text.itertext()).replace("\xa0", " ")
            column = round(float(text.attrib["x"]) / (float(text.attrib["textLength"]) / len(said)))
            y = float(text.attrib["y"])
            rows[y] = rows[y].ljust(column) + said  # rich draws no text for blanks alone.
    return [rows[y].rstrip() for y in sorted(rows)]


def planned() -> list[str]:
    """The titles of the steps of the demo's release, whose migrations draw no values."""
    procedure = PROCEDURES["release"]
    c = bind(Page(open_session(Options(inventory=str(ROOT / "inventory.yaml"))), "lessons"), procedure)
    c = c.model_copy(update={"release": c.release.model_copy(update={"draws": False})})
    return [step.step.title for step in make_plan(procedure, c).steps]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_a_picture_shows_the_steps_of_today(picture: Path) -> None:
    """Where it fails: `make pictures`."""
    titles = planned()
    shown = [found.groups() for line in lines(picture) if (found := STEP.match(line))]
    assert shown == [(number, str(len(titles)), titles[int(number) - 1]) for number, _, _ in shown]
    assert len(shown) == (len(titles) if picture.stem == "release" else 2)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_shows_the_steps_of_today(page: Path) -> None:
    titles = planned()
    blocks = re.findall(r"^\$ inv release .*?(?=^\$ |^```$)", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    shown = [found.groups() for block in blocks for line in block.splitlines() if (found := STEP.match(line))]
    assert shown == [(number, str(len(titles)), titles[int(number) - 1]) for number, _, _ in shown] != []


def test_the_pictures_show_how_each_release_ends() -> None:
    ends = {picture.stem: lines(picture)[-2:] for picture in PICTURES}
    assert ends == {"refusal": ["$ echo $?", "5"], "release": ["$ echo $?", "0"]}


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_a_picture_asks_no_other_host(picture: Path) -> None:
    text = picture.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"://|@import|@font-face|<script|<image|href|url\((?!#)", text)

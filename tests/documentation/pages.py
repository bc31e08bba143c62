"""The pages as a reader has them: their blocks, the commands in them, and the messages that they quote."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A command of a block, and the lines that the page shows as its output."""

    text: str
    output: tuple[str, ...] = ()


def pages(*folders: str) -> list[Path]:
    """The pages of some folders."""
    return sorted(path for folder in folders for path in (DOCS / folder).glob("*.md"))


def commands(page: Path) -> Iterator[Command]:
    """The commands of a page's blocks for a shell, in their order; a `console` block has their output, too."""
    for block in blocks(page):
        yield from block


def blocks(page: Path) -> Iterator[list[Command]]:
    """The commands of each block for a shell."""
    for kind, body in BLOCK.findall(page.read_text("utf-8")):
        if kind == "console":
            parts = [part.splitlines() for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]]
            yield [Command(first, tuple(output)) for first, *output in parts]
        if kind == "bash":
            yield [Command(line) for line in body.splitlines() if line.strip() and not line.startswith("#")]


def calls(page: Path) -> Iterator[list[str]]:
    """The words of each call of ``inv`` on a page, also of those in its prose."""
    text = BLOCK.sub("", page.read_text("utf-8"))
    told = (command.text for command in commands(page))
    for line in (*told, *re.findall(r"`(inv [^`\n]+)`", text)):
        for part in re.split(r" && |; |   ", re.sub(r"\s#.*", "", line)):
            if found := re.search(r"(?:^|[(\s])(inv [^)]*)", part):
                yield shlex.split(found[1].replace("…", "X"))[1:]


def quoted(page: Path) -> Iterator[str]:
    """The messages that a page's headings quote."""
    for heading in re.findall(r"^#{2,4} (.*`.*)$", page.read_text("utf-8"), re.MULTILINE):
        yield from (text.strip() for _, text in re.findall(r"(`+)((?:(?!\1).)+)\1", heading))

"""Render tables, code and prose of the reference as Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence


def code(text: str) -> str:
    """Render a word as code; return an empty text for an empty word."""
    return f"`{text}`" if text else ""


def prose(text: str) -> str:
    """Render a docstring as one line of Markdown: double backticks become code, and HTML is escaped."""
    text = " ".join(text.replace("``", "`").split())
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;").replace("*", r"\*") for part in parts)


NAMES = {"rows": "N", "words": "OPERATION"}
PLACEHOLDER = re.compile(r"\{(\w+)[^}]*\}")


def sentence(text: str) -> str:
    """Render a hazard's text as one line. Omit a placeholder behind a word; replace other placeholders by words."""
    return prose(words(re.sub(r"(?<=[\w}])\{\w+\}", "", text)))


def words(text: str) -> str:
    """Replace the placeholders of a text by words in capitals, and a line that is only a placeholder by a note."""
    text = re.sub(r"(?<=\.)\{\w+\}$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^\{\w+\}$", "(the report has it for your models)", text.strip("\n"), flags=re.MULTILINE)
    lines = [line if line.startswith(" ") else textwrap.fill(line, 84) for line in text.splitlines()]
    text = "\n".join(lines)
    return PLACEHOLDER.sub(lambda found: NAMES.get(found[1], found[1].upper()), text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Render a table. Bars in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines) + "\n"

"""Markdown of the reference: tables, code and prose."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence


def code(text: str) -> str:
    """Return a word as code; empty where there is none."""
    return f"`{text}`" if text else ""


def prose(text: str) -> str:
    """Return a docstring's text as a line of Markdown: double backticks are code, and nothing is HTML."""
    text = " ".join(text.replace("``", "`").split())
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;").replace("*", r"\*") for part in parts)


NAMES = {"rows": "N", "words": "OPERATION"}
PLACEHOLDER = re.compile(r"\{(\w+)[^}]*\}")


def sentence(text: str) -> str:
    """Return a hazard's text as a line. What it may add behind a word is left out; another placeholder is a word."""
    return prose(words(re.sub(r"(?<=[\w}])\{\w+\}", "", text)))


def words(text: str) -> str:
    """Return a text whose placeholders are words in capitals; a line that is nothing else comes with the report."""
    text = re.sub(r"(?<=\.)\{\w+\}$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^\{\w+\}$", "(the report has it for your models)", text.strip("\n"), flags=re.MULTILINE)
    lines = [line if line.startswith(" ") else textwrap.fill(line, 84) for line in text.splitlines()]
    text = "\n".join(lines)
    return PLACEHOLDER.sub(lambda found: NAMES.get(found[1], found[1].upper()), text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table. A bar in a cell would end it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines) + "\n"

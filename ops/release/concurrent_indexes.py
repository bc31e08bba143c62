"""Find the indexes that migrations build concurrently, by the statements that the probe reports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_NAME = r'((?:"(?:[^"]|"")+"|[\w$]+)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\w$]+))?)'
_CREATES = re.compile(rf"CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}\s+ON\b", re.I)
_ONLY_INDEXES = re.compile(r"(?:CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX)\s+CONCURRENTLY\b", re.I)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)


def statements(report: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield each pending migration of a probe's report with its statements, without comments, in order."""
    for migration in report.get("sql", []):
        found = [_COMMENT.sub(" ", str(one)).strip() for one in migration["statements"]]
        yield migration["migration"], [one for one in found if one]


def built(texts: list[str]) -> set[str]:
    """Return the names of the indexes that statements build concurrently, without schema and quotes."""
    names = {found[1] for text in texts for found in _CREATES.finditer(text)}
    return {_bare(name) for name in names}


def _bare(name: str) -> str:
    last = str(re.findall(r'"(?:[^"]|"")+"|[\w$]+', name)[-1])
    return last[1:-1].replace('""', '"') if last.startswith('"') else last.lower()


def only_indexes(texts: list[str]) -> bool:
    """Return True if a migration only builds and drops indexes concurrently."""
    return bool(texts) and all(_ONLY_INDEXES.match(text) for text in texts)

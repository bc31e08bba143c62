"""What ``--json`` prints: every event as one JSON object a line, nothing else (docs/reference/json.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Events that are for people at a terminal only: the journal's contract has no place for them.
CHATTER = {"checking", "line", "note"}


def json_lines(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of events, or of a table's rows; none for what is for people only."""
    return (json.dumps(event, ensure_ascii=False) for event in events if event.get("event") not in CHATTER)

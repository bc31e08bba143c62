"""The output of ``--json``: one JSON object per line and event, and nothing else (docs/reference/json.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Events for people only. They are not part of the documented contract.
CHATTER = {"checking", "line", "note"}


def json_lines(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Return the lines of events, or of a table's rows, without the events for people only."""
    return (json.dumps(event, ensure_ascii=False) for event in events if event.get("event") not in CHATTER)

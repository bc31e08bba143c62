"""``inv hazards``: a block per hazard for people, a line per hazard for programs."""

from __future__ import annotations

import textwrap

from ops.cli import console
from ops.cli.options import Options, open_session, target_of
from ops.core.errors import DIFFERS, DONE, REFUSED
from ops.core.text import counted
from ops.engine.journal import outcome_event
from ops.infra.session.client_tools import some_tools
from ops.release.hazards.rule import Hazard
from ops.release.hazards.scan import Foresight, look_ahead
from ops.release.migration_list import head, in_order


def show(options: Options) -> int:
    """Print every hazard of a target's pending migrations.

    Returns:
        the exit code: 3 if the migrations can't succeed, 5 if they would lose data, else 0.
    """
    session = open_session(options)
    target = target_of(session, options)
    some_tools(session)
    screen = console.Console(options.json)
    with screen.waiting(f"{target}: read the pending migrations and production"):
        seen = look_ahead(session, target)
    if seen.pending:
        screen.prose("\n".join([f"{target}: {head(seen.pending)}", *_indented(seen), ""]))
    for hazard in seen.hazards:
        if options.json:
            screen.show(hazard.data())
        else:
            screen.prose(f"{_mark(hazard)} {hazard.title}")
            screen.text(_advice(hazard, screen.width))
    for text in seen.unseen:
        screen.prose(text)
    outcome, code, hint = _ending(seen, target)
    reason = _reason(seen) if code == DONE else f"{target}: {_reason(seen)}"
    screen.show({**outcome_event("hazards", target, outcome, code, reason, hint), "unseen": list(seen.unseen)})
    return code


def _indented(seen: Foresight) -> list[str]:
    return [f"  {line}" for line in in_order(seen.pending, seen.blocks())]


def _advice(hazard: Hazard, width: int) -> str:
    """Return why a hazard matters, and the correction. Code is not wrapped, so that it can be copied."""
    why = textwrap.fill(
        hazard.why, width, initial_indent="  Why: ", subsequent_indent="       ", break_on_hyphens=False
    )
    how = textwrap.indent(hazard.how, "       ").lstrip()
    return f"{why}\n  How: {how}\n"


def _mark(hazard: Hazard) -> str:
    return {"stop": "STOP", "loss": "LOSS", "lock": "LOCK", "note": "note"}[hazard.level]


def _reason(seen: Foresight) -> str:
    if not seen.pending and not seen.hazards:
        return "no migration is pending"
    return f"hazards in {counted(len(seen.pending), 'pending migration')}: {seen.counted()}"


def _ending(seen: Foresight, target: str) -> tuple[str, int, str]:
    if seen.of("stop"):
        return "refused", REFUSED, f"correct the migrations, then inv hazards --target={target}"
    if seen.of("loss"):
        return "refused", DIFFERS, f"correct the migrations, then inv hazards --target={target}"
    if not seen.pending:
        return "nothing-to-do", DONE, ""
    return "done", DONE, f"inv release --target={target}   to rehearse the release on a copy of production"

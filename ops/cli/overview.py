"""``inv`` without a task: the state of each production target, and the most used commands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ops.backups import restore_tests
from ops.cli import console
from ops.cli.options import Options, open_session, targets_of
from ops.cli.status import how_it_ended
from ops.core.errors import DONE
from ops.core.text import age
from ops.engine import journal
from ops.engine.journal import State
from ops.infra.session.glance import Glance, glance
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import backup_kinds
from ops.infra.stores import manifest as backup
from ops.inventory.fields import span, spoken
from ops.release.production import freeze_history

COMMANDS = {
    "inv doctor": "checks everything that a release needs; changes nothing",
    "inv release": "rehearses a release on a copy of production, then promotes it",
    "inv backup": "backs up production",
    "inv status": "reports what the last run did, the current state, and what to type next",
    "inv recover": "after an incident: reports what production lost and how to restore it; changes nothing",
}


def show(options: Options) -> int:
    """Print the state of each production target: its database, its last run, an open run, and its newest backup."""
    session = open_session(options)
    screen = console.Console(options.json)
    targets = targets_of(session, options)
    seen = glance(session, targets)
    for name in targets:
        lines, data = _target(session, name, seen[name])
        screen.show(data) if options.json else screen.text("\n".join([f"{name}:", *lines]))
    width = max(map(len, COMMANDS))
    screen.text("\n".join(["", *(f"{command.ljust(width)}   {does}" for command, does in COMMANDS.items())]))
    screen.text(f"{'inv --list'.ljust(width)}   lists all tasks; inv TASK --help explains one")
    return DONE


def _target(session: Session, name: str, seen: Glance) -> tuple[list[str], dict[str, Any]]:
    """Return the state of a target as lines and as an event."""
    folder = target_folder(session, name)
    known = journal.runs(folder)
    lines = [f"  now:     {_database(seen)}"]
    data: dict[str, Any] = {"event": "overview", "target": name, "frozen": seen.frozen}
    data |= {"unreachable": seen.why} if seen.why else {}
    last, waiting = known[-1] if known else None, _open(known)
    ended = partial(how_it_ended, session)
    data |= {"last_run": _run(last, ended) if last else None, "open_run": _run(waiting, ended) if waiting else None}
    way_on = f"; next steps:   inv status --target={name}"
    if waiting and waiting is not last:
        lines.append(f"  OPEN:    {_words(waiting, ended)}{way_on}")
    ran = f"{_words(last, ended)}{way_on if last is waiting else ''}" if last else "none yet"
    lines.append(f"  run:     {ran}")
    newest = backup_kinds.newest(backup_kinds.real(backup.backups(folder)))
    data["backup"] = {"backup": newest.backup, "taken_at": newest.taken_at.isoformat()} if newest else None
    if newest is None:
        return [*lines, f"  backup:  none yet:   inv backup --target={name}"], data
    told = restore_tests.told(newest.backup, restore_tests.proved(known), restore_tests.failed(known))
    fresh = session.inventory.target(name).fresh.backup
    old = f", OLDER than {spoken(fresh)}" if datetime.now(UTC) - newest.taken_at > span(fresh) else ""
    return [*lines, f"  backup:  {age(newest.taken_at)} old{old} ({newest.backup}); proved: {told}"], data


def _database(seen: Glance) -> str:
    if seen.frozen is None:
        return seen.why
    return "production is FROZEN (read-only)" if seen.frozen else "production takes writes"


def _open(known: list[State]) -> State | None:
    """Return the run that has not ended: the last run, or an earlier run that froze production; None if none."""
    if known and not known[-1].finished:
        return known[-1]
    return freeze_history.find_open(known)


def _run(state: State, ended: Callable[[State], str]) -> dict[str, Any]:
    return {"run": state.run, "procedure": state.procedure, "outcome": ended(state)}


def _words(state: State, ended: Callable[[State], str]) -> str:
    at = journal.moment(str(state.last.get("at", "")))
    return f"{state.procedure} {state.run}: {ended(state)}" + (f", {age(at)} ago" if at else "")

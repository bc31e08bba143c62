"""List the databases that runs retain beside production, and what may be done with each.

A kept database is identified by its name (``<live>_<what>_<run>``) and by the run's journal or the tool's mark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ops.core.errors import OpsError, Refused, UsageError
from ops.core.text import age, megabytes
from ops.engine import journal
from ops.engine.command import Query, quote
from ops.engine.database_names import named
from ops.engine.executor import way_on
from ops.engine.journal import State, moment
from ops.infra.postgres.client import json_lines, unreached
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder

NAME = re.compile(r"_(replaced|undone|restored|salvage|delta|tried)_(\d{8}_\d{6}_[0-9a-z]+)$")
# Databases that were live once. Only these can be swapped in again or discarded.
ONCE_LIVE = ("replaced", "undone")
# The ends of the names of steps that give a database its kept name.
NAMED_BY = (".swap", ".restore")


@dataclass(frozen=True)
class Kept:
    """One kept database.

    Args:
        what: the middle of its name.
        since: when it took that name.
        size: bytes; None if the role may not read the size.
        state: the run's journal, if this store has it.
        mark: the database's comment.
    """

    target: str
    name: str
    oid: str
    what: str
    run: str
    since: datetime
    size: int | None
    open: bool
    sessions: int
    mark: str
    state: State | None

    @property
    def ours(self) -> bool:
        """Return True if a run of this target made it, by the journal or by the mark."""
        return self.state is not None or self.mark.startswith(f"generalprobe restored {self.target}, run ")

    @property
    def unfinished(self) -> bool:
        """Return True if its run can still be resumed or undone, and needs the database for that."""
        return self.state is not None and not self.state.finished

    @property
    def story(self) -> str:
        """Return the database's history in words."""
        procedure = self.state.procedure if self.state else "a run that is not in this store,"
        return {
            "replaced": f"was live until {procedure} {self.run} replaced it",
            "undone": f"was live after {procedure} {self.run}, until that run was undone; with rows written to it",
            "restored": f"restored by {procedure} {self.run} beside production; it was never live",
            "tried": f"made by {procedure} {self.run} to try a restore, without rows; it was never live",
            "delta": f"made by {procedure} {self.run} to dump the rows that it sets aside; it was never live",
            "salvage": f"restored by {procedure} {self.run} to take rows from; it was never live",
        }[self.what]

    def may_go(self, days: float) -> datetime:
        """Return the time from which it may be dropped."""
        return self.since + timedelta(days=days)

    def ways(self, days: float) -> list[tuple[str, str]]:
        """Return the commands for it, each with its effect."""
        if self.unfinished or self.what not in ONCE_LIVE:
            run = f"--run={self.run} --target={self.target}"
            known = [(f"inv resume {run}", "continues the run"), (f"inv undo {run}", "undoes the run")]
            runs = [(f"inv runs --target={self.target}", "shows the runs; no run needs the database")]
            return known if self.unfinished else runs
        since = "" if self.may_go(days) <= datetime.now(UTC) else f", from {self.may_go(days):%Y-%m-%d %H:%M} UTC on"
        return [
            (f"inv rollback --to-replaced={quote(self.name)} --target={self.target}", "swaps the database back in"),
            (f"inv discard-replaced {quote(self.name)} --target={self.target}", f"drops the database{since}"),
        ]

    def data(self, days: float) -> dict[str, object]:
        """Return the fields for ``--json``."""
        return {
            "name": self.name,
            "what": self.what,
            "run": self.run,
            "since": self.since.isoformat(),
            "bytes": self.size,
            "may_go": self.may_go(days).isoformat() if self.what in ONCE_LIVE else None,
        }

    def lines(self, days: float) -> list[str]:
        """Return the lines for ``inv status``."""
        size = f"{megabytes(self.size)}, " if self.size is not None else ""
        is_open = ", OPEN to connections" if self.open and self.what in ONCE_LIVE else ""
        since = f"since {self.since:%Y-%m-%d %H:%M} UTC, {age(self.since)}"
        first = f"  kept:    {self.name} ({size}{since}{is_open}): {self.story}"
        ways = [(f"           {command}", f"             {does}") for command, does in self.ways(days)]
        return [first, *(line for way in ways for line in way)]


def kept(session: Session, target: str, database: str) -> list[Kept]:
    """Return all kept databases of a target on its server, oldest first.

    Raises:
        OpsError: the server does not answer.
    """
    done = session.run(Query("kept.sql", target, "postgres"))
    if done.exit:
        how, look, code = unreached(done.err)
        raise OpsError(f"{target}: the server {how}", look, code=code)
    folder = target_folder(session, target)
    found = [_read(folder, target, database, row) for row in json_lines(done.out)]
    return sorted((one for one in found if one), key=lambda one: (one.since, one.name))


def _read(folder: Path, target: str, database: str, row: dict[str, Any]) -> Kept | None:
    match = NAME.search(row["name"])
    if not match or row["name"] != named(database, match[1], match[2]):
        return None
    what, run = match[1], match[2]
    state = _state(folder, run)
    since = _since(state, what) or _begun(run)
    if state is not None and dict(state.header["inputs"]).get("database") != database:  # type: ignore[call-overload]
        state = None
    return Kept(
        target, row["name"], row["oid"], what, run, since, row["size"], row["open"], row["sessions"], row["mark"], state
    )


def _state(folder: Path, run: str) -> State | None:
    try:
        return journal.read(folder / "runs" / run)
    except OpsError:
        return None


def _since(state: State | None, what: str) -> datetime | None:
    """Return the time of the run's swap or its undo, from the journal."""
    if state is None:
        return None
    undone = {step: at for step, at in state.times.items() if state.status.get(step) == "undone"}
    found = [moment(at) for step, at in (undone if what == "undone" else state.ever).items() if step.endswith(NAMED_BY)]
    return max(filter(None, found), default=None)


def _begun(run: str) -> datetime:
    try:
        return datetime.strptime(run[:15], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def to_swap_in(target: str, known: Sequence[Kept], wanted: str) -> Kept:
    """Return the kept database that ``--to-replaced`` names; without a name, the only replaced one.

    Raises:
        UsageError: there is none, or there are several.
        Refused: the database may not be swapped in.
    """
    able = [one for one in known if one.what in ONCE_LIVE and one.ours]
    if not wanted:
        replaced = [one for one in able if one.what == "replaced"]
        if len(replaced) == 1:
            return _usable(replaced[0])
        if not replaced:
            raise UsageError(f"{target}: there is no replaced database", f"inv status --target={target}")
        listed = "; ".join(f"{one.name} ({one.story})" for one in reversed(replaced))
        raise UsageError(
            f"{target}: there are several replaced databases, name one: {listed}",
            f"inv rollback --to-replaced={quote(replaced[-1].name)} --target={target}   (the newest)",
        )
    return _usable(_by_name(target, known, able, wanted))


def _usable(one: Kept) -> Kept:
    if one.unfinished:
        raise Refused(
            f"{one.target}: {one.name} belongs to run {one.run}, which is unfinished; nothing was changed",
            f"inv undo --run={one.run} --target={one.target}   swaps it back in   or   inv resume --run={one.run}",
        )
    return one


def to_discard(target: str, known: Sequence[Kept], wanted: str, live: str, days: float) -> Kept:
    """Return the kept database that ``discard-replaced`` names, if it may be dropped.

    Raises:
        UsageError: there is none of that name.
        Refused: it is live, in use, needed by an unfinished run, made by somebody else, or too young.
    """
    status = f"inv status --target={target}"
    able = [one for one in known if one.what in ONCE_LIVE]
    if not wanted:
        listed = ", ".join(one.name for one in able) or "none"
        raise UsageError(
            f"{target}: name the replaced database to drop; kept databases: {listed}",
            f"inv discard-replaced {quote(able[0].name)} --target={target}" if able else status,
        )
    if wanted == live:
        raise Refused(f"{target}: {live} is the live database; nothing was changed", status)
    one = _by_name(target, known, able, wanted)
    if not one.ours:
        raise Refused(
            f"{target}: {one.name} has the name of a kept database, but no run in this store made it, and it does "
            "not have the tool's mark; nothing was changed",
            f"{status}   and if you are sure, drop the database by hand",
        )
    if one.unfinished:
        raise Refused(
            f"{target}: run {one.run} is unfinished and may need {one.name}; nothing was changed",
            way_on(one.run),
        )
    if one.open or one.sessions:
        why = "somebody is connected to it" if one.sessions else "it accepts connections, so somebody may use it"
        raise Refused(f"{target}: {one.name} is not dropped: {why}; nothing was changed", status)
    if one.may_go(days) > datetime.now(UTC):
        raise Refused(
            f"{target}: {one.name} is retained since {one.since:%Y-%m-%d %H:%M} UTC ({age(one.since)}), and for "
            f"at least {days:g} days (keep_replaced); nothing was changed",
            f"inv discard-replaced {quote(one.name)} --target={target}   from {one.may_go(days):%Y-%m-%d %H:%M} UTC on",
        )
    return one


def _by_name(target: str, known: Sequence[Kept], able: Sequence[Kept], wanted: str) -> Kept:
    for one in known:
        if one.name == wanted:
            if one in able:
                return one
            said = f"{wanted}: {one.story}; it can't be swapped in or discarded"
            raise UsageError(f"{target}: {said}", one.ways(0)[0][0])
    near = get_close_matches(wanted, [one.name for one in able], 1, 0.3)
    listed = ", ".join(one.name for one in able) or "none"
    raise UsageError(
        f"{target}: there is no kept database {wanted!r}; kept databases: {listed}",
        f"{quote(near[0])}   or   inv status --target={target}" if near else f"inv status --target={target}",
    )


def aside(databases: dict[str, str], database: str) -> list[str]:
    """Return the names of the databases on a server that runs have left beside one."""
    return sorted(
        db
        for db in databases
        if any(
            db.startswith(f"{database}_{what}")
            for what in ("replaced_", "restored_", "undone_", "spare_", "salvage_", "drill_", "before", "rehearsal")
        )
    )

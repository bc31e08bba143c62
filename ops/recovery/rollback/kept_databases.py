"""Databases that runs keep beside production: what they are, since when, and what may be done with each.

A kept database is known by its name (``<live>_<what>_<run>``) and by the journal of that run, or else by our mark.
"""

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
# What was live once, and was swapped away whole: these can be swapped in again, and these only can be discarded.
ONCE_LIVE = ("replaced", "undone")
# The steps after which a database has the name under which it is kept.
NAMED_BY = (".swap", ".restore")


@dataclass(frozen=True)
class Kept:
    """One kept database.

    ``what`` is the middle of its name, ``since`` when it took that name, ``size`` bytes (None where the role may not
    see that), ``state`` its run's journal where this store has it, ``mark`` the database's comment.
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
        """Whether a run of this target made it: the journal says so, or else the mark inside the server."""
        return self.state is not None or self.mark.startswith(f"generalprobe restored {self.target}, run ")

    @property
    def unfinished(self) -> bool:
        """Whether its run can still be resumed or undone, and needs it for that."""
        return self.state is not None and not self.state.finished

    @property
    def story(self) -> str:
        """What it is, in words."""
        procedure = self.state.procedure if self.state else "a run that is not in this store,"
        return {
            "replaced": f"was live until {procedure} {self.run} replaced it",
            "undone": f"was live after {procedure} {self.run}, until that was undone; with what was written to it",
            "restored": f"restored by {procedure} {self.run} beside production; it was never live",
            "tried": f"made by {procedure} {self.run} to try a restore, without rows; it was never live",
            "delta": f"made by {procedure} {self.run} of what it sets aside, to be dumped; it was never live",
            "salvage": f"restored by {procedure} {self.run} to take rows from; it was never live",
        }[self.what]

    def may_go(self, days: float) -> datetime:
        """From when on it may be discarded."""
        return self.since + timedelta(days=days)

    def ways(self, days: float) -> list[tuple[str, str]]:
        """What to type, and what that does."""
        if self.unfinished or self.what not in ONCE_LIVE:
            run = f"--run={self.run} --target={self.target}"
            known = [(f"inv resume {run}", "goes on with it"), (f"inv undo {run}", "takes it back")]
            return (
                known if self.unfinished else [(f"inv runs --target={self.target}", "shows the runs; nothing needs it")]
            )
        since = "" if self.may_go(days) <= datetime.now(UTC) else f", from {self.may_go(days):%Y-%m-%d %H:%M} UTC on"
        return [
            (f"inv rollback --to-replaced={quote(self.name)} --target={self.target}", "swaps it back in"),
            (f"inv discard-replaced {quote(self.name)} --target={self.target}", f"removes it for good{since}"),
        ]

    def data(self, days: float) -> dict[str, object]:
        """For ``--json``."""
        return {
            "name": self.name,
            "what": self.what,
            "run": self.run,
            "since": self.since.isoformat(),
            "bytes": self.size,
            "may_go": self.may_go(days).isoformat() if self.what in ONCE_LIVE else None,
        }

    def lines(self, days: float) -> list[str]:
        """For ``inv status``."""
        size = f"{megabytes(self.size)}, " if self.size is not None else ""
        is_open = ", OPEN to connections" if self.open and self.what in ONCE_LIVE else ""
        since = f"since {self.since:%Y-%m-%d %H:%M} UTC, {age(self.since)}"
        first = f"  kept:    {self.name} ({size}{since}{is_open}): {self.story}"
        ways = [(f"           {command}", f"             {does}") for command, does in self.ways(days)]
        return [first, *(line for way in ways for line in way)]


def kept(session: Session, target: str, database: str) -> list[Kept]:
    """All kept databases of a target on its server, oldest first.

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
    """When the run's swap was done, or taken back, by its journal."""
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
    """The kept database that ``--to-replaced`` means; without a name the only one that was replaced.

    Raises:
        UsageError: none is meant, or several could be.
        Refused: it may not be swapped in.
    """
    able = [one for one in known if one.what in ONCE_LIVE and one.ours]
    if not wanted:
        replaced = [one for one in able if one.what == "replaced"]
        if len(replaced) == 1:
            return _usable(replaced[0])
        if not replaced:
            raise UsageError(f"{target}: no replaced database is kept", f"inv status --target={target}")
        listed = "; ".join(f"{one.name} ({one.story})" for one in reversed(replaced))
        raise UsageError(
            f"{target}: several replaced databases are kept, so say which: {listed}",
            f"inv rollback --to-replaced={quote(replaced[-1].name)} --target={target}   (that is the newest)",
        )
    return _usable(_by_name(target, known, able, wanted))


def _usable(one: Kept) -> Kept:
    if one.unfinished:
        raise Refused(
            f"{one.target}: {one.name} belongs to run {one.run}, which has not ended; nothing was changed",
            f"inv undo --run={one.run} --target={one.target}   swaps it back in   or   inv resume --run={one.run}",
        )
    return one


def to_discard(target: str, known: Sequence[Kept], wanted: str, live: str, days: float) -> Kept:
    """The kept database that ``discard-replaced`` means, if it may go.

    Raises:
        UsageError: there is none of that name.
        Refused: it is live, in use, needed by a run that has not ended, not ours, or too young.
    """
    status = f"inv status --target={target}"
    able = [one for one in known if one.what in ONCE_LIVE]
    if not wanted:
        listed = ", ".join(one.name for one in able) or "none"
        raise UsageError(
            f"{target}: say which replaced database is to be removed; kept are: {listed}",
            f"inv discard-replaced {quote(able[0].name)} --target={target}" if able else status,
        )
    if wanted == live:
        raise Refused(f"{target}: {live} is the live database; nothing was changed", status)
    one = _by_name(target, known, able, wanted)
    if not one.ours:
        raise Refused(
            f"{target}: {one.name} has the name of a kept database, but no run in this store made it, and it is not "
            "marked as ours; nothing was changed",
            f"{status}   and if you are sure, drop it by hand",
        )
    if one.unfinished:
        raise Refused(
            f"{target}: run {one.run} has not ended and may need {one.name}; nothing was changed",
            way_on(one.run),
        )
    if one.open or one.sessions:
        why = "somebody is connected to it" if one.sessions else "it is open to connections, so somebody uses it"
        raise Refused(f"{target}: {one.name} is not removed: {why}; nothing was changed", status)
    if one.may_go(days) > datetime.now(UTC):
        raise Refused(
            f"{target}: {one.name} is kept since {one.since:%Y-%m-%d %H:%M} UTC ({age(one.since)}), and stays for "
            f"{days:g} days (keep_replaced); nothing was changed",
            f"inv discard-replaced {quote(one.name)} --target={target}   from {one.may_go(days):%Y-%m-%d %H:%M} UTC on",
        )
    return one


def _by_name(target: str, known: Sequence[Kept], able: Sequence[Kept], wanted: str) -> Kept:
    for one in known:
        if one.name == wanted:
            if one in able:
                return one
            raise UsageError(f"{target}: {wanted}: {one.story}; this is not for it", one.ways(0)[0][0])
    near = get_close_matches(wanted, [one.name for one in able], 1, 0.3)
    listed = ", ".join(one.name for one in able) or "none"
    raise UsageError(
        f"{target}: there is no kept database {wanted!r}; kept are: {listed}",
        f"{quote(near[0])}   or   inv status --target={target}" if near else f"inv status --target={target}",
    )


def aside(databases: dict[str, str], database: str) -> list[str]:
    """The databases on a server that runs have left beside one, by their names."""
    return sorted(
        db
        for db in databases
        if any(
            db.startswith(f"{database}_{what}")
            for what in ("replaced_", "restored_", "undone_", "spare_", "salvage_", "drill_", "before", "rehearsal")
        )
    )

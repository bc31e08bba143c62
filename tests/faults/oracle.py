"""What must hold after every strike: production is whole, the text says so, and the way on leads to the end."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import NoReturn

import psycopg

from ops.core.errors import FAILED, INTERRUPTED, REFUSED
from ops.engine.journal import State, runs
from tests.conftest import Done
from tests.faults.stage import Applied, Facts, Stage, Tables, applied, tables
from tests.support.project import wait_for

# The exit codes that a blow may lead to, beside 0: it can come too late, or hit nothing.
SIGNALLED = {"int", "term", "hup"}


@dataclass
class Oracle:
    """Holds what a struck run may leave.

    Args:
        stage: where it ran.
        start: what there was.
        end: what there is when all goes well.
    """

    stage: Stage
    start: Facts
    end: Facts
    told: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def look(self, done: Done, phase: str, struck: list[tuple[str, str]]) -> None:
        """After a strike."""
        text, blows = done.out + done.err, {blow for _, blow in struck}
        where = ", ".join(f"{blow} {phase} {place}" for place, blow in struck)
        self.told.append(f"--- {where}: {done.code}\n{text[-3000:]}")
        self.ended(done, blows)
        # What was started before a kill -9 goes on until its own end.
        if not wait_for(lambda: not self.stage.processes()):
            self.fail(f"still at work: {self.stage.processes()}")
        if "disk" in blows:
            # The server itself may refuse sessions on a full disk.
            self.stage.mend()
        self.status(done, self.production())

    def ended(self, done: Done, blows: set[str]) -> None:
        """The exit code and the text."""
        text = done.out + done.err
        for word in ("Traceback", "an internal error", "fault.txt", "(details:"):
            self.expect(word not in text, f"{word!r} was said")
        if done.code == -9 and "kill" in blows:
            return
        wanted = {0, *([INTERRUPTED] if blows & SIGNALLED else []), *([FAILED, REFUSED] if blows - SIGNALLED else [])}
        self.expect(done.code in wanted, f"exit code {done.code}, not one of {wanted}")
        if done.code:
            last = re.split(r"^(?=(?:FAILED|REFUSED|INTERRUPTED)  shop(?:-test)?(?:@\w+)?: \S)", text, flags=re.M)
            # What takes a failed release back tells of both.
            self.expect(len(last) == 2 or (len(last) > 2 and "--auto-rollback" in text), "no outcome, or two")
            self.expect(re.search(r"^State: \S", last[-1], re.M), "not said what stands")
            self.expect(re.search(r"^Try: (?:.*\n +)*?.*inv ", last[-1], re.M), "not said what to type")

    def production(self) -> bool:
        """Whole, open, and writable or frozen; gives whether it is frozen."""
        try:
            with self.stage.connect() as c:
                frozen = c.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
                try:
                    c.execute("BEGIN; INSERT INTO lessons_teacher (id, name) VALUES (-1, 'x'); ROLLBACK")
                    writes = True
                except psycopg.errors.ReadOnlySqlTransaction:
                    writes = False
                except psycopg.errors.DiskFull:
                    writes = not frozen
        except psycopg.OperationalError as error:
            self.fail(f"production can't be reached: {error}")
        self.expect(writes != frozen, f"writes: {writes}, frozen: {frozen}")
        has, found = applied(self.stage.project), tables(self.stage.project)
        self.expect(found in self.legal(has), f"production is not whole: with {has} it holds {found}")
        return frozen

    def legal(self, has: Applied) -> list[Tables]:
        """What production may hold, by the migrations that are recorded as applied."""
        known = [facts.tables for facts in (self.start, self.end) if facts.applied == has]
        return [*known, *self.stage.legal.get(has, [])]

    def status(self, done: Done, frozen: bool) -> None:
        """``inv status`` from another shell."""
        said = self.stage.project.inv("status")
        text = said.out + said.err
        self.told.append(f"--- inv status: {said.code}\n{text}")
        last = self.last()
        self.expect(said.code == 0 and "Traceback" not in text, "inv status failed")
        self.expect(f"run {last.run}" in text, "not the run")
        self.expect(re.search(r"^  state:   \S", text, re.M), "not said what stands")
        # How the run ended may tell that it could not ask; what is so now stands here.
        now = re.search(r"^  now: .*$", text, re.M)
        self.expect(now and ("FROZEN" in now[0]) == frozen, f"frozen is {frozen}, and not said")
        # What has been taken back ended well: its own run failed, and is over.
        if done.code and "\nState: rolled back" not in done.out:
            self.expect(re.search(r"^  Try: (?:.*\n {7,})*?.*inv ", text, re.M), "not said what to type")
            self.expect("interrupted" in text or "failed" in text or "refused" in text, "not said how it ended")

    def last(self) -> State:
        """The last run."""
        return runs(self.stage.store / "shop")[-1]

    def over(self, wanted: Facts) -> None:
        """At the end: as it is when nothing happens in between."""
        found = self.stage.facts()
        for name in ("applied", "tables", "frozen", "databases", "store"):
            one, two = getattr(found, name), getattr(wanted, name)
            self.expect(one == two, f"{name} at the end:\n  {one}\nnot\n  {two}")
        self.expect(not self.stage.processes(), f"still at work: {self.stage.processes()}")
        with self.stage.connect("postgres") as c:
            left = c.execute(
                "SELECT application_name, datname, query FROM pg_stat_activity "
                "WHERE starts_with(application_name, 'generalprobe')"
            ).fetchall()
        self.expect(not left, f"sessions are left: {left}")
        self.expect(self.last().finished, "the last run is not done")

    def expect(self, holds: object, what: str) -> None:
        """Take note of what is wrong, and go on: one run shows all of it."""
        if not holds:
            self.wrong.append("\n".join([f"=== {what}", *self.told[-2:]]))
            if log := os.environ.get("OPS_FAULTS_LOG"):
                with open(log, "a") as file:
                    file.write(self.wrong[-1] + "\n")

    def fail(self, what: str) -> NoReturn:
        """Nothing more can be seen."""
        self.expect(False, what)
        self.verdict()
        raise AssertionError

    def verdict(self) -> None:
        """Raise what was noted."""
        assert not self.wrong, f"{len(self.wrong)} things are wrong\n" + "\n\n".join(self.wrong)

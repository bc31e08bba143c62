"""Releases that are no transaction, and productions in use, struck where production changes: one place of one kind with
each commit; each place of each kind where no share is asked for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from psycopg import sql

from ops.core.errors import INTERRUPTED
from ops.engine.command import Tool
from ops.engine.journal import runs
from ops.procedures.catalog import replan
from tests.faults.draw import drawn
from tests.faults.kinds import KINDS, Client, Reader, Writer, used
from tests.faults.oracle import Oracle
from tests.faults.places import PHASES, Place
from tests.faults.stage import Stage
from tests.faults.test_matrix import RUN, TWICE, led_on

pytestmark = pytest.mark.faults
BLOWS = ("kill", "term", "cut", "restart-immediate")
WAYS = ("resume", "undo")
TAKES_BACK, LAST = "release --auto-rollback", ("look_again", "prove", "unfreeze")
STEPS = {
    "release": ("promote.freeze", "promote.hold", "promote.migrate", "promote.account", "promote.unfreeze"),
    "rollback": ("rollback.freeze", "rollback.advance", "rollback.swap", "rollback.account", "rollback.unfreeze"),
    # A release that fails by the blow, and one that has failed and is struck while it is taken back.
    TAKES_BACK: ("promote.freeze", "promote.hold", "promote.migrate", "promote.account", "promote.deploy"),
    "auto-rollback": ("rollback.restore", "rollback.swap", *(f"auto-rollback.{one}" for one in LAST)),
}
UNFROZEN = {"promote.freeze", "promote.unfreeze"}
# No program runs there that could be struck amid.
WITHIN = {"promote.hold", "rollback.advance", "rollback.account", "auto-rollback.prove"}
PLACES = [
    (kind, name, step, phase)
    for kind, given in KINDS.items()
    for name, steps in STEPS.items()
    for step in steps
    for phase in PHASES
    if not (given.target and step in UNFROZEN)
    if not (phase == "during" and step in WITHIN)
    # Only where they are at work, and where that is taken back, is a release of another kind another one.
    if given.filled or step in ("promote.migrate", "promote.account", "rollback.swap", "auto-rollback.prove")
    # Where production was not frozen nothing is taken back.
    if not (given.target and name == "auto-rollback")
]
CHOSEN = [PLACES[drawn().number % len(PLACES)]] if drawn().of else PLACES


@pytest.mark.parametrize(("kind", "name", "step", "phase"), CHOSEN)
def test_struck_where_production_changes(
    kind_stage: Callable[[str], Stage], kind: str, name: str, step: str, phase: str
) -> None:
    key = f"{name} {step} {phase}"
    blow, way = drawn().pick(f"blow {key}", BLOWS), drawn().pick(f"way {key}", WAYS)
    struck = {TAKES_BACK: struck_and_taken_back, "auto-rollback": struck_while_taken_back}.get(name, struck_once)
    struck(kind_stage(kind), name, step, phase, blow, way)


def struck_once(stage: Stage, name: str, step: str, phase: str, blow: str, way: str) -> None:
    """Strike a procedure at one step, with its clients at work, and go on or back by what the text says."""
    end = stage.end_of(name)
    place = place_of(stage, name, step, phase)
    stage.at(stage.start_of(name))
    stage.forget()
    oracle, confirm = Oracle(stage, stage.kept[stage.start_of(name)], end), stage.confirm(name)
    amid = stage.kind.amid if step == "promote.migrate" else ""
    with clients(stage) as writer:
        done, dealt = stage.struck(stage.words(name), phase, blow=blow, only=str(place), amid=amid)
        assert dealt, done.out + done.err
        oracle.look(done, phase, dealt)
        oracle.told[-1] += held(oracle, writer, heard := done.out)
        ended = done.code == 0
        if not ended:
            done = stage.project.inv(way, confirm)
            oracle.told.append(f"--- {way}: {done.code}\n{done.out}{done.err}")
        if "can't be undone" in done.out or TWICE in done.out:
            led_on(oracle, done, confirm)
        elif way == "resume" or ended:
            oracle.expect(done.code == 0, "it never came to its end")
            oracle.production()
        else:
            oracle.expect(done.code == 0, "it was not taken back")
            taken_back(oracle)
        oracle.told[-1] += held(oracle, writer, heard + "".join(oracle.told))
    oracle.verdict()


def place_of(stage: Stage, name: str, step: str, phase: str) -> Place:
    """The last command of a step in the plan that a procedure has there; its last program, for what is struck amid."""
    stage.at((*stage.start_of(name), name))
    planned = next(one for one in replan(runs(stage.store / "shop")[-1]).steps if one.name == step)
    programs = [n for n, command in enumerate(planned.commands) if not isinstance(command, Tool)]
    return Place(step, "do", programs[-1] if phase == "during" else len(planned.commands) - 1)


def struck_and_taken_back(stage: Stage, name: str, step: str, phase: str, blow: str, way: str) -> None:
    """Strike a release that takes itself back where it fails: production is as before then, or the text leads on."""
    end = stage.end_of("release")
    place = place_of(stage, "release", step, phase)
    stage.at(())
    stage.forget()
    oracle, confirm = Oracle(stage, stage.kept[()], end), stage.confirm("release")
    amid = stage.kind.amid if step == "promote.migrate" else ""
    with clients(stage) as writer:
        words = [*stage.words("release"), "--auto-rollback"]
        done, dealt = stage.struck(words, phase, blow=blow, only=str(place), amid=amid)
        assert dealt, done.out + done.err
        oracle.look(done, phase, dealt)
        said = done.out
        oracle.told[-1] += held(oracle, writer, said)
        if "\nState: rolled back" in said:
            as_before(oracle)
        elif done.code:
            hint = re.findall(r"^(?:  )?Try: (inv .*?)(?:   |$)", said or oracle.told[-1], re.M)
            words = [way] if done.code in (-9, INTERRUPTED) else shlex.split(hint[-1])[1:]
            done = stage.project.inv(*words, confirm)
            oracle.told.append(f"--- {words}: {done.code}\n{done.out}{done.err}")
            if "can't be undone" in done.out or TWICE in done.out:
                led_on(oracle, done, confirm)
            elif "\nState: rolled back" in done.out:
                as_before(oracle)
            else:
                oracle.expect(done.code == 0, "what is offered leads nowhere")
                oracle.production()
        oracle.told[-1] += held(oracle, writer, said + "".join(oracle.told))
    oracle.verdict()


def struck_while_taken_back(stage: Stage, name: str, step: str, phase: str, blow: str, way: str) -> None:
    """Strike the way back of a release that failed at its end, in the same process, and go on or back from there."""
    end = stage.end_of(name)
    place = place_of(stage, name, step, phase)
    stage.at(())
    stage.forget()
    oracle, confirm = Oracle(stage, stage.kept[stage.start_of(name)], end), stage.confirm(name)
    with clients(stage) as writer:
        stage.broken.touch()
        words = [*stage.words("release"), "--auto-rollback"]
        done, dealt = stage.struck(words, phase, blow=blow, only=str(place))
        assert dealt, done.out + done.err
        oracle.look(done, phase, dealt)
        oracle.told[-1] += held(oracle, writer, done.out)
        if "\nState: rolled back" not in done.out:
            done = stage.project.inv(way, confirm)
            oracle.told.append(f"--- {way}: {done.code}\n{done.out}{done.err}")
            if "can't be undone" in done.out:
                led_on(oracle, done, confirm)
            else:
                oracle.expect(done.code == 0, f"{way} did not come to its end")
        if way == "resume":
            as_before(oracle)
        oracle.production()
        oracle.told[-1] += held(oracle, writer, "".join(oracle.told))
    oracle.verdict()


def as_before(oracle: Oracle) -> None:
    """Production is what it was before the release, and takes writes."""
    found, start = oracle.stage.facts(), oracle.stage.kept[()]
    for what in ("applied", "tables", "frozen"):
        one, two = getattr(found, what), getattr(start, what)
        oracle.expect(one == two, f"{what} although it is taken back: {one}, not {two}")


@contextmanager
def clients(stage: Stage) -> Iterator[Writer | None]:
    """Those who use production meanwhile; gives the writer, where there is one."""
    writer = Writer(stage.server.url("shop")) if stage.kind.filled else None
    found: list[Client] = [Reader(stage.server.url("shop"))] if stage.kind.reads else []
    with ExitStack() as stack:
        for client in [*found, *([writer] if writer else [])]:
            stack.enter_context(used(client))
        yield writer


def taken_back(oracle: Oracle) -> None:
    """After an undo production is what it was, and nothing is left beside it but what was live."""
    found, start = oracle.stage.facts(), oracle.start
    for what in ("applied", "tables", "frozen"):
        one, two = getattr(found, what), getattr(start, what)
        oracle.expect(one == two, f"{what} after undo: {one}, not {two}")
    known = {RUN.sub("RUN", name) for name in start.databases}
    extra = [name for name in found.databases if RUN.sub("RUN", name) not in known and "_undone_" not in name]
    oracle.expect(not extra, f"databases are left after the undo: {extra}")


def held(oracle: Oracle, writer: Writer | None, text: str) -> str:
    """What the writer was told is done is live, or it is kept, and the text says so."""
    if writer is None:
        return ""
    with writer.still:
        oracle.expect(writer.rows, "nothing was written")
        live, *kept = [rows(oracle.stage, name) for name in ("shop", *left(oracle.stage))]
        lost, gone, told = writer.lost(live), writer.lost(live, *kept), len(writer.rows)
    oracle.expect(not gone, f"acknowledged, and nowhere: {gone[:9]}")
    said = re.search(r"live_write: .*(inserted|updated|deleted|when it was swapped in)", text)
    oracle.expect(said or not lost, f"acknowledged, not live, and not said: {lost[:9]}")
    return f"(written: {told}, not live: {len(lost)})\n"


def left(stage: Stage) -> list[str]:
    """The databases in which what was live once is kept."""
    with stage.connect("postgres") as c:
        query = "SELECT datname FROM pg_database WHERE datname ~ '^shop_(replaced|undone)_'"
        return [name for (name,) in c.execute(query).fetchall()]


def rows(stage: Stage, database: str) -> dict[int, str]:
    """What the writer's table holds; a kept database is opened for it."""
    name = sql.Identifier(database)
    with stage.connect("postgres") as c:
        opened = c.execute("SELECT datallowconn FROM pg_database WHERE datname = %s", [database]).fetchone() == (True,)
        c.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
        try:
            with stage.connect(database) as inside:
                return dict(inside.execute("SELECT id, value FROM live_write").fetchall())
        except psycopg.errors.UndefinedTable:
            return {}
        finally:
            if not opened:
                c.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))

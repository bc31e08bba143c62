"""Every sentence is changed, and every decision stays: code decides by codes, never by what a person reads."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

import ops
from ops.backups.restore_tests import failed
from ops.core.errors import Code, OpsError, Refused, StepFailed
from ops.engine.command import Shell
from ops.engine.effects import StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.journal import Event, Journal, State, read
from ops.engine.old_journals import STEP_EFFECTS
from ops.engine.plan import make_plan
from ops.engine.runner import Runner
from ops.engine.step import Check, Procedure, Step
from ops.infra.postgres.failure_text import lock_wait, sqlstate
from ops.infra.session.run_hooks import database_error
from ops.infra.session.session import Session
from ops.inventory.load import load

INVENTORY = "all: {children: {production: {hosts: {shop: {database: env:X}}}}}"
HEADER: Event = {"event": "run", "run": "r1", "procedure": "drill", "target": "shop", "inputs": {"backup": "b1"}}
INPUTS = RunInputs(run="r1", target="shop", database="shop", store="backups", backup="b1")
GERMAN = "psycopg.errors.LockNotAvailable: Anfrage wird wegen Zeitüberschreitung bei Sperre abgebrochen\n"


@pytest.fixture
def reworded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Change the message of every error of ours, as somebody may who only edits texts."""
    made = OpsError.__init__

    def other(self: OpsError, message: str, hint: str = "", **more: Any) -> None:
        made(self, f"⟨{message[::-1]}⟩", hint, **more)

    monkeypatch.setattr(OpsError, "__init__", other)


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Step], State]:
    """Runs one step, and gives what its journal says then."""
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ops.engine.runner.PAUSES", (0.001,))

    def go(step: Step) -> State:
        procedure = Procedure("drill", "P", "What for.", "What then.")
        procedure.entries = [(step, lambda c: c)]
        log = Journal(tmp_path / "runs" / "r1")
        log.append(HEADER)
        session = Session(load(tmp_path / "inventory.yaml"), {"PATH": "/usr/bin:/bin", "X": ""})
        try:
            plan, state = make_plan(procedure, INPUTS), read(log.folder)
            Runner(session, plan, log, state, print, lambda *_: None, lambda: None).go()
        except OpsError:
            pass
        finally:
            log.close()
        return read(tmp_path / "runs" / "r1")

    return go


def sh(script: str) -> Callable[[RunInputs], Shell]:
    return lambda _: Shell(("sh", "-c", script), "")


def step(name: str, script: str, check: Callable[[RunInputs], Any], **more: Any) -> Step:
    proof = Check("holds", "It holds", "Why.", check)
    return Step(name, "Do it", "Why.", sh(script), proof=proof, stays="Nothing.", again=True, **more)


@pytest.mark.usefixtures("reworded")
@pytest.mark.parametrize("name", sorted(STEP_EFFECTS[StepEffect.DRILLS]))
@pytest.mark.parametrize(("code", "bad"), [(Code.BAD_BACKUP, {"b1": "r1"}), (Code.NONE, {})])
def test_a_drill_says_of_the_backup_what_its_proof_says(
    go: Callable[[Step], State], monkeypatch: pytest.MonkeyPatch, name: str, code: Code, bad: dict[str, str]
) -> None:
    def execute(self: Runner, command: Any, key: str, *_: Any) -> str:
        if key == "holds":
            raise StepFailed("not what was dumped", code=code)
        return ""

    monkeypatch.setattr(Runner, "execute", execute)
    assert failed([go(step(name, "exit 0", sh("exit 1")))]) == bad


@pytest.mark.usefixtures("reworded")
@pytest.mark.parametrize(
    ("said", "tries"), [(GERMAN, 3), ("ERROR:  55P03: autre chose", 3), ("ERROR:  42601: lock", 1)]
)
def test_a_lock_is_waited_for_in_every_language(
    go: Callable[[Step], State], tmp_path: Path, said: str, tries: int
) -> None:
    script = f"echo >> tried; printf '%s\\n' '{said.strip()}' >&2; exit 3"
    go(step("a", script, sh("exit 0"), retries=lambda _: 2))
    assert len((tmp_path / "tried").read_text().splitlines()) == tries


def test_a_lock_is_told_by_its_sqlstate() -> None:
    assert (sqlstate(GERMAN), lock_wait(GERMAN)) == ("55P03", True)
    assert lock_wait("psql:a.sql:1: FEHLER:  40P01: Verklemmung entdeckt\n")
    assert not lock_wait("psql:a.sql:1: ERROR:  57014: canceling statement due to lock timeout, as a text\n")
    assert lock_wait("pg_dump: error: query failed: ERROR:  canceling statement due to lock timeout")
    error = database_error(psycopg.errors.LockNotAvailable("autre chose"), "shop")
    assert error.code == Code.LOCK and "lock timeout: autre chose" in error.message


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"detail": "shop: backup b1 is damaged: dump/toc.dat"}, Code.BAD_BACKUP),
        ({"detail": "x.jsonl: not what was dumped: public.a"}, Code.BAD_BACKUP),
        ({"detail": "the server is gone"}, Code.NONE),
        # Today's sentences mean nothing.
        ({"detail": "the folder is damaged", "code": ""}, Code.NONE),
        ({"detail": "", "code": "bad-backup"}, Code.BAD_BACKUP),
    ],
)
def test_journals_without_codes_are_read_as_well(tmp_path: Path, event: Event, code: Code) -> None:
    lines = [HEADER, {"event": "step", "step": "drill.restore", "status": "failed", "at": "", **event}]
    (tmp_path / "r1").mkdir()
    (tmp_path / "r1" / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read(tmp_path / "r1").codes == {"drill.restore": code}


@pytest.mark.usefixtures("reworded")
def test_a_gate_keeps_the_code(go: Callable[[Step], State], monkeypatch: pytest.MonkeyPatch) -> None:
    def execute(self: Runner, command: Any, key: str, *_: Any) -> str:
        raise Refused("no", code=Code.CLOSED) if key == "holds" else StepFailed("no", code=Code.BAD_BACKUP)

    gate = Check("gate", "It may", "Why.", sh("exit 1"))
    monkeypatch.setattr(Runner, "execute", execute)
    assert go(step("a", "exit 0", sh("exit 0"), gates=(gate,))).codes == {"a": Code.BAD_BACKUP}


# --- nobody reads a message ------------------------------------------------------------------------------------------

READS = {"startswith", "endswith", "split", "rsplit", "partition", "rpartition", "find", "index", "count", "splitlines"}
TEXTS = {"message", "hint", "reason", "detail"}


def reads_of(tree: ast.AST) -> list[int]:
    """The lines that decide by a text of ours: a comparison with, a search in, or a part of an error's message."""

    def text(node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute) and node.attr in TEXTS

    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(op, (ast.In, ast.NotIn)) for op in node.ops):
            found += [node.lineno] if any(map(text, node.comparators)) else []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            ours = node.func.attr in READS and text(node.func.value)
            searched = getattr(node.func.value, "id", "") == "re" and any(map(text, node.args))
            found += [node.lineno] if ours or searched else []
    return found


def test_no_code_reads_a_message() -> None:
    """A message is for people; what is to be decided has a code (``ops.core.errors.Code``)."""
    root = Path(ops.__file__).parent
    found = [
        f"{path.relative_to(root)}:{line}"
        for path in sorted(root.rglob("*.py"))
        for line in reads_of(ast.parse(path.read_text()))
    ]
    assert found == []

"""Engines that are broken in one place each, for the matrix to see; or a green one says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ops.core.errors import OpsError, StepFailed
from ops.engine.outcome_text import Explanation
from ops.engine.runner import Runner
from tests.support.toy_lab import PLAN


def holds_always(proofs: bool) -> Callable[..., Any]:
    """A check that is asked, and believed whatever it says."""
    ask, names = Runner._holds, {planned.proof.check.name for planned in PLAN.steps if planned.proof}

    def holds(self: Any, planned: Any) -> Any:
        return None if (planned.check.name in names) == proofs and [ask(self, planned)] else ask(self, planned)

    return holds


def unwritten(kind: str) -> Callable[..., Any]:
    """A journal that lacks one kind of line."""
    write = Runner.emit

    def emit(self: Any, event: Any) -> None:
        if kind not in (event["event"], event.get("status")):
            write(self, event)

    return emit


def once_and_again(self: Any, planned: Any, number: int) -> None:
    """A gate that is asked again though the step had begun."""
    touched, self.state.touched = self.state.touched, set()
    try:
        BEGIN(self, planned, number)
    finally:
        self.state.touched |= touched


BEGIN = Runner._tell_begun
# What is broken, a case that must show it, and what is seen.
MUTANTS: dict[str, tuple[str, Any, str, str]] = {
    "a proof is not believed": (
        "ops.engine.runner.Runner._holds",
        holds_always(True),
        "toy.freeze/is_frozen/0-before-exit-undo",
        "exit code 0",
    ),
    "a gate holds always": (
        "ops.engine.runner.Runner._holds",
        holds_always(False),
        "toy.migrate/is_planned/0-before-exit-undo",
        "exit code 0",
    ),
    "a gate is asked again": (
        "ops.engine.runner.Runner._tell_begun",
        once_and_again,
        "toy.freeze/do/0-during-kill-resume",
        "resume ends with 3",
    ),
    "all is done again": (
        "ops.engine.runner.Runner._redo",
        lambda *_: True,
        "toy.number/do/0-after-kill-resume",
        "made 2 times",
    ),
    "a beginning is not noted": (
        "ops.engine.runner.Runner.emit",
        unwritten("begun"),
        "toy.number/do/0-after-kill-resume",
        "made 2 times",
    ),
    "an end is not noted": (
        "ops.engine.runner.Runner.emit",
        unwritten("done"),
        "toy.migrate/do/0-before-exit-resume",
        "resume ends with 3",
    ),
    "a fact is not noted": (
        "ops.engine.runner.Runner.emit",
        unwritten("fact"),
        "last-pack.put/do/0-before-kill-resume",
        "ROWS is None",
    ),
    "the outcome is not noted": (
        "ops.engine.runner.Runner.emit",
        unwritten("outcome"),
        "toy.fill/do/0-before-exit-resume",
        "no outcome, or two",
    ),
    "a lock is not waited for": (
        "ops.infra.session.run_hooks.lock_wait",
        lambda _: False,
        "toy.migrate/do/0-before-lock-resume",
        "exit code 4, not one of {0}",
    ),
    "users are shut out": (
        "ops.infra.postgres.clean_up.mend",
        lambda *_: "",
        "toy.swap/do/0-during-int-resume",
        "production is closed",
    ),
    "a lost link is a no": (
        "ops.infra.session.run_hooks.kind_of",
        lambda *_: StepFailed,
        "toy.look/is_planned/0-before-cut-undo",
        "exit code 3",
    ),
    "the run lock is not looked at": (
        "tests.support.toy_session.ToySession.held",
        lambda _: None,
        "toy.fill/do/1-after-unlocked-undo",
        "exit code 0",
    ),
    "a promise is not asked for": (
        "ops.engine.runner.Runner._still_holds",
        lambda _: None,
        "toy.swap/do/0-before-exit-thawed",
        "while users could write",
    ),
    "a final step is undone": (
        "ops.engine.summary.refuse_final",
        lambda *_: None,
        "toy.migrate/do/0-during-kill-undo",
        "after a final step",
    ),
    "nothing is untouched": (
        "ops.engine.runner.Runner._answer",
        lambda *_: StepFailed("no"),
        "toy.migrate/do/0-before-kill-undo",
        "undo ends with 3",
    ),
    "undo takes nothing back": (
        "ops.engine.summary.touched_steps",
        lambda *_: [],
        "toy.swap/do/0-before-kill-undo",
        "there is still",
    ),
    "nothing is explained": (
        "ops.engine.runner.explain",
        lambda *_, **__: Explanation(),
        "toy.migrate/do/0-during-exit-undo",
        "not explained",
    ),
    "a full disk is any error": (
        "ops.engine.runner.disk_error",
        lambda *_: OpsError("shop: no"),
        "toy.fill/journal-begun/0-before-full-undo",
        "free disk space",
    ),
}

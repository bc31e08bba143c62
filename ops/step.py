"""``Step``, ``Check`` and ``Procedure``: what is to be done, as data. No I/O, nothing runs here.

A step's ``act`` is a pure function of frozen inputs that *returns* commands. The same definition is read by the plan
(what would run), the run and its resume, the page, and undo.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ops.command import Command, Query, Shell, Tool
from ops.inputs import Inputs

Act = Callable[[Inputs], Command | Sequence[Command]]


def commands(act: Act | None, inputs: Inputs) -> tuple[Command, ...]:
    """What an act asks for, as a tuple; empty for no act."""
    if act is None:
        return ()
    made = act(inputs)
    return (made,) if isinstance(made, (Shell, Query, Tool)) else tuple(made)


@dataclass(frozen=True)
class Check:
    """Something read-only that must hold: a gate before a step, or the proof after it.

    Args:
        name: the function's name; the journal's key.
        title: the sentence that holds when all of its commands exit 0.
        why: what goes wrong where it does not hold.
        act: the commands; they change nothing.
        hint: what to type where it does not hold.
        once: it is asked before the step begins, and not again when the step goes on after an interruption.
    """

    name: str
    title: str
    why: str
    act: Act
    hint: str = ""
    once: bool = False


@dataclass(frozen=True)
class Watch:
    """What our own Python measures while a step's commands run; it changes nothing, and a person by hand goes without.

    Args:
        name: its name in ``ops.tools.WATCHES``.
        options: its keyword arguments, all text.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One step of a procedure.

    Args:
        name: ``procedure.function``; the journal's key.
        title: what it does, as a person says it.
        why: the function's docstring; the page's prose.
        act: what runs.
        gates: what must hold before.
        proof: what holds when it is done. Every step that changes something has one.
        undo: the commands that take it back; or
        final: why nothing can take it back (then only ``rollback`` does); or
        stays: what it leaves behind and why that harms nobody; or
        reads: it changes nothing but its own report.
        untouched: for a final step that failed: the check that it left no trace, so that undo may go on.
        again: redoing it is safe, also after it was interrupted.
        repeatable: where that depends on what was done: one of these checks must hold before its commands run again.
        fact: the name under which its output is known to later steps.
        confirm: the operator types the target's name before it.
        doubted: says of the facts that are known by then whether the operator is asked again, who was asked before.
        retries: how often its commands are tried again, with growing pauses.
        meanwhile: what holds for users once it is done, until a step with the same ``ends`` is done.
        data: what is to be said of production's data once it is done.
        ends: see ``meanwhile``.
        on_failure: what to type where it failed and neither resume nor undo is the answer.
        when: the step is left out of a plan for inputs for which this is false.
        only: the same in words, for the page.
        watch: what is measured while its commands run.
        explain: once it was begun, and where the run did not end well: the tool that says what stands and what to type.
    """

    name: str
    title: str
    why: str
    act: Act
    gates: tuple[Check, ...] = ()
    proof: Check | None = None
    undo: Act | None = None
    final: str = ""
    stays: str = ""
    reads: bool = False
    untouched: Check | None = None
    again: bool = False
    repeatable: tuple[Check, ...] = ()
    fact: str = ""
    confirm: bool = False
    doubted: Callable[[Mapping[str, str]], bool] = lambda _: False
    retries: Callable[[Inputs], int] = lambda _: 0
    meanwhile: str = ""
    data: str = ""
    ends: str = ""
    on_failure: Callable[[Inputs], str] | None = None
    when: Callable[[Inputs], bool] = lambda _: True
    only: str = ""
    watch: Callable[[Inputs], Watch] | None = None
    explain: Callable[[Inputs], Tool] | None = None


def check(title: str, hint: str = "", *, once: bool = False) -> Callable[[Act], Check]:
    """Make a ``Check`` of a function that returns commands; its docstring says why the check is there."""

    def make(act: Act) -> Check:
        return Check(act.__name__, title, prose(act), act, hint, once)

    return make


def prose(function: Callable[..., object]) -> str:
    """The docstring as one paragraph."""
    return " ".join((inspect.getdoc(function) or "").split())


class Procedure:
    """An ordered list of steps with a name, and what the page says about it.

    Args:
        name: the task's name, with dashes.
        title: the page's heading.
        purpose: what it is for and when; the page's first lines.
        failure: what to do when it fails; the page's last lines.
        exclusive: it holds the run lock on production.
        task: what one types to run it.
        afterwards: what one may want to type when it is done.
        word: what the operator types where a step asks for it; the target's name unless told otherwise.
    """

    def __init__(
        self,
        name: str,
        title: str,
        purpose: str,
        failure: str,
        *,
        exclusive: bool = True,
        task: str = "",
        afterwards: Callable[[Inputs], str] = lambda _: "",
        word: Callable[[Inputs], str] = lambda c: c.target,
    ) -> None:
        self.name = name
        self.title = title
        self.purpose = " ".join(purpose.split())
        self.failure = " ".join(failure.split())
        self.exclusive = exclusive
        self.task = task or f"inv {name}"
        self.afterwards = afterwards
        self.word = word
        self.entries: list[tuple[Step, Callable[[Inputs], Inputs]]] = []

    def step(self, title: str, **fields: object) -> Callable[[Act], Step]:
        """Add a step whose act is the decorated function. Takes the fields of ``Step``."""

        def make(act: Act) -> Step:
            made = Step(f"{self.name}.{act.__name__}", title, prose(act), act, **fields)  # type: ignore[arg-type]
            self.entries.append((made, same))
            return made

        return make

    def include(
        self,
        other: Procedure,
        *,
        inputs: Callable[[Inputs], Inputs] | None = None,
        when: Callable[[Inputs], bool] | None = None,
        prefix: str = "",
        label: str = "",
        only: str = "",
    ) -> None:
        """Add another procedure's steps.

        Args:
            inputs: turns this procedure's inputs into those of the included steps.
            when: leaves all of them out where false.
            prefix: put before their names, where the same procedure is included twice.
            label: put before their titles, likewise.
            only: what ``when`` means, in words.
        """
        change = inputs or same
        for step, inner in other.entries:
            title = label + (step.title[0].lower() + step.title[1:] if label else step.title)
            applies = _both(when, step.when, change)
            named = replace(step, name=prefix + step.name, title=title, when=applies, only=only or step.only)
            self.entries.append((named, _chain(change, inner)))

    def steps(self, inputs: Inputs) -> list[tuple[Step, Inputs]]:
        """The steps for these inputs, each with the inputs that its act gets."""
        return [(step, change(inputs)) for step, change in self.entries if step.when(inputs)]


def same(inputs: Inputs) -> Inputs:
    """The inputs as they are."""
    return inputs


def _chain(first: Callable[[Inputs], Inputs], then: Callable[[Inputs], Inputs]) -> Callable[[Inputs], Inputs]:
    return lambda inputs: then(first(inputs))


def _both(
    outer: Callable[[Inputs], bool] | None, own: Callable[[Inputs], bool], change: Callable[[Inputs], Inputs]
) -> Callable[[Inputs], bool]:
    return lambda inputs: (outer is None or outer(inputs)) and own(change(inputs))

"""``Step``, ``Check`` and ``Procedure``: what is to be done, as data. No I/O, nothing runs here.

A step's ``act`` is a pure function of frozen inputs that *returns* commands. The same definition is read by the plan
(what would run), the run and its resume, the page, and undo.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ops.engine.command import Command, Query, Shell, Tool
from ops.engine.effects import Effect, StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need


class Time(StrEnum):
    """How long a step typically takes, as a page says it before anything was measured."""

    SECONDS = "seconds"
    DATABASE = "grows with the database"
    MIGRATIONS = "as long as the migrations"
    APPLICATION = "as long as the application's command"
    RAILWAY = "as long as Railway takes"


Act = Callable[[RunInputs], Command | Sequence[Command]]


def commands(act: Act | None, inputs: RunInputs) -> tuple[Command, ...]:
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
        name: its name in ``ops.engine.registry.WATCHES``.
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
        changes: where it changes what, in a few words, for the page's table. Every step but one that reads has it.
        takes: how long that typically takes, its gates and its proof included.
        gates: what must hold before.
        proof: what holds when it is done. Every step that changes something has one.
        undo: the commands that take it back; or
        final: why nothing can take it back (then only ``rollback`` does); or
        stays: what it leaves behind and why that harms nobody; or
        reads: it changes nothing but its own report.
        untouched: for a final step that failed: the check that it left no trace, so that undo may go on.
        again: redoing it is safe, also after it was interrupted.
        repeatable: where that depends on what was done: one of these checks must hold before its commands run again.
        does: what later commands ask for about it; the run's header says it.
        reports: the names in ``ops.engine.hooks`` of the reports that the outcome of its run carries.
        fact: the name under which its output is known to later steps.
        confirm: the operator types the target's name before it.
        doubted: says of the codes of the facts that are known by then whether the operator is asked again.
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
    changes: str = ""
    takes: Time = Time.SECONDS
    gates: tuple[Check, ...] = ()
    proof: Check | None = None
    undo: Act | None = None
    final: str = ""
    stays: str = ""
    reads: bool = False
    untouched: Check | None = None
    again: bool = False
    repeatable: tuple[Check, ...] = ()
    does: tuple[StepEffect, ...] = ()
    reports: tuple[str, ...] = ()
    fact: str = ""
    confirm: bool = False
    doubted: Callable[[Mapping[str, str]], bool] = lambda _: False
    retries: Callable[[RunInputs], int] = lambda _: 0
    meanwhile: str = ""
    data: str = ""
    ends: str = ""
    on_failure: Callable[[RunInputs], str] | None = None
    when: Callable[[RunInputs], bool] = lambda _: True
    only: str = ""
    watch: Callable[[RunInputs], Watch] | None = None
    explain: Callable[[RunInputs], Tool] | None = None


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
        needs: what it has to know beside its target.
        restores: it restores a backup, so pg_restore must read it, and what is encrypted must be opened.
        changes_production: it freezes the live database or exchanges its name, from the server's ``postgres``.
        effects: what its runs do that later commands ask for; their journals say it.
        instead_of: the procedure whose task means this one, where ``meant`` says so.
        meant: the same by the inventory's engine and the backup that was named.
        usual_backup: the backup that ``inv plan`` takes where none is named.
        compares: before it is run, it is told in which tables the live database differs from the backup.
        source: what production gets, in the headline; the backup that was chosen unless told otherwise.
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
        needs: Sequence[Need] = (),
        restores: bool = False,
        changes_production: bool = False,
        effects: Sequence[Effect] = (),
        instead_of: str = "",
        meant: Callable[[str, str], bool] = lambda engine, backup_id: False,
        usual_backup: str = "",
        compares: bool = False,
        source: Callable[[RunInputs], str] = lambda c: c.chosen,
        exclusive: bool = True,
        task: str = "",
        afterwards: Callable[[RunInputs], str] = lambda _: "",
        word: Callable[[RunInputs], str] = lambda c: c.target,
    ) -> None:
        self.name = name
        self.title = title
        self.purpose = " ".join(purpose.split())
        self.failure = " ".join(failure.split())
        self.needs = frozenset(needs)
        self.restores = restores
        self.changes_production = changes_production
        self.effects = frozenset(effects)
        self.instead_of, self.meant = instead_of, meant
        self.usual_backup, self.compares, self.source = usual_backup, compares, source
        self.exclusive = exclusive
        self.task = task or f"inv {name}"
        self.afterwards = afterwards
        self.word = word
        self.entries: list[tuple[Step, Callable[[RunInputs], RunInputs]]] = []

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
        inputs: Callable[[RunInputs], RunInputs] | None = None,
        when: Callable[[RunInputs], bool] | None = None,
        prefix: str = "",
        label: str = "",
        only: str = "",
        does: tuple[StepEffect, ...] = (),
    ) -> None:
        """Add another procedure's steps.

        Args:
            inputs: turns this procedure's inputs into those of the included steps.
            when: leaves all of them out where false.
            prefix: put before their names, where the same procedure is included twice.
            label: put before their titles, likewise.
            only: what ``when`` means, in words.
            does: what each of them does beside its own effects.
        """
        change = inputs or same
        for step, inner in other.entries:
            title = label + (step.title[0].lower() + step.title[1:] if label else step.title)
            applies = _both(when, step.when, change)
            effects = (*step.does, *does)
            named = replace(
                step, name=prefix + step.name, title=title, when=applies, only=only or step.only, does=effects
            )
            self.entries.append((named, _chain(change, inner)))

    def steps(self, inputs: RunInputs) -> list[tuple[Step, RunInputs]]:
        """The steps for these inputs, each with the inputs that its act gets."""
        return [(step, change(inputs)) for step, change in self.entries if step.when(inputs)]


def same(inputs: RunInputs) -> RunInputs:
    """The inputs as they are."""
    return inputs


def _chain(
    first: Callable[[RunInputs], RunInputs], then: Callable[[RunInputs], RunInputs]
) -> Callable[[RunInputs], RunInputs]:
    return lambda inputs: then(first(inputs))


def _both(
    outer: Callable[[RunInputs], bool] | None,
    own: Callable[[RunInputs], bool],
    change: Callable[[RunInputs], RunInputs],
) -> Callable[[RunInputs], bool]:
    return lambda inputs: (outer is None or outer(inputs)) and own(change(inputs))

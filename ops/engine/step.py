"""``Step``, ``Check`` and ``Procedure``: definitions as data. This module does no I/O and runs nothing.

A step's ``act`` is a pure function of frozen inputs that *returns* commands. The plan, the run, the resume, the undo
and the page all read the same definition.
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
    """The typical duration of a step, for a page that has no measurement."""

    SECONDS = "seconds"
    DATABASE = "grows with the database"
    MIGRATIONS = "as long as the migrations"
    APPLICATION = "as long as the application's command"
    RAILWAY = "as long as Railway takes"


Act = Callable[[RunInputs], Command | Sequence[Command]]


def commands(act: Act | None, inputs: RunInputs) -> tuple[Command, ...]:
    """Return the commands of an act; an empty tuple if there is no act."""
    if act is None:
        return ()
    made = act(inputs)
    return (made,) if isinstance(made, (Shell, Query, Tool)) else tuple(made)


@dataclass(frozen=True)
class Check:
    """A read-only condition: a gate before a step, or the proof after a step.

    Args:
        name: the function's name; the key in the journal.
        title: the sentence that is true if all commands of the check exit with 0.
        why: the consequence if the check fails.
        act: the commands; they change nothing.
        hint: what to type if the check fails.
        once: evaluate the check before the step begins, but not when an interrupted step is resumed.
    """

    name: str
    title: str
    why: str
    act: Act
    hint: str = ""
    once: bool = False


@dataclass(frozen=True)
class Watch:
    """A measurement that runs in this process while a step's commands run. It changes nothing; a page omits it.

    Args:
        name: the name in ``ops.engine.registry.WATCHES``.
        options: the keyword arguments, all of them text.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One step of a procedure.

    Args:
        name: ``procedure.function``; the key in the journal.
        title: the step's effect in one sentence.
        why: the function's docstring; the prose of the page.
        act: the commands of the step.
        changes: the object that the step changes, for the table of the page. Required unless ``reads`` is set.
        takes: the typical duration, including gates and proof.
        gates: the checks that must hold before the step.
        proof: the check that holds when the step is done. Required for every step that changes something.
        undo: the commands that undo the step; or
        final: why the step cannot be undone (only ``rollback`` reverts its effect); or
        stays: what the step leaves behind, and why that does no harm; or
        reads: the step changes nothing except its own report.
        untouched: the check that a failed final step has changed nothing. If it holds, undo is allowed.
        again: the step may be repeated safely, also after an interruption.
        repeatable: conditions of ``again``: one of these checks must hold before the commands run again.
        does: the effects that later commands look up in the run's header.
        alike: the names of the steps that together take about as long, to estimate a step that was never measured.
        reports: the names in ``ops.engine.hooks`` of the reports that the run's outcome carries.
        fact: the name under which later steps read the step's output.
        confirm: the operator types the target's name before the step.
        doubted: returns True if the codes of the known facts require a second confirmation.
        retries: the number of retries of the commands, with growing pauses.
        meanwhile: what users experience after the step, until a step with the same ``ends`` is done.
        data: the statement about production's data after the step.
        ends: see ``meanwhile``.
        on_failure: what to type if the step failed and neither resume nor undo helps.
        when: omit the step from a plan if this returns False for the plan's inputs.
        only: the condition of ``when`` in words, for the page.
        watch: the measurement that runs while the commands run.
        explain: the tool that describes the state and the next steps if the run fails after the step was begun.
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
    alike: tuple[str, ...] = ()
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
    """Make a ``Check`` of a function that returns commands; the function's docstring is the check's ``why``."""

    def make(act: Act) -> Check:
        return Check(act.__name__, title, prose(act), act, hint, once)

    return make


def prose(function: Callable[..., object]) -> str:
    """Return the docstring as one paragraph."""
    return " ".join((inspect.getdoc(function) or "").split())


class Procedure:
    """An ordered list of steps with a name and the texts of its page.

    Args:
        name: the task's name, with dashes.
        title: the page's heading.
        purpose: the purpose and the occasion; the first lines of the page.
        failure: what to do after a failure; the last lines of the page.
        needs: the inputs that the procedure requires in addition to the target.
        restores: the procedure restores a backup, so pg_restore must be able to read the backup, and an encrypted
            backup needs an identity.
        changes_production: the procedure freezes the live database or renames it, connected to ``postgres``.
        effects: the effects of its runs that later commands look up in their journals.
        instead_of: the procedure whose task runs this procedure if ``meant`` returns True.
        meant: the condition of ``instead_of``, given the inventory's engine and the ID of the named backup.
        usual_backup: the backup that ``inv plan`` assumes if none is named.
        compares: report before the run which tables of the live database differ from the backup.
        source: the origin of production's new content, for the headline; by default the chosen backup.
        exclusive: the procedure holds the run lock on production.
        task: the command that runs the procedure.
        afterwards: the next command after the procedure is done.
        undone_by: the command that undoes the finished procedure; it is offered if ``afterwards`` returns no command.
        word: the word that the operator types to confirm; by default the target's name.
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
        undone_by: Callable[[RunInputs], str] = lambda _: "",
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
        self.afterwards, self.undone_by = afterwards, undone_by
        self.word = word
        self.entries: list[tuple[Step, Callable[[RunInputs], RunInputs]]] = []

    def next_command(self, inputs: RunInputs) -> str:
        """Return what is useful to type after the procedure is done: the next command, or how to undo the procedure."""
        return self.afterwards(inputs) or self.undone_by(inputs)

    def step(self, title: str, **fields: object) -> Callable[[Act], Step]:
        """Add a step whose act is the decorated function; ``fields`` are the fields of ``Step``."""

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
            inputs: maps this procedure's inputs to those of the included steps.
            when: omit all included steps if this returns False.
            prefix: prefix of the included steps' names, if the same procedure is included twice.
            label: prefix of the included steps' titles, if the same procedure is included twice.
            only: the condition of ``when`` in words.
            does: effects of each included step in addition to its own.
        """
        change = inputs or same
        for step, inner in other.entries:
            title = label + (step.title[0].lower() + step.title[1:] if label else step.title)
            applies = _both(when, step.when, change)
            effects = (*step.does, *does)
            named = replace(
                step,
                name=prefix + step.name,
                title=title,
                when=applies,
                only=only or step.only,
                does=effects,
                alike=step.alike or ((step.name,) if prefix else ()),
            )
            self.entries.append((named, _chain(change, inner)))

    def steps(self, inputs: RunInputs) -> list[tuple[Step, RunInputs]]:
        """Return the steps for these inputs, each with the inputs of its act."""
        return [(step, change(inputs)) for step, change in self.entries if step.when(inputs)]


def same(inputs: RunInputs) -> RunInputs:
    """Return the inputs unchanged."""
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

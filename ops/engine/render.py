"""Render a plan for people: a procedure's page in Markdown, and the text of ``--plan``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from ops.core.text import counted
from ops.engine.command import Command, Secret, joined, quote, reveal, show
from ops.engine.inputs import RunInputs
from ops.engine.plan import Plan, PlannedCheck, PlannedStep
from ops.engine.step import Step, prose
from ops.engine.summary import lower

NOTHING: Mapping[str, str] = {}
TEMPLATES = Path(__file__).parents[1] / "templates"
# The variables that a command uses, without those that have a default.
_USED = re.compile(r"\$\{?([A-Z][A-Z_]*)\b(?!:-)")
# The page's first block sets them, or this module's caller.
_GIVEN = {"RUN", "PGSERVICEFILE", "PGAPPNAME", "PATH", "HOME"}


def page(plan: Plan, variables: list[str]) -> str:
    """Render the page of a procedure.

    Args:
        plan: the plan for a page's inputs; unknown values are placeholders.
        variables: lines of shell that set the variables of the page.
    """
    c = plan.inputs
    gates = {gate.check.name: _check(gate) for planned in plan.steps for gate in planned.gates}
    steps = [_step(number, planned) for number, planned in enumerate(plan.steps, 1)]
    commands = [*_commands(gates.values(), steps)]
    text = template("page.md.j2").render(
        page={
            "title": plan.procedure.title,
            "purpose": plan.procedure.purpose,
            "failure": plan.procedure.failure,
            "task": plan.procedure.task,
            "exclusive": plan.procedure.exclusive,
            "confirm": plan.confirms,
            "gates": list(gates.values()),
            "services": list(dict.fromkeys([c.target, *_services(commands)])),
            "target": c.target,
            "variables": variables,
            "run_folder": quote(c.run_folder),
            "by_hand": _set_by_hand(commands, variables, c),
            "steps": steps,
            "next": _after(plan.procedure.afterwards(c)),
            "regret": _after(plan.procedure.undone_by(c)),
        }
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def template(name: str) -> jinja2.Template:
    """Return a template of ``ops/templates``."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def _too_old(c: RunInputs) -> str:
    """Return a warning if pg_restore of this machine is too old for a dump of the server's pg_dump; else ""."""
    server = c.server.split(".")[0]
    if not (c.tools.isdigit() and server.isdigit()) or int(c.tools) >= int(server):
        return ""
    return f"; pg_restore of this machine is {c.tools}; restoring the dump needs {server} or newer"


def _after(hint: str) -> dict[str, str]:
    """Return a command for the end of a page, and its purpose or condition; none that needs a run of the tool."""
    command, _, why = hint.partition("   ")
    if not command or command.startswith(("inv undo", "inv status")):
        return {}
    return {"command": " ".join(map(quote, command.split())), "why": f" {why.strip()}" if why else ""}


def _step(number: int, planned: PlannedStep) -> dict[str, Any]:
    step = planned.step
    return {
        "title": step.title,
        "anchor": _anchor(f"{number}. {step.title}"),
        "changes": "nothing" if step.reads else step.changes,
        "takes": step.takes,
        "back": _back(step),
        "why": reveal(step.why),
        "only": step.only,
        "final": step.final,
        "stays": step.stays,
        "gates": [_check(gate) for gate in planned.gates],
        "commands": _shown(planned.commands),
        "proof": _check(planned.proof) if planned.proof else None,
        "undo": _shown(planned.undo),
        "undo_words": prose(step.undo) if step.undo else "",
    }


def _commands(gates: Iterable[dict[str, Any]], steps: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield every command of a page."""
    for gate in gates:
        yield from gate["commands"]
    for step in steps:
        yield from (*step["commands"], *step["undo"], *(step["proof"]["commands"] if step["proof"] else ()))


def _services(commands: Iterable[str]) -> list[str]:
    """Return the sections of the service file that commands use."""
    return [name for text in commands for name in re.findall(r"\bservice=([\w.@-]+)", text)]


def _set_by_hand(commands: Iterable[str], variables: Iterable[str], c: RunInputs) -> list[str]:
    """Return lines of shell that set the variables of a page; ``…`` stands for what its reader has to fill in.

    Args:
        commands: the commands of the page.
        variables: the lines of the page that set its own variables.
        c: the inputs of the page.
    """
    exports = [line.partition('"')[0] for line in variables if line.startswith("export ")]
    own = _GIVEN | {name for line in exports for name in re.findall(r"\b[A-Z_]+\b", line)}
    # The page itself asks for these.
    own |= {name for line in variables for name in re.findall(r"\$\{([A-Z_]+):\?", line)}
    used = dict.fromkeys(name for text in (*variables, *commands) for name in _USED.findall(text) if name not in own)
    known = _known(c)
    return [f"export {name}={known.get(name, '…')}" for name in used]


def _known(c: RunInputs) -> dict[str, str]:
    """Return the value of each variable for which there is a command."""
    found = {
        "OPS_SQL": '''"$(python -c 'from ops.core.sql_files import SQL_FOLDER; print(SQL_FOLDER)')"''',
        # Each pg_dump knows this value.
        "COMPRESS": "6",
        "TARGET": quote(c.target),
    }
    for prefix, target in (("", c.target), ("TEST_", c.test)):
        if target:
            ask = f"psql -XqAt {quote(f'service={target}')} -c"
            found[f"{prefix}DATABASE"] = f'"$({ask} "SELECT current_database()")"'
            found[f"{prefix}SYSTEM"] = f'"$({ask} "SELECT system_identifier FROM pg_control_system()")"'
            found[Secret(target).variable] = '"$(cat …)"'
    return found


def _anchor(heading: str) -> str:
    """Return the anchor of a heading, in the form of GitHub and mkdocs."""
    return re.sub(r"[^\w\s-]", "", heading).lower().replace(" ", "-")


def _back(step: Step) -> str:
    """Return how a step is undone, for a cell of the table."""
    if step.final:
        return f"it cannot be undone: {lower(step.final)}"
    if step.undo:
        return f"`inv undo`: {lower(re.split(r'(?<=[.;]) ', prose(step.undo))[0].rstrip('.;'))}"
    return step.stays if "inv " in step.stays else "nothing to undo"


def _check(planned: PlannedCheck) -> dict[str, Any]:
    return {"title": planned.check.title, "why": planned.check.why, "commands": _shown(planned.commands)}


def _shown(commands: tuple[Command, ...]) -> list[str]:
    return [show(command) for command in commands]


def plan_text(
    plan: Plan, migrations: Sequence[str] = (), times: Sequence[str] = (), takes: Mapping[str, str] = NOTHING
) -> str:
    """Return the text of ``--plan``: names, sizes and the exact commands, with secrets as variables.

    Args:
        migrations: the pending migrations in their order, one per line.
        times: lines about the time of the plan.
        takes: the estimated time of steps, by name.
    """
    c = plan.inputs
    lines = [f"{c.target}: {plan.procedure.title}", f"  production: {c.database} on PostgreSQL {c.server}"]
    if c.test:
        lines.append(f"  test:       {c.test} ({c.test_server.database})")
    if c.chosen:
        lines.append(f"  from:       {c.chosen}")
    if c.release.pending:
        lines.append(f"  pending:    {counted(len(c.release.pending), 'migration')}, in the order in which they run")
        lines += [f"        {line}" for line in migrations]
    lines.append(f"  freeze:     {'yes' if c.read_only else 'no'}")
    lines += [f"  {line}" for line in times]
    if c.dump.exclude:
        lines.append(f"  without:    the rows of {', '.join(c.dump.exclude)}   (dump: exclude)")
    if c.dump.rate:
        lines.append(f"  rate limit: {c.dump.rate:,} bytes per second")
    if c.dump.standby:
        lines.append(f"  dump of:    {c.dumped}, at most {c.dump.max_lag:g} s behind production")
    if c.dump.over:
        lines.append(f"  pg_dump:    on the database's machine, over   {joined(c.dump.over)}{_too_old(c)}")
    lines += [f"  {note}" for note in (c.salvage.notes if c.salvage else ())]
    for number, planned in enumerate(plan.steps, 1):
        lines += _step_lines(number, planned, takes.get(planned.name, ""))
    lines.append(f"\ndigest {plan.digest[:16]}; nothing was changed.")
    return "\n".join(lines)


def _step_lines(number: int, planned: PlannedStep, takes: str = "") -> list[str]:
    lines = [f"\n{number:>2}. {planned.step.title}"]
    lines += [f"    takes {takes}"] if takes else []
    lines += [f"    if    {gate.check.title}" for gate in planned.gates]
    lines += [f"    run   {command}" for command in _shown(planned.commands)]
    lines += [f"    done  {planned.proof.check.title}"] if planned.proof else []
    lines += [f"    undo  {command}" for command in _shown(planned.undo)]
    return [*lines, f"    final {planned.step.final}"] if planned.step.final else lines


def rest_text(plan: Plan, steps: Sequence[PlannedStep], *, undo: bool, nothing: str = "") -> str:
    """Return the text of ``--plan`` for resuming or undoing a run: the remaining steps in their order.

    Args:
        steps: the remaining steps.
        undo: the steps are undone.
        nothing: why there is nothing to undo.
    """
    c = plan.inputs
    lines = [f"{c.target}: {'undo' if undo else 'resume'}: {plan.procedure.title} (run {c.run})"]
    numbers = {planned.name: number for number, planned in enumerate(plan.steps, 1)}
    for planned in steps:
        number = numbers[planned.name]
        shown = [f"\n{number:>2}. Undo: {planned.step.title}"] if undo else _step_lines(number, planned)
        lines += [*shown, *(f"    run   {command}" for command in _shown(planned.undo) if undo)]
    if undo and not steps:
        lines.append(f"  there is nothing to undo{f': {nothing}' if nothing else ''}")
    return "\n".join([*lines, "\nnothing was changed."])


def rest_data(plan: Plan, steps: Sequence[PlannedStep], *, undo: bool) -> dict[str, object]:
    """Return the content of ``rest_text`` for ``--json``."""
    shown = [
        {"step": one.name, "title": one.step.title, "commands": _shown(one.undo if undo else one.commands)}
        for one in steps
    ]
    about = {"procedure": plan.procedure.name, "target": plan.inputs.target, "run": plan.inputs.run}
    return {"event": "plan", **about, "undo": undo, "digest": plan.digest, "steps": shown}

"""A toy procedure that uses all that a step can say, and every place of it at which a run can be struck.

Its commands make and drop named things of a world that is only thought (``tests.support.toy_session``);
no program runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from ops.engine.command import Command, Fact, Query, Shell, Tool
from ops.engine.effects import StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.plan import Plan, PlannedStep, make_plan
from ops.engine.step import Act, Procedure, Time, Watch, check
from tests.faults.places import Place
from tests.faults.places import places as commands_of

TARGET = "shop"
FROZEN = "production is frozen"
INPUTS = RunInputs(run="r1", target=TARGET, database=TARGET, store="backups", backup="r1")


def make(name: str, *words: str | Fact) -> Shell:
    return Shell(("toy", "make", name, *words), TARGET)


def by_tool(does: str, name: str) -> Tool:
    return Tool("toy", {"does": does, "name": name})


def by_sql(does: str, name: str) -> Query:
    """One of our own files; its psql ends with 2 where the connection is lost."""
    return Query(f"{does}.sql", TARGET, parameters={"live": TARGET, "name": name})


def drops(*names: str) -> Act:
    return lambda _: [Shell(("toy", "drop", name), TARGET) for name in names]


@check("This is the server that was planned for", "inv status")
def is_planned(_: RunInputs) -> Command:
    """Else another one would be changed."""
    return by_sql("true", "")


@check("Nobody has frozen production", "inv unfreeze", once=True)
def takes_writes_yet(_: RunInputs) -> Command:
    """Else it would be thawed for somebody who wants it frozen."""
    return by_tool("gone", "frozen")


@check("New sessions are read-only")
def is_frozen(_: RunInputs) -> Command:
    """A write would be lost."""
    return by_sql("there", "frozen")


@check("New sessions may write")
def takes_writes(_: RunInputs) -> Command:
    """A production that stays read-only is an outage."""
    return by_tool("gone", "frozen")


@check("The pack is whole")
def is_packed(c: RunInputs) -> list[Command]:
    """Half a pack is none."""
    return [by_tool("there", f"pack-{c.backup}"), by_tool("there", f"list-{c.backup}")]


@check("Nothing is filled in yet", once=True)
def is_empty(_: RunInputs) -> list[Command]:
    """It would be there twice."""
    return [by_tool("gone", "rows"), by_tool("gone", "links")]


@check("All is filled in")
def is_filled(_: RunInputs) -> list[Command]:
    """Half of it is of no use."""
    return [Shell(("toy", "there", "rows"), TARGET), by_tool("there", "links")]


@check("It has a number")
def is_numbered(_: RunInputs) -> Command:
    """The number is needed."""
    return by_tool("there", "number")


@check("What was filled is live, and open")
def is_live(_: RunInputs) -> list[Command]:
    """Users must reach it."""
    return [by_tool("there", "live"), Shell(("toy", "gone", "closed"), TARGET)]


@check("The schema is the new one")
def is_migrated(_: RunInputs) -> Command:
    """migrate can end with 0 without having done anything."""
    return Shell(("toy", "there", "schema"), TARGET)


@check("The schema is the old one")
def left_no_trace(_: RunInputs) -> Command:
    """Then nothing is lost by going back."""
    return by_sql("gone", "schema")


def rollback_hint(c: RunInputs) -> str:
    return f"inv rollback --backup={c.backup}"


pack = Procedure("pack", "Pack", "Keeps things.", "Pack again.")


@pack.step("Pack", proof=is_packed, stays="A pack takes a little room.", again=True)
def put(c: RunInputs) -> list[Command]:
    """What is packed can be unpacked."""
    return [make(f"pack-{c.backup}"), by_tool("make", f"list-{c.backup}")]


toy = Procedure(
    "toy", "Toy", "Tries the engine.", "See the text.", afterwards=lambda _: "inv status", word=lambda c: f"{c.target}!"
)


@toy.step("Look", gates=(is_planned,), reads=True, again=True, fact="ROWS", reports=("toy",))
def look(_: RunInputs) -> list[Command]:
    """How many rows there are is needed later."""
    return [Shell(("toy", "say", "ready"), TARGET), Shell(("toy", "say", "many\n3"), TARGET)]


@toy.step(
    "Freeze production",
    does=(StepEffect.FREEZES,),
    gates=(takes_writes_yet,),
    proof=is_frozen,
    undo=drops("frozen"),
    again=True,
    confirm=True,
    meanwhile=FROZEN,
)
def freeze(_: RunInputs) -> Command:
    """Nobody writes meanwhile."""
    return make("frozen")


toy.include(pack, inputs=lambda c: c.model_copy(update={"backup": f"{c.run}_last"}), prefix="last-", label="Last: ")
toy.include(pack, when=lambda c: c.railway.no_safety, prefix="more-", only="Only where more is asked for.")


@toy.step(
    "Fill in the rows",
    changes="the rows and the links",
    takes=Time.DATABASE,
    gates=(is_empty,),
    proof=is_filled,
    undo=drops("links", "rows"),
)
def fill(_: RunInputs) -> list[Command]:
    """Twice would be once too often."""
    return [make("rows", Fact("ROWS")), by_tool("make", "links")]


@toy.step("Number it", proof=is_numbered, undo=lambda _: by_tool("drop", "number"), fact="NUMBER")
def number(_: RunInputs) -> Command:
    """A number is given once."""
    return Shell(("toy", "number", "number"), TARGET)


@toy.step(
    "Make it live",
    proof=is_live,
    undo=lambda _: by_sql("swap", "old"),
    again=True,
    confirm=True,
    doubted=lambda codes: "ROWS" in codes,
    data="what was filled is live",
)
def swap(_: RunInputs) -> Command:
    """Nobody is let in while the names change."""
    return by_sql("swap", "live")


@toy.step(
    "Run the migrations",
    gates=(is_planned,),
    proof=is_migrated,
    final="Migrations are not run backwards.",
    untouched=left_no_trace,
    again=True,
    repeatable=(left_no_trace, is_planned),
    confirm=True,
    retries=lambda _: 2,
    data="production was migrated",
    on_failure=rollback_hint,
    watch=lambda _: Watch("toy"),
    explain=lambda c: Tool("explain-toy", {"run": c.run}),
)
def migrate(_: RunInputs) -> Command:
    """It waits for a lock only briefly, and tries again."""
    return make("schema", Fact("NUMBER"))


@toy.step(
    "Let production take writes again", proof=takes_writes, stays="It can be frozen again.", again=True, ends=FROZEN
)
def thaw(_: RunInputs) -> Command:
    """It is through."""
    return by_tool("drop", "frozen")


# --- places ----------------------------------------------------------------------------------------------------------

# What is asked while no step is the current one: what a resume or an undo asks first.
FIRST = "first"


class Short(Plan):
    """A plan whose journal holds the steps' names only: thousands of headers are written and read."""

    def data(self) -> list[dict[str, object]]:
        return [{"step": planned.name} for planned in self.steps]


def toy_plan() -> Plan:
    plan = make_plan(toy, INPUTS)
    return Short(plan.procedure, plan.inputs, plan.steps)


def on_the_way(plan: Plan) -> list[Place]:
    """Every command, and every line of the journal, of a run that goes well."""
    lines = [Place("run", "journal-run", 0), Place("run", "journal-outcome", 0)]
    return [*commands_of(plan), *lines, *(line for planned in plan.steps for line in _lines(planned))]


def _lines(planned: PlannedStep) -> Iterator[Place]:
    yield Place(planned.name, "journal-begun", 0)
    if planned.step.watch:
        yield Place(planned.name, "journal-measures", 0)
    if planned.step.fact:
        yield Place(planned.step.fact, "journal-fact", 0)
    yield Place(planned.name, "journal-done", 0)


def on_the_way_back(plan: Plan) -> list[Place]:
    """The same of an undo that goes well; whether a final step left no trace is asked before and after it has begun."""
    found = [Place("run", "journal-undoing", 0), Place("run", "journal-outcome", 0)]
    for planned in plan.steps:
        if planned.untouched:
            found += [Place(FIRST, planned.untouched.check.name, turn) for turn in (0, 1)]
        if planned.undo:
            found += [Place(planned.name, "undo", index) for index in range(len(planned.undo))]
            found += [Place(planned.name, planned.proof.check.name, 0)] if planned.proof else []
            found += [Place(planned.name, f"journal-{status}", 0) for status in ("undoing", "undone")]
    return found


def made_by(planned: PlannedStep) -> set[str]:
    """The names of the things that a step makes."""
    return {name for command in planned.commands for verb, name in [said_to(command)] if verb in ("make", "number")}


def said_to(command: Command) -> tuple[str, str]:
    """A command's verb and the name of the thing that it is about."""
    if isinstance(command, Shell):
        return str(command.words[1]), str(command.words[2])
    if isinstance(command, Query):
        return command.file.removesuffix(".sql"), command.parameters.get("name", "")
    return command.options["does"], command.options["name"]

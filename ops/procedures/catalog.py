"""Find all procedures that can be planned and have a page: each definition in this folder that declares needs."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules

from ops import __version__, procedures
from ops.core.errors import Refused, UsageError
from ops.engine.inputs import RunInputs
from ops.engine.journal import State
from ops.engine.plan import Plan, make_plan
from ops.engine.step import Procedure

READERS = ("catalog",)


def find_procedures() -> dict[str, Procedure]:
    """Import every definition and return the procedures that declare needs, by name. The others are only parts."""
    names = [found.name for found in iter_modules(procedures.__path__) if not found.ispkg and found.name not in READERS]
    modules = [import_module(f"{procedures.__name__}.{name}") for name in names]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Procedure)]
    return {procedure.name: procedure for procedure in found if procedure.needs}


PROCEDURES = find_procedures()


def usual_backup(name: str) -> str:
    """Return the backup with which `inv plan` plans the procedure if none is named; empty if none is needed."""
    return PROCEDURES[name].usual_backup if name in PROCEDURES else ""


def procedure_of(name: str, engine: str, backup_id: str = "") -> Procedure:
    """Return the procedure that a task runs.

    Args:
        name: the task's name.
        engine: the backup engine of the target in the inventory.
        backup_id: the backup that the command names.

    Raises:
        UsageError: no procedure has this name.
    """
    if name not in PROCEDURES:
        close = get_close_matches(name, PROCEDURES, 1)
        raise UsageError(f"there is no procedure {name!r}", f"inv plan --procedure={close[0] if close else 'release'}")
    instead = (one for one in PROCEDURES.values() if one.instead_of == name and one.meant(engine, backup_id.strip()))
    return next(instead, PROCEDURES[name])


def replan(state: State, *, checked: bool = True) -> Plan:
    """Make a run's plan again from the run's header.

    Args:
        checked: check the definitions, too; all actions must be imported then.

    Raises:
        Refused: the plan has another digest, because another version of the tool began the run or the journal was
            edited.
    """
    try:
        inputs = RunInputs.model_validate(state.header["inputs"])
        plan = make_plan(PROCEDURES[state.procedure], inputs, checked=checked)
        if (inputs.run, inputs.target) == (state.run, state.target) and plan.digest == state.header["digest"]:
            return plan
    except (ValueError, KeyError):
        pass
    tool, at = state.header.get("tool"), state.header.get("at")
    earlier = f"version {tool}"
    fetch = f"python -m pip install generalprobe=={tool}   (or check out the commit that was in use at {at})"
    if tool == __version__:
        # Two commits of a checkout have the same version.
        earlier, fetch = f"another commit of version {tool}", f"check out the commit that was in use at {at}"
    raise Refused(
        f"{state.target}: run {state.run} was begun by {earlier}, whose commands differ from this version's: "
        "end open runs before upgrading",
        f"{fetch}   and there   inv resume --run={state.run}   or   inv undo --run={state.run}",
    )

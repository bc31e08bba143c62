"""List the tasks in groups."""

from __future__ import annotations

from invoke.collection import Collection
from invoke.program import Program
from invoke.util import helpline

from ops.cli.namespace.operation import Operation

GROUPS = {
    "Release": (
        *("release", "plan", "hazards", "clone-prod-to-test", "migrate-test", "verify", "promote"),
        *("freeze", "unfreeze", "scaffold-rename"),
    ),
    "Recovery": (
        *("recover", "resume", "undo", "rollback", "salvage", "railway-restore", "discard-replaced"),
    ),
    "Backups": (
        *("backup", "backups", "drill", "check-backups", "prune-backups", "pin", "unpin", "unpack"),
    ),
    "Inspection": ("overview", "status", "runs", "doctor"),
    "Setup": ("schedule", "scheduled", "environment", "runbooks", "tools"),
}
OWN = "Your own"
MORE = """inv TASK --help   explains a task and its options
inv tools         lists the actions that the commands of the runbooks call"""


def groups(known: Collection) -> dict[str, list[str]]:
    """Return the names of the tasks of each group. The project's own tasks come last. Actions are omitted."""
    place = {task: group for group, tasks in GROUPS.items() for task in tasks}
    order = {task: number for number, task in enumerate(place)}
    found: dict[str, list[str]] = {group: [] for group in (*GROUPS, OWN)}
    ours = {name: task.name for name in known.task_names if isinstance(task := known[name], Operation)}
    for name in sorted(known.task_names, key=lambda name: order.get(ours.get(name, ""), len(order))):
        if name not in ours or ours[name] in place:
            found[place.get(ours.get(name, ""), OWN)].append(name)
    return {group: tasks for group, tasks in found.items() if tasks}


def show_groups(known: Collection, program: Program) -> None:
    """Print every task with the first line of its docstring, group by group."""
    found = groups(known)
    width = max(len(name) for names in found.values() for name in names)
    for group, names in found.items():
        print(f"{group}:\n")
        program.print_columns([(name.ljust(width), helpline(known[name])) for name in names])
    print(MORE)

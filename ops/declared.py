"""The verdict held against the application's declarations, and what is said where they do not cover it."""

from __future__ import annotations

import os
from pathlib import Path

from ops import expectations_draft
from ops.errors import UsageError
from ops.expectations import Declared, Expectations, declare, find, names, places
from ops.explain import explain
from ops.probes import declarations, pending, probe
from ops.verdict import Verdict
from ops.world import World

SHOWN = 12


def declare_for(world: World, target: str, judged: Verdict) -> tuple[Declared, Expectations]:
    """Hold a verdict against what the application's repository declares; marks what is covered.

    Raises:
        InventoryError: the file of declarations is wrong.
    """
    expectations = declarations(world, target)
    if not expectations.entries:
        return declare(judged, expectations, (), ()), expectations
    names = _pending(world, target)
    known = [*probe(world, target, target)["applied"], *names]
    return declare(judged, expectations, names, known), expectations


def _pending(world: World, target: str) -> list[str]:
    return [name for name, _ in pending(probe(world, target, target))]


def refusal(
    world: World, target: str, declared: Declared, expectations: Expectations, *, right: str = "", write: bool = False
) -> tuple[str, str]:
    """Message and hint for what is not declared, or declared otherwise, with the draft of a declaration.

    Args:
        right: how to write this very migration right, where that is known.
        write: add the draft to the application's file. It is refused until a person has filled it in.
    """
    message, hint = f"{target}: refused, production is untouched", ""
    if declared.left.refused:
        message, hint = explain(target, declared.left, right)
    if declared.objections:
        hint = hint or f"correct {expectations.file}, then   inv verify --target={target}"
        message += f"{chr(10) if declared.left.refused else ': '}not as declared: {'; '.join(declared.objections[:6])}"
    drafted = expectations_draft.draft(declared.left, expectations, _pending(world, target))
    if not drafted:
        return message, hint
    file, shown = _file(world, target)
    if write and file:
        expectations_draft.write(file, drafted)
        return message, f"{hint}. Or, if it is meant: fill in every `why` in {shown}, commit it, and inv release"
    more = f"\n# … and {len(drafted) - SHOWN} more" if len(drafted) > SHOWN else ""
    draft = expectations_draft.text(drafted[:SHOWN]).rstrip() + more
    return f"{message}\nOnly if this is meant, declare it in {shown} (inv verify --write-expectations):\n{draft}", hint


def _file(world: World, target: str) -> tuple[Path | None, str]:
    """The application's file, and how it is shown; no path where it is on a host behind SSH."""
    app, host = world.inventory.target(target).app, world.host(target)
    if app is None:
        raise UsageError(f"{target} has no app", "app: {dir: ../shop, manage: [python, manage.py]}")
    if host:
        return None, f"{host.words[-1]}:{app.dir}/{names(app.manage)[-1]}"
    folder = world.inventory.path(app.dir)
    file = find(folder, app.manage) or places(folder, app.manage)[0]
    return file, os.path.relpath(file, world.inventory.folder)

"""Return commands that replace a migration that drops a renamed model with its rows."""

from __future__ import annotations

import os

from ops.application.operations import Application, Operation
from ops.engine.command import quote
from ops.infra.session.session import Session


def migration_file(session: Session, target: str, name: str) -> str:
    """Return the path of a migration of the application, relative to the inventory's folder.

    Return an empty string if the migration is another package's or is not on this machine.
    """
    app = session.inventory.target(target).app
    if app is None or session.host(target):
        return ""
    label, _, stem = name.partition(".")
    found = list(session.inventory.path(app.dir).glob(f"**/{label}/migrations/{stem}.py"))
    return os.path.relpath(found[0], session.inventory.folder) if len(found) == 1 else ""


def scaffold(target: str, gone: Operation, made: Operation) -> str:
    """Return the command that writes the rename of one model to another."""
    words = f"{gone.app} {gone.model_name} {made.model_name}" + (f" --target={target}" if target else "")
    return f"inv scaffold-rename {words}"


def replace(session: Session, target: str, plan: Application, gone: Operation, made: Operation) -> str:
    """Return the commands that replace a migration that deletes a model and creates another with a rename.

    Return an empty string if these are two migrations, if a later migration of the app depends on it, or if the file
    is not on this machine.
    """
    later = [one for one in plan.operations if one.app == gone.app][-1:]
    if gone.migration != made.migration or any(one.migration != gone.migration for one in later):
        return ""
    file = migration_file(session, target, gone.migration)
    return f"rm {quote(file)} && {scaffold(target, gone, made)}" if file else ""

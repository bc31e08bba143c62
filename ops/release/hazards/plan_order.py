"""Rules about the plan as a whole: what can't run at all, or not in this order."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ops.application.operations import Application, Operation
from ops.core.text import listed
from ops.release.hazards.rule import Found, Place, rule


@rule(
    "GP301",
    "stop",
    whole=True,
    what="{app}: {names} both end the migrations of one app",
    why="Two people wrote a migration on top of the same one. Django does not know which comes first and refuses.",
    how="python manage.py makemigrations --merge",
)
def conflicts(app: Application) -> Iterator[Found]:
    """Two leaves."""
    for label, names in app.conflicts.items():
        yield Found({"app": label, "names": " and ".join(names)})


@rule(
    "GP302",
    "stop",
    whole=True,
    what="{said}",
    why="A migration is recorded as applied, and one that it depends on is not. Django refuses to migrate.",
    how="Find out whether the missing one's work is in the database. If it is, record it: "
    "python manage.py migrate APP NAME --fake; if not, it was recorded by mistake.",
)
def inconsistent(app: Application) -> Iterator[Found]:
    """Unapplied dependencies."""
    if app.inconsistent:
        yield Found({"said": app.inconsistent.split(": ", 1)[-1]})


@rule(
    "GP303",
    "stop",
    whole=True,
    what="{said}",
    why="The operation does not fit the models as the migrations before it leave them, so Django fails on it.",
    how="Look at what runs before it: python manage.py migrate --plan shows the order.",
)
def broken(app: Application) -> Iterator[Found]:
    """An operation that does not fit."""
    if app.broken:
        yield Found({"said": app.broken})


@rule(
    "GP304",
    "stop",
    whole=True,
    what="production has migrations that this release does not know: {names}",
    why="Production is ahead of this code, or another branch was released: what would be migrated is not there.",
    how="Check out a release that is at least as new as production's.",
)
def unknown(app: Application) -> Iterator[Found]:
    """A release older than production."""
    if app.unknown:
        yield Found({"names": listed(app.unknown)})


@rule(
    "GP305",
    "stop",
    what="{words} asks for {model}, which is not there any more{by}",
    why="apps.get_model gives the models as they are at this point of the plan: it fails with LookupError.",
    how="{how}",
)
def model_is_gone(place: Place) -> Iterator[Found]:
    """RunPython comes too late."""
    for model in place.operation.missing:
        by = next((one for one in reversed(place.earlier) if _takes(one, model)), None)
        said = f": {by.words} in {by.migration} runs before" if by else ""
        how = (
            f'Ask for it by its new name: apps.get_model("{by.app}", "{by.new_model_name}").'
            if by and by.acts_as == "RenameModel"
            else f"Put this operation before {by.words if by else 'what removes the model'}: copy first, delete last."
        )
        yield Found({"model": model, "by": said, "how": how})


def _takes(operation: Operation, model: str) -> bool:
    named = f"{operation.app}.{operation.model_name}".lower() == model.lower()
    return named and operation.acts_as in ("DeleteModel", "RenameModel")


@rule(
    "GP306",
    "stop",
    what="{words} reads {table}, which is not there any more: {by} in {migration} runs before",
    why="The table is dropped before the statement runs: it fails, and if it did not, there would be nothing to copy.",
    how="Put it before {by}: copy first, delete last.",
)
def table_is_gone(place: Place) -> Iterator[Found]:
    """RunSQL comes too late."""
    code = place.operation.code
    careful = re.search(r"\b(exists|to_regclass|do|execute)\b", code, re.IGNORECASE)
    if place.operation.kind != "RunSQL" or not place.operation.opaque or careful:
        return
    for table, by in place.gone.items():
        if re.search(rf'\b(from|join|into|update)\s+(only\s+)?"?{re.escape(table)}"?(?!\w)', code, re.IGNORECASE):
            yield Found({"by": by.words, "migration": by.migration}, None, table)


@rule(
    "GP307",
    "note",
    whole=True,
    what="models were changed without a migration: {changes}",
    why="The code expects what no migration makes. It may fail on the migrated database, or the change was left out.",
    how="python manage.py makemigrations {apps}",
)
def unmade(app: Application) -> Iterator[Found]:
    """Models that are ahead of their migrations."""
    if app.unmade:
        apps = sorted({change.split(":")[0] for change in app.unmade})
        yield Found({"changes": listed(app.unmade, 4, "; "), "apps": " ".join(apps)})


@rule(
    "GP308",
    "stop",
    whole=True,
    what="{name} was never applied, and Django passes over it: production does not have {missing}, which it replaces",
    why="Production has a part of what it replaces, so Django works with the replaced migrations, and their files are "
    "gone. Nothing is pending then, and what is missing is never made.",
    how="Put the replaced migrations' files back beside it, release, and remove them after that.",
)
def skipped(app: Application) -> Iterator[Found]:
    """A squash that came too early."""
    for name, missing in app.skipped.items():
        yield Found({"name": name, "missing": ", ".join(missing[:3])})

"""Define the rules for plans that cannot run, or not in this order."""

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
    what="{app}: {names} follow the same migration",
    why="Django does not know which of them comes first and refuses to migrate.",
    how="python manage.py makemigrations --merge",
)
def conflicts(app: Application) -> Iterator[Found]:
    """Find apps with several leaf migrations."""
    for label, names in app.conflicts.items():
        yield Found({"app": label, "names": " and ".join(names)})


@rule(
    "GP302",
    "stop",
    whole=True,
    what="{said}",
    why="A migration is recorded as applied, but a migration that it depends on is not. Django refuses to migrate.",
    how="If the database already has the changes of the missing migration, record it:\n"
    "    python manage.py migrate APP NAME --fake\n"
    "Otherwise the later migration was recorded by mistake.",
)
def inconsistent(app: Application) -> Iterator[Found]:
    """Find applied migrations with unapplied dependencies."""
    if app.inconsistent:
        yield Found({"said": app.inconsistent.split(": ", 1)[-1]})


@rule(
    "GP303",
    "stop",
    whole=True,
    what="{said}",
    why="The operation does not fit the models that the earlier migrations define, so Django fails.",
    how="Check the order of the migrations: python manage.py migrate --plan",
)
def broken(app: Application) -> Iterator[Found]:
    """Find an operation that does not fit the models before it."""
    if app.broken:
        yield Found({"said": app.broken})


@rule(
    "GP304",
    "stop",
    whole=True,
    what="production has migrations that this release does not have: {names}",
    why="This code is older than production, or production was released from another branch.",
    how="Check out a release that is at least as new as production's.",
)
def unknown(app: Application) -> Iterator[Found]:
    """Find migrations of production that the release does not have."""
    if app.unknown:
        yield Found({"names": listed(app.unknown)})


@rule(
    "GP305",
    "stop",
    what="{words} uses {model}, which no longer exists{by}",
    why="apps.get_model returns the models at this point of the plan, so it fails with LookupError.",
    how="{how}",
)
def model_is_gone(place: Place) -> Iterator[Found]:
    """Find RunPython operations that use a model that an earlier operation removes or renames."""
    for model in place.operation.missing:
        by = next((one for one in reversed(place.earlier) if _takes(one, model)), None)
        said = f": {by.words} in {by.migration} runs before" if by else ""
        how = (
            f'Use the new name: apps.get_model("{by.app}", "{by.new_model_name}").'
            if by and by.acts_as == "RenameModel"
            else f"Move this operation before {by.words if by else 'the operation that removes the model'}."
        )
        yield Found({"model": model, "by": said, "how": how})


def _takes(operation: Operation, model: str) -> bool:
    named = f"{operation.app}.{operation.model_name}".lower() == model.lower()
    return named and operation.acts_as in ("DeleteModel", "RenameModel")


@rule(
    "GP306",
    "stop",
    what="{words} uses {table}, which no longer exists: {by} in {migration} runs before",
    why="The table is dropped before the statement runs, so the statement fails.",
    how="Move the statement before {by}.",
)
def table_is_gone(place: Place) -> Iterator[Found]:
    """Find RunSQL operations that use a table that an earlier operation drops."""
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
    what="models have changes without a migration: {changes}",
    why="The code expects changes that no migration makes, so it may fail on the migrated database.",
    how="python manage.py makemigrations {apps}",
)
def unmade(app: Application) -> Iterator[Found]:
    """Find model changes without a migration."""
    if app.unmade:
        apps = sorted({change.split(":")[0] for change in app.unmade})
        yield Found({"changes": listed(app.unmade, 4, "; "), "apps": " ".join(apps)})


@rule(
    "GP308",
    "stop",
    whole=True,
    what="{name} was never applied, and Django skips it: production does not have {missing}, which it replaces",
    why="Production has only some of the migrations that the squashed migration replaces, so Django uses the replaced "
    "migrations. Their files are missing, so the remaining ones never run.",
    how="Restore the files of the replaced migrations, release, then remove the files.",
)
def skipped(app: Application) -> Iterator[Found]:
    """Find squashed migrations whose replaced migrations were removed too early."""
    for name, missing in app.skipped.items():
        yield Found({"name": name, "missing": ", ".join(missing[:3])})

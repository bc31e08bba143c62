"""Define the rule for migration code that asks whether it is rehearsed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ops.application.manage import REHEARSAL
from ops.application.operations import Application
from ops.release.hazards.rule import Found, rule

NAMED = re.compile(rf"""["']{REHEARSAL[0]}["']""")


@rule(
    "GP602",
    "stop",
    whole=True,
    what="{where} reads GENERALPROBE: {migration} can do in the rehearsal what it does not do on production",
    why="A rehearsal proves only what production repeats. If the rows differ from the rehearsal's, this is found when "
    "production is already migrated.",
    how="Remove the condition. To disable mail or another service in a rehearsal, read the variable in the settings"
    "   (docs/explanation/rehearsal.md)",
)
def asks_for_rehearsal(app: Application) -> Iterator[Found]:
    """Find migrations, and modules that they import or call, that read the variable of a rehearsal."""
    for read in app.rehearsal_reads:
        yield Found({"where": f"{read.file}:{read.line}", "migration": read.migration})
    known = {read.migration for read in app.rehearsal_reads}
    for operation in app.opaque:
        if operation.migration not in known and NAMED.search(operation.code):
            yield Found({"where": f"code that {operation.kind} calls", "migration": operation.migration})

"""What a run and its steps do that later commands ask for, so that none of them has to know a name."""

from __future__ import annotations

from enum import StrEnum


class Effect(StrEnum):
    """A part of what a procedure declares; the header of a run's journal has it in these words."""

    # It migrates production; what stands for production before is its last backup, or the one that it began with.
    RELEASES = "releases"
    # Before it changes production's data it backs them up, as the run's own safety backup.
    SAVES = "saves"
    # It gives production's name to another database, or its volume other content: a backup may stand before it.
    REPLACES = "replaces"
    # What was live before is kept as a database.
    KEEPS = "keeps"
    # Rows that were written since the backup are set aside, and can be brought back from the safety backup.
    SETS_ROWS_ASIDE = "sets-rows-aside"
    # It brings rows back from its backup.
    SALVAGES = "salvages"
    # It makes a dump of a backup of pgBackRest's.
    UNPACKS = "unpacks"
    # It changes no data: the run before it still is what a person asks for.
    MINOR = "minor"


class StepEffect(StrEnum):
    """What a single step does; the header of a run's journal names the steps of each effect."""

    # Production refuses writes from here on.
    FREEZES = "freezes"
    # It restores the whole of the run's backup, and its proof compares every table.
    RESTORES = "restores"
    # It restores only to prove the backup: where the proof fails, the backup is not what was dumped.
    DRILLS = "drills"
    # Production takes writes again from here on.
    UNFREEZES = "unfreezes"
    # It migrates production.
    MIGRATES = "migrates"
    # It makes a backup; the last of these steps seals it.
    DUMPS = "dumps"
    SEALS = "seals"
    # It is a step of the backup that a release takes while production is frozen.
    LAST = "last"
    # How long it takes says how long production needs: a restore, the migrations, what is before and after.
    CLONES = "clones"
    REHEARSES = "rehearses"
    COUNTS = "counts"
    ACCOUNTS = "accounts"
    DEPLOYS = "deploys"

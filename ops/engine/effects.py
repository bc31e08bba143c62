"""The effects of runs and steps, so that later commands need not know the names of procedures."""

from __future__ import annotations

from enum import StrEnum


class Effect(StrEnum):
    """An effect that a procedure declares; the header of a run's journal contains these values."""

    # Migrates production; production's earlier state is in the run's last backup, or in the backup it began with.
    RELEASES = "releases"
    # Backs up production before changing its data, as the run's safety backup.
    SAVES = "saves"
    # Gives production's name to another database, or replaces the content of its volume; a backup may precede that.
    REPLACES = "replaces"
    # Retains the former live database as a kept database.
    KEEPS = "keeps"
    # Sets aside the rows written since the backup; a salvage can restore the rows from the safety backup.
    SETS_ROWS_ASIDE = "sets-rows-aside"
    # Restores rows from its backup.
    SALVAGES = "salvages"
    # Makes a dump of a pgBackRest backup.
    UNPACKS = "unpacks"
    # Changes no data, so the run before it remains the latest run of interest.
    MINOR = "minor"


class StepEffect(StrEnum):
    """An effect of a single step; the header of a run's journal names the steps of each effect."""

    # Makes production refuse writes.
    FREEZES = "freezes"
    # Restores the complete backup of the run; the proof compares every table.
    RESTORES = "restores"
    # Restores only to prove the backup: if the proof fails, the backup differs from the dumped database.
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

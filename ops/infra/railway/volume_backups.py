"""Railway's own backups of a target's database, asked through the CLI.

They are a second net: on the same platform, gone with the volume, and restored in place with downtime.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from ops.core.errors import OpsError, StepFailed, Unreachable, UsageError
from ops.infra.railway import railway_cli, volume_cli
from ops.infra.railway.service import CallFailed, OnRailway
from ops.infra.railway.volume_cli import Call, VolumeBackup

Found = TypeVar("Found")


class NotInPlan(Unreachable):
    """What was asked for is not part of Railway's plan; ``said`` is that without the target's name."""

    said = "Railway's plan, or the token, does not include its own backups"

    def __init__(self, target: str) -> None:
        super().__init__(f"{target}: {self.said}")


class OnVolume:
    """Asks about the volume of a target's database.

    Args:
        on: the target's place on Railway.
    """

    def __init__(self, on: OnRailway) -> None:
        self.on = on
        self.name = on.target.name

    def backups(self) -> list[VolumeBackup]:
        """Railway's own backups, the newest first.

        Raises:
            NotInPlan: there are none to be had.
        """
        return self._read(volume_cli.listing(), volume_cli.backups)

    def back_up(self, name: str, patience: float, pause: float) -> VolumeBackup:
        """Ask for a backup, and wait until it is on the list.

        Raises:
            NotInPlan: there are none to be had.
            StepFailed: it was not on the list in time, whatever the CLI said.
        """
        found = self.named(name)
        if found is None:
            self._ask(volume_cli.creation(name))
        deadline = time.monotonic() + patience
        while found is None:
            with contextlib.suppress(Unreachable):
                found = self.named(name)
            if found:
                break
            if time.monotonic() > deadline:
                raise StepFailed(
                    f"{self.name}: after {patience:g} s Railway lists no backup {name}",
                    "railway postgres pitr backup list, and then   inv resume",
                )
            time.sleep(pause)
        return found

    def named(self, name: str) -> VolumeBackup | None:
        """The backup of that name, which is the id of ours; None where there is none."""
        return next((one for one in self.backups() if one.name == name), None)

    def lock(self, name: str) -> VolumeBackup | None:
        """Take a backup's expiry away; None where Railway has none of that name. Locking it twice does nothing more.

        Raises:
            StepFailed: it still expires, whatever the CLI said.
        """
        found = self.named(name)
        if found is None or not found.expires:
            return found
        self._ask(volume_cli.locking(found.id))
        found = self.named(name)
        if found is None or found.expires:
            hint = f"railway postgres pitr backup lock {found.id if found else 'ID'}"
            raise StepFailed(f"{self.name}: Railway's backup {name} still expires", hint)
        return found

    def chosen(self, wanted: str) -> VolumeBackup:
        """The backup that is meant by its ID or its name.

        Raises:
            NotInPlan: there are none to be had.
            UsageError: there is none of that name, or more than one; the message lists what there is.
        """
        known = self.backups()
        fit = [one for one in known if wanted and wanted in (one.id, one.name)]
        if len(fit) == 1:
            return fit[0]
        listed = ", ".join(f"{one.id} ({one.name or 'automatic'}, {one.created[:16]})" for one in known[:4]) or "none"
        asked = f"Railway has {len(fit) or 'no'} backup{'s' * (len(fit) != 1)} {wanted!r}"
        raise UsageError(
            f"{self.name}: {asked if wanted else '--backup says which one is meant'}; the newest are: {listed}",
            f"--backup={known[0].id}   or   inv backups --target={self.name}" if known else "inv rollback --help",
        )

    def volume(self) -> str:
        """Which volume the database's service has now, to be compared with what it had."""
        named = self.on.named
        said = self.on.ask(railway_cli.status_words(named.project, named.environment))
        try:
            return volume_cli.volume_in(said, self.on.database)
        except (ValueError, KeyError, TypeError):
            raise self.on.strange("status") from None

    def staged(self) -> bool | None:
        """Whether changes wait in the environment to be applied; None where the token may not know."""
        try:
            return volume_cli.staged(self.on.ask(volume_cli.staged_words(self.on.database)))
        except CallFailed as error:
            if volume_cli.not_in_plan(error.said):
                return None
            raise
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self.on.strange("api environmentStagedChanges") from None

    def restore(self, backup: str) -> str:
        """Ask for a backup in the place of the volume; what the CLI says is no proof of it.

        Returns:
            why it is not known how that ended; empty where the CLI says that it did.

        Raises:
            CallFailed: it was refused, so nothing of it goes on.
            UsageError: the CLI is too old.
        """
        self.can_restore()
        try:
            self._ask(volume_cli.restoring(backup))
        except CallFailed as error:
            if volume_cli.refused(error.said):
                raise
            return error.message
        return ""

    def can_restore(self) -> None:
        """Raises UsageError where the CLI has no command for a restore."""
        if self.on.version < volume_cli.COMMANDS_SINCE:
            now, wanted = (".".join(map(str, one)) for one in (self.on.version, volume_cli.COMMANDS_SINCE))
            raise UsageError(f"{self.name}: railway {now} can't restore a backup; {wanted} can", "railway upgrade")

    def schedule(self) -> tuple[str, ...]:
        """Which automatic backups there are: of ``daily``, ``weekly`` and ``monthly``.

        Raises:
            NotInPlan: there are none to be had.
        """
        return self._read(volume_cli.schedule_listing(), volume_cli.kinds)

    def set_schedule(self, kinds: Sequence[str]) -> None:
        """Make the automatic backups these.

        Raises:
            NotInPlan: there are none to be had.
            StepFailed: Railway says others, whatever the CLI said.
        """
        self._ask(volume_cli.scheduling(kinds))
        if (now := self.schedule()) != tuple(kinds):
            raise StepFailed(
                f"{self.name}: Railway's automatic backups are {', '.join(now) or 'none'}, and were to be "
                f"{', '.join(kinds) or 'none'}",
                "railway postgres pitr schedule list",
            )

    def _read(self, call: Call, reader: Callable[[str, Call], Found]) -> Found:
        said = self._ask(call)
        try:
            return reader(said, call)
        except (ValueError, KeyError, TypeError):
            raise self.on.strange(f"postgres pitr {' '.join(call.words[:2])}") from None

    def _ask(self, call: Call) -> str:
        try:
            return self.on.ask(self._words(call))
        except CallFailed as error:
            if volume_cli.not_in_plan(error.said):
                raise NotInPlan(self.name) from None
            raise

    def _words(self, call: Call) -> tuple[str, ...]:
        if self.on.version >= volume_cli.COMMANDS_SINCE:
            return call.cli(self.on.database)
        try:
            instance = volume_cli.instance_in(self.on.status, self.on.database)
        except (ValueError, KeyError, TypeError):
            raise self.on.strange("status") from None
        if not instance:
            raise OpsError(f"{self.name}: the database's service has no volume, so Railway has no backups of it")
        return call.api(instance)

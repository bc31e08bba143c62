"""Railway's own backups of a target's database, asked through the CLI.

They are a second net: on the same platform, gone with the volume, and restored in place with downtime.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from ops import volume
from ops.errors import OpsError, StepFailed, Unreachable
from ops.on_railway import CallFailed, OnRailway
from ops.volume import Call, VolumeBackup

Found = TypeVar("Found")


class NotInPlan(Unreachable):
    """What was asked for is not part of Railway's plan."""


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
        return self._read(volume.listing(), volume.backups)

    def back_up(self, name: str, patience: float, pause: float) -> VolumeBackup:
        """Ask for a backup, and wait until it is on the list.

        Raises:
            NotInPlan: there are none to be had.
            StepFailed: it was not on the list in time, whatever the CLI said.
        """
        found = self.named(name)
        if found is None:
            self._ask(volume.creation(name))
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
        self._ask(volume.locking(found.id))
        found = self.named(name)
        if found is None or found.expires:
            hint = f"railway postgres pitr backup lock {found.id if found else 'ID'}"
            raise StepFailed(f"{self.name}: Railway's backup {name} still expires", hint)
        return found

    def schedule(self) -> tuple[str, ...]:
        """Which automatic backups there are: of ``daily``, ``weekly`` and ``monthly``.

        Raises:
            NotInPlan: there are none to be had.
        """
        return self._read(volume.schedule_listing(), volume.kinds)

    def set_schedule(self, kinds: Sequence[str]) -> None:
        """Make the automatic backups these.

        Raises:
            NotInPlan: there are none to be had.
            StepFailed: Railway says others, whatever the CLI said.
        """
        self._ask(volume.scheduling(kinds))
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
            if volume.not_in_plan(error.said):
                said = f"{self.name}: Railway's plan, or the token, does not include its own backups"
                raise NotInPlan(said) from None
            raise

    def _words(self, call: Call) -> tuple[str, ...]:
        if self.on.version >= volume.COMMANDS_SINCE:
            return call.cli(self.on.database)
        try:
            instance = volume.instance_in(self.on.status, self.on.database)
        except (ValueError, KeyError, TypeError):
            raise self.on.strange("status") from None
        if not instance:
            raise OpsError(f"{self.name}: the database's service has no volume, so Railway has no backups of it")
        return call.api(instance)

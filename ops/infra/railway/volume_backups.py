"""Access Railway's backups of a database's volume through the CLI.

These backups are a second safety net: they are on the same platform, are deleted with the volume, and are restored in
place with downtime.
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
    """Railway's plan or token does not include volume backups; ``said`` is the message without the target."""

    said = "Railway's plan, or the token, does not include volume backups"

    def __init__(self, target: str) -> None:
        super().__init__(f"{target}: {self.said}")


class OnVolume:
    """The volume of a target's database.

    Args:
        on: the target's Railway access.
    """

    def __init__(self, on: OnRailway) -> None:
        self.on = on
        self.name = on.target.name

    def backups(self) -> list[VolumeBackup]:
        """Return the volume backups, the newest first.

        Raises:
            NotInPlan: the plan or the token does not include volume backups.
        """
        return self._read(volume_cli.listing(), volume_cli.backups)

    def back_up(self, name: str, patience: float, pause: float) -> VolumeBackup:
        """Make a backup, and wait until it is on the list.

        Args:
            name: the backup's name on Railway: the ID of this project's backup.
            patience: the timeout in seconds.
            pause: the seconds between two queries.

        Raises:
            NotInPlan: the plan or the token does not include volume backups.
            StepFailed: the backup was not on the list in time.
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
                    "railway postgres pitr backup list, then   inv resume",
                )
            time.sleep(pause)
        return found

    def named(self, name: str) -> VolumeBackup | None:
        """Return the backup with a name; None if there is none."""
        return next((one for one in self.backups() if one.name == name), None)

    def lock(self, name: str) -> VolumeBackup | None:
        """Remove a backup's expiry; return None if the backup does not exist. Safe to repeat.

        Raises:
            StepFailed: the backup still expires.
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
        """Return the backup with an ID or a name.

        Raises:
            NotInPlan: the plan or the token does not include volume backups.
            UsageError: the backup does not exist, or the name is ambiguous; the message lists the newest backups.
        """
        known = self.backups()
        fit = [one for one in known if wanted and wanted in (one.id, one.name)]
        if len(fit) == 1:
            return fit[0]
        listed = ", ".join(f"{one.id} ({one.name or 'automatic'}, {one.created[:16]})" for one in known[:4]) or "none"
        asked = f"Railway has {len(fit) or 'no'} backup{'s' * (len(fit) != 1)} {wanted!r}"
        raise UsageError(
            f"{self.name}: {asked if wanted else '--backup is missing'}; the newest are: {listed}",
            f"--backup={known[0].id}   or   inv backups --target={self.name}" if known else "inv rollback --help",
        )

    def volume(self) -> str:
        """Return the identity of the database's current volume, for a comparison."""
        named = self.on.named
        said = self.on.ask(railway_cli.status_words(named.project, named.environment))
        try:
            return volume_cli.volume_in(said, self.on.database)
        except (ValueError, KeyError, TypeError):
            raise self.on.strange("status") from None

    def staged(self) -> bool | None:
        """Return True if the environment has staged changes; None if the token may not query them."""
        try:
            return volume_cli.staged(self.on.ask(volume_cli.staged_words(self.on.database)))
        except CallFailed as error:
            if volume_cli.not_in_plan(error.said):
                return None
            raise
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self.on.strange("api environmentStagedChanges") from None

    def restore(self, backup: str) -> str:
        """Request the replacement of the volume by a backup; the CLI's success is no proof.

        Returns:
            why the result is unknown; empty if the CLI reports success.

        Raises:
            CallFailed: the request was refused, so the volume is not replaced.
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
        """Raise UsageError if the CLI has no command for a restore."""
        if self.on.version < volume_cli.COMMANDS_SINCE:
            now, wanted = (".".join(map(str, one)) for one in (self.on.version, volume_cli.COMMANDS_SINCE))
            raise UsageError(
                f"{self.name}: railway {now} can't restore a backup; {wanted} or newer can", "railway upgrade"
            )

    def schedule(self) -> tuple[str, ...]:
        """Return the kinds of automatic backups: of ``daily``, ``weekly`` and ``monthly``.

        Raises:
            NotInPlan: the plan or the token does not include volume backups.
        """
        return self._read(volume_cli.schedule_listing(), volume_cli.kinds)

    def set_schedule(self, kinds: Sequence[str]) -> None:
        """Set the kinds of automatic backups.

        Raises:
            NotInPlan: the plan or the token does not include volume backups.
            StepFailed: Railway lists other kinds afterwards.
        """
        self._ask(volume_cli.scheduling(kinds))
        if (now := self.schedule()) != tuple(kinds):
            raise StepFailed(
                f"{self.name}: Railway's automatic backups are {', '.join(now) or 'none'}, not "
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
            raise OpsError(f"{self.name}: the database's service has no volume, so Railway has no backups")
        return call.api(instance)

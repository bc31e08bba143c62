"""The inventory's key ``schedule``: which tasks run automatically, when, and whether cron or systemd runs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from ops.core.cron import EXAMPLE, mistake
from ops.inventory.fields import Frozen, Word, Zone, bad

# The tasks that may run automatically, with their options beside --target. Only a person may run a release, a
# promotion or a rollback.
TASKS: Mapping[str, tuple[str, ...]] = {
    "backup": ("--reason=scheduled",),
    "clone-prod-to-test": ("--reason=scheduled",),
    "drill": (),
    "prune-backups": ("--confirm={target}",),
    "check-backups": (),
}
NEVER = ("release", "promote", "rollback")


def _cron(value: str) -> str:
    if said := mistake(value):
        raise bad(said, f'"{EXAMPLE}"   (every day at 02:30)')
    return value


Cron = Annotated[str, AfterValidator(_cron)]


class Schedule(Frozen):
    """Which tasks run automatically: cron's five fields for each task, in the time zone ``zone``."""

    model_config = ConfigDict(validate_by_name=False, validate_by_alias=True)

    backup: Cron | None = None
    """When `inv backup` runs: minute, hour, day, month, weekday."""
    clone_prod_to_test: Annotated[Cron | None, Field(alias="clone-prod-to-test")] = None
    """When `inv clone-prod-to-test` runs."""
    drill: Cron | None = None
    """When `inv drill` runs."""
    prune_backups: Annotated[Cron | None, Field(alias="prune-backups")] = None
    """When `inv prune-backups --confirm=TARGET` runs."""
    check_backups: Annotated[Cron | None, Field(alias="check-backups")] = None
    """When `inv check-backups` runs."""
    with_: Annotated[Literal["cron", "systemd"], Field(alias="with")] = "cron"
    """Which program runs the tasks."""
    zone: Zone = "UTC"
    """The time zone of the fields."""
    jitter: Annotated[int, Field(strict=True, ge=0, le=3600)] = 0
    """Maximum random delay of a start, in seconds."""
    environment: Word | None = None
    """A file (mode 0600) of lines `NAME=VALUE`: environment variables that cron and systemd do not set."""

    @model_validator(mode="before")
    @classmethod
    def _by_hand(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and (asked := [name for name in NEVER if name in given]):
            raise bad(f"names {asked[0]}, which only a person may run", f"remove `{asked[0]}:`")
        return given

    @model_validator(mode="after")
    def _some(self) -> Schedule:
        if not self.tasks:
            raise bad("names no task", f'backup: "{EXAMPLE}"')
        return self

    @property
    def tasks(self) -> dict[str, str]:
        """The five fields of each task, by the task's name."""
        found = ((name, getattr(self, name.replace("-", "_"))) for name in TASKS)
        return {name: at for name, at in found if at}

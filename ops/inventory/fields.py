"""Types of the inventory's values. Validation messages never quote a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, WrapValidator, model_validator
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import PydanticCustomError

from ops.core.yaml_lines import nearest

ENV_NAME = r"[A-Za-z_][A-Za-z0-9_]*"


def bad(message: str, hint: str = "") -> PydanticCustomError:
    """Return the error that a validator raises. ``translated`` turns it into an InventoryError with the line."""
    return PydanticCustomError("inventory", "{text}", {"text": message, "hint": hint})


def _text(value: str) -> str:
    if not value.isprintable():
        raise bad("contains a control or invisible character")
    if re.search(r"://[^/\s]*:[^/\s]+@", value):
        raise bad("contains a password; a password does not belong in the inventory", "put it in the environment")
    return value


def _word(value: str) -> str:
    if not value.strip():
        raise bad("contains an empty word")
    return _text(value)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        guess = nearest(value, available_timezones())
        raise bad("is not a time zone that this machine knows", f"zone: {guess or 'Europe/Berlin'}") from None
    return value


Word = Annotated[str, AfterValidator(_word)]
Text = Annotated[str, AfterValidator(_text)]
Zone = Annotated[str, AfterValidator(_zone)]
Words = Annotated[tuple[Word, ...], Field(min_length=1)]
EnvName = Annotated[str, Field(pattern=f"^{ENV_NAME}$")]
Account = Annotated[str, Field(pattern=r"^[A-Za-z0-9_:\[][A-Za-z0-9_.:%@\[\]-]*$")]
Count = Annotated[int, Field(strict=True, ge=0, le=10_000)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Amount = Annotated[float, Field(strict=True, gt=0, le=1_000_000)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS = get_args(Day)


class Frozen(BaseModel):
    """Base class of the models: frozen, without unknown keys, and without input values in pydantic's messages."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_by_name=True, defer_build=True
    )


# An example; nobody has the secret key.
ENCRYPT = "{recipients: [age176yzrxwhg876ysclvfrn7lh02axfnqknuxq3p8dh6r4zerz0v40qm4y7ph]}"


class Encrypt(Frozen):
    """Encryption of new backups with age."""

    recipients: Annotated[tuple[Annotated[str, Field(pattern="^age1[a-z0-9]{58}$")], ...], Field(min_length=1)]
    """Public keys of age (`age1…`). The secret key of each of them can decrypt a backup."""
    identity: Annotated[str, Field(pattern=rf"^(env:{ENV_NAME}|file:\S(.*\S)?)$")] | None = None
    """Location of the secret key: `env:NAME` or `file:PATH`. Only a restore needs the secret key."""


def _span(value: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,4}(min|h|d)", value):
        raise bad("should be a number of minutes, hours or days: 90min, 26h or 8d", "fresh: {backup: 26h, proved: 8d}")
    return value


def span(text: str) -> timedelta:
    """Parse a duration of the inventory: ``90min``, ``26h``, ``8d``."""
    number, unit = re.fullmatch(r"(\d+)(min|h|d)", text).groups()  # type: ignore[union-attr]
    return timedelta(minutes=int(number) * {"min": 1, "h": 60, "d": 1440}[unit])


def spoken(text: str) -> str:
    """Format a duration of the inventory for people: ``26 h``."""
    return re.sub(r"(\d+)", r"\1 ", text)


def _secret(value: str) -> str:
    if not re.fullmatch(rf"env:{ENV_NAME}|file:(?!.*://)\S(?:.*\S)?", value):
        raise bad("should be env:NAME or file:PATH, since the address itself is a secret", "ping: env:PING_URL")
    return value


Span = Annotated[str, AfterValidator(_span)]
SecretAt = Annotated[str, AfterValidator(_secret)]


class Fresh(Frozen):
    """How old the newest backup and the newest proved restore may be, and who is notified."""

    backup: Span = "26h"
    """Maximum age of the newest backup: a number and `min`, `h` or `d`."""
    proved: Span | None = None
    """Maximum time since a backup was last restored and proved. If omitted: not required."""
    ping: SecretAt | None = None
    """Address that is requested as long as nothing is wrong: `env:NAME` or `file:PATH`."""
    notify: tuple[SecretAt, ...] = ()
    """Addresses of apprise that are notified of problems, each as `env:NAME` or `file:PATH`."""


class Keep(Frozen):
    """Which backups are retained: the newest backup of each of the last days, weeks, months and years.

    Only days, weeks, months and years with a backup count.
    """

    daily: Count = 7
    """Number of days of which the newest backup is retained."""
    weekly: Count = 4
    """Number of ISO weeks of which the newest backup is retained."""
    monthly: Count = 6
    """Number of months of which the newest backup is retained."""
    yearly: Count = 0
    """Number of years of which the newest backup is retained."""
    last: Count = 0
    """Number of newest backups that are retained, whatever their age."""
    least: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 3
    """Minimum number of backups that remain after each removal."""


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys of a mapping as they are written in the inventory."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+\S*", value):
        raise bad("should be a web address", "health: {url: https://shop.example.com/health}")
    return _text(value)


class HealthCheck(Frozen):
    """How to check that the application is healthy: a URL or a command, tried until it succeeds or `timeout` ends."""

    url: Annotated[str, AfterValidator(_address)] | None = None
    """The URL that is requested. Give either `url` or `command`."""
    command: Words | None = None
    """The command that runs in `app.dir`. Exit code 0 means healthy."""
    status: Annotated[int, Field(strict=True, ge=100, le=599)] = 200
    """The HTTP status that means healthy."""
    timeout: Annotated[float, Field(strict=True, ge=0, le=86_400)] = 60.0
    """Seconds after which the check fails. 0: one attempt."""
    every: Annotated[float, Field(strict=True, gt=0, le=3_600)] = 2.0
    """Seconds between two attempts."""

    @model_validator(mode="after")
    def _one_of_two(self) -> HealthCheck:
        if (self.url is None) == (self.command is None):
            raise bad("should have either `url` or `command`", "health: {url: https://shop.example.com/health}")
        if self.command and self.status != 200:
            raise bad("has a `status`, which applies to a `url` only", "remove `status:`")
        return self


def _health(given: Any, handler: ModelWrapValidatorHandler[HealthCheck]) -> HealthCheck:
    """Read a plain list of words as a command that is tried once."""
    if isinstance(given, (Mapping, HealthCheck)):
        return handler(given)
    return HealthCheck(command=TypeAdapter(Words).validate_python(given), timeout=0)


Health = Annotated[HealthCheck, WrapValidator(_health)]

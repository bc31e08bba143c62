"""The inventory's key ``dump``: how a backup's dump is made, and which tables' rows it omits."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from ops.inventory.fields import Amount, Frozen, bad

UNITS = {"kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
EXAMPLE = '{jobs: 4, compress: zstd:3, exclude: [audit_log, "stats.*"], max_rate: 20MB}'


def bytes_a_second(text: str) -> int:
    """Parse a rate such as ``500kB``, ``20MB`` or ``1.5GB``, in decimal units, into bytes per second.

    Raises:
        ValueError: the text is not a rate, or the rate is 0.
    """
    found = re.fullmatch(r"(\d{1,4}(?:\.\d{1,3})?)(kB|MB|GB)", text)
    rate = round(float(found[1]) * UNITS[found[2]]) if found else 0
    if rate <= 0:
        raise ValueError("should be bytes per second: 500kB, 20MB or 1GB")
    return rate


def _rate(value: str) -> str:
    try:
        bytes_a_second(value)
    except ValueError as error:
        raise bad(str(error), "dump: {max_rate: 20MB}") from None
    return value


def _compress(value: Any) -> Any:
    """Convert a level that YAML read as a number to text."""
    return str(value) if type(value) is int else value


def _pattern(value: str) -> str:
    if not re.fullmatch(r"[\w$*?-]+(\.[\w$*?-]+)?", value):
        words = "should be TABLE or SCHEMA.TABLE, where * matches any text and ? matches one character"
        raise bad(words, 'dump: {exclude: [audit_log, "stats.*"]}')
    if not re.search(r"\w", value):
        raise bad("would exclude every table", "dump: {exclude: [audit_log]}")
    return value


def _compression(value: str) -> str:
    if not re.fullmatch(r"\d|none|(gzip|lz4|zstd)(:[a-z0-9=,]+)?", value):
        raise bad("should be a value of pg_dump's --compress: 0 to 9, none, gzip:6, lz4 or zstd:3", "compress: zstd:3")
    return value


def _standby(given: object) -> object:
    if isinstance(given, str) and not given.startswith(("env:", "file:")):
        raise bad("should be env:NAME or file:PATH, since the address itself is a secret", "standby: env:STANDBY_URL")
    return given


# Checks the key `standby` before its value is read as a reference.
AT_STANDBY = BeforeValidator(_standby)


class Dump(Frozen):
    """How the dump of a backup is made."""

    model_config = ConfigDict(validate_by_name=False, validate_by_alias=True, serialize_by_alias=True)

    from_: Annotated[Literal["production", "standby"], Field(alias="from")] = "production"
    """The server that is dumped: production, or its streaming replica in `standby`. The last backup of a release and
    safety backups are always of production."""
    max_lag: Amount = 300.0
    """Seconds by which the standby may be behind production. An older standby is refused."""
    jobs: Annotated[int, Field(strict=True, ge=1, le=64)] | None = None
    """Number of tables that are dumped or restored in parallel. If omitted: the cores of this machine, at most 4."""
    compress: Annotated[str, BeforeValidator(_compress), AfterValidator(_compression)] | None = None
    """A value of `pg_dump --compress`. If omitted: the fastest method of this pg_dump."""
    exclude: tuple[Annotated[str, AfterValidator(_pattern)], ...] = ()
    """Tables whose rows are not backed up: `TABLE` or `SCHEMA.TABLE`, with `*` and `?`."""
    max_rate: Annotated[str, AfterValidator(_rate)] | None = None
    """Limit of bytes that are written per second: `500kB`, `20MB`, `1GB`. If omitted: no limit."""

    @property
    def rate(self) -> int:
        """The limit in bytes per second; 0 without a limit."""
        return bytes_a_second(self.max_rate) if self.max_rate else 0


DumpKey = Annotated[Dump, Field(examples=[EXAMPLE])]

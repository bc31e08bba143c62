"""The inventory's key ``defang``: how personal data is removed from a clone before anybody can use the clone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ops.core.sql_names import Name, parse, written
from ops.core.yaml_lines import nearest
from ops.inventory.fields import Frozen, Word, bad

# The names that ops/defang/masks.toml and rules.toml define.
MASKS = ("email", "name", "text", "digits", "token", "password", "url", "ip", "year", "zero", "empty", "null")
RULES = ("sessions", "tokens", "passwords", "sites", "mail", "schedules", "webhooks")


def _name(least: int, most: int, example: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        try:
            name = parse(value)
        except ValueError as error:
            raise bad(str(error), example) from None
        if not least <= len(name) <= most:
            parts = "schema.table.column" if most == 3 else "schema.table"
            parts = f"schema.table or {parts}" if least != most else parts
            raise bad(f"contains a name that is not {parts}", example)
        return written(name)

    return check


def _one_of(known: Sequence[str], what: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in known:
            guess = nearest(value, known)
            listed = f"known: {', '.join(known)}"
            raise bad(f"is not a known {what}", f"write `{guess}`; {listed}" if guess else listed)
        return value

    return check


ColumnName = Annotated[str, AfterValidator(_name(3, 3, "mask: {public.auth_user.email: email}"))]
TableName = Annotated[str, AfterValidator(_name(2, 2, "clear: [public.big_log]"))]
AnyName = Annotated[str, AfterValidator(_name(2, 3, "keep: [public.shop_product.name]"))]
# YAML's null value is read as the mask `null`.
MaskName = Annotated[
    str, BeforeValidator(lambda value: "null" if value is None else value), AfterValidator(_one_of(MASKS, "mask"))
]
RuleName = Annotated[str, AfterValidator(_one_of(RULES, "rule"))]


class Defang(Frozen):
    """How personal data is removed from a clone before anybody can use the clone."""

    sql: tuple[Word, ...] = ()
    """Files with your own SQL. They run first, in the same transaction."""
    rules: tuple[RuleName, ...] = RULES
    """The rules that apply; `[]` for none."""
    mask: Mapping[ColumnName, MaskName] = {}
    """Columns and their masks: `schema.table.column: MASK`."""
    clear: tuple[TableName, ...] = ()
    """Tables that are emptied."""
    keep: tuple[AnyName, ...] = ()
    """Columns, or whole tables, that look like personal data and are not."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Defang:
        for name in self.keep:
            if name in self.mask or written(parse(name)[:2]) in self.clear:
                raise bad("lists a name under `keep` that it also masks or clears", "remove it from one of the two")
        return self

    @property
    def masks(self) -> dict[Name, str]:
        """The masks, by the parsed names of the columns."""
        return {parse(name): mask for name, mask in self.mask.items()}

    def names(self, key: str) -> list[Name]:
        """Return the names under the key ``clear`` or ``keep``."""
        return [parse(name) for name in getattr(self, key)]


DefangKey = Annotated[Defang | None, Field(examples=["{mask: {public.auth_user.email: email}}"])]

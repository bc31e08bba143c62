"""Two databases held against each other by what pg_dump says of their schemas: independent of our own list of objects.

Only kinds and names are told: bodies may hold what is nobody's to read, such as the password of a user mapping.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ops.core.text import listed

_HEAD = re.compile(r"^--\n-- Name: (.*); Type: (.*); Schema: (.*); Owner: (.*)\n--\n", re.MULTILINE)
# A restore reads "v IN ('a', 'b')" back in other words: casts and parentheses stand elsewhere (ops/sql/schema.sql).
_CASTS = re.compile(r"::(?:text|bpchar|character(?: varying)?)(?:\(\d+\))?(?:\[\])?|[()]")
_RELATIONS = ("TABLE", "VIEW")
MOST = 12

Entries = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Difference:
    """What only one side has, and what both have in another way, each by kind and name; and how many are equal."""

    live: list[str]
    other: list[str]
    changed: list[str]
    equal: int

    @property
    def sentence(self) -> str:
        """What it comes to."""
        said = [f"{self.equal:,} entries that pg_dump makes of the schema are equal"]
        for words, names in (
            ("only in the live database", self.live),
            ("only in the restored one", self.other),
            ("defined otherwise", self.changed),
        ):
            if names:
                said.append(f"{words}: {listed(names, MOST)}")
        return "; ".join(said)


def entries(text: str) -> Entries:
    """What pg_dump printed, entry by entry: the owner and the statements of each kind and name."""
    parts = _HEAD.split(text)
    found: dict[tuple[str, str], str] = {}
    for name, kind, schema, owner, body in zip(*(parts[at::5] for at in range(1, 6)), strict=True):
        lines = [line for line in body.splitlines() if line and not line.startswith(("--", "\\", "SET "))]
        # Grants are told in the order in which they were made.
        lines = sorted(lines) if kind == "ACL" else lines
        plain = "\n".join(_CASTS.sub("", line) if "ARRAY[" in line else line for line in lines)
        key = (kind, name if schema == "-" else f"{schema}.{name}")
        found[key] = f"{found.get(key, '')}{owner}\n{plain}\n"
    return found


def difference(live: str, other: str) -> Difference:
    """Hold what pg_dump printed of two databases against each other.

    Args:
        live: of the live one.
        other: of the restored one.
    """
    one, two = entries(live), entries(other)
    both = one.keys() & two.keys()
    changed = sorted(key for key in both if one[key] != two[key])
    return Difference(
        _named(sorted(one.keys() - two.keys())),
        _named(sorted(two.keys() - one.keys())),
        _named(changed),
        len(both) - len(changed),
    )


def _named(keys: list[tuple[str, str]]) -> list[str]:
    """Kinds and names; what belongs to a relation that is named itself is not named beside it."""
    whole = {name for kind, name in keys if kind.endswith(_RELATIONS)}
    return [f"{kind.lower()} {name}" for kind, name in keys if name in whole or _relation(name) not in whole]


def _relation(name: str) -> str:
    """The relation of an entry such as ``shop.COLUMN item.id`` or ``shop.item item_pkey``."""
    match = re.match(r"([^.]*)\.(?:[A-Z]+(?: [A-Z]+)* )?([^. ]*)", name)
    return f"{match[1]}.{match[2]}" if match else name

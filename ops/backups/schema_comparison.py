"""Compare the schemas of two databases by the output of pg_dump, independently of the tool's own list of objects.

Only kinds and names are reported: bodies may contain secrets, such as the password of a user mapping."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ops.core.text import listed

_HEAD = re.compile(r"^--\n-- Name: (.*); Type: (.*); Schema: (.*); Owner: (.*)\n--\n", re.MULTILINE)
# A restore changes casts and parentheses of "v IN ('a', 'b')" (ops/sql/schema.sql).
_CASTS = re.compile(r"::(?:text|bpchar|character(?: varying)?)(?:\(\d+\))?(?:\[\])?|[()]")
_RELATIONS = ("TABLE", "VIEW")
MOST = 12

Entries = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Difference:
    """Hold entries of one side only and changed entries, by kind and name, and the number of equal entries."""

    live: list[str]
    other: list[str]
    changed: list[str]
    equal: int

    @property
    def sentence(self) -> str:
        """Return the result in words."""
        said = [f"{self.equal:,} entries of the schema are equal, as pg_dump prints them"]
        for words, names in (
            ("only in the live database", self.live),
            ("only in the restored database", self.other),
            ("defined differently", self.changed),
        ):
            if names:
                said.append(f"{words}: {listed(names, MOST)}")
        return "; ".join(said)


def entries(text: str) -> Entries:
    """Split the output of pg_dump into entries: owner and statements by kind and name."""
    parts = _HEAD.split(text)
    found: dict[tuple[str, str], str] = {}
    for name, kind, schema, owner, body in zip(*(parts[at::5] for at in range(1, 6)), strict=True):
        lines = [line for line in body.splitlines() if line and not line.startswith(("--", "\\", "SET "))]
        # pg_dump prints grants in the order in which they were made.
        lines = sorted(lines) if kind == "ACL" else lines
        plain = "\n".join(_CASTS.sub("", line) if "ARRAY[" in line else line for line in lines)
        key = (kind, name if schema == "-" else f"{schema}.{name}")
        found[key] = f"{found.get(key, '')}{owner}\n{plain}\n"
    return found


def difference(live: str, other: str) -> Difference:
    """Compare the output of pg_dump for two databases.

    Args:
        live: of the live database.
        other: of the restored database.
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
    """Return kinds and names. Entries that belong to a named relation are omitted."""
    whole = {name for kind, name in keys if kind.endswith(_RELATIONS)}
    return [f"{kind.lower()} {name}" for kind, name in keys if name in whole or _relation(name) not in whole]


def _relation(name: str) -> str:
    """Return the relation of an entry such as ``shop.COLUMN item.id`` or ``shop.item item_pkey``."""
    match = re.match(r"([^.]*)\.(?:[A-Z]+(?: [A-Z]+)* )?([^. ]*)", name)
    return f"{match[1]}.{match[2]}" if match else name

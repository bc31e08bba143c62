"""Find columns that look like personal data; patterns.toml has the patterns. Pure. A person decides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.core.sql_names import Name
from ops.defang.catalog import Catalog, Column
from ops.defang.masks import MASKS, read_toml


@dataclass(frozen=True)
class Pattern:
    """A pattern.

    Args:
        what: what it finds, for people.
        column: regular expressions for words of the column's name, with ``_`` between a name's words.
        kinds: the classes of types that can hold it.
        masks: those that would do, the best first.
        table: likewise for words of the table's name; any where empty.
    """

    what: str
    column: str
    kinds: Sequence[str]
    masks: Sequence[str]
    table: str = ""

    def meets(self, table: str, column: Column) -> bool:
        """Whether a column looks like it. A link leads to what is looked at itself."""
        if column.kind not in self.kinds or (column.linked and column.kind not in ("text", "address")):
            return False
        return _has(self.column, column.name) and (not self.table or _has(self.table, table))


def _has(pattern: str, name: str) -> bool:
    return re.search(rf"(?:^|_)(?:{'|'.join(pattern.split())})(?:_|$)", words(name)) is not None


def words(name: str) -> str:
    """A name in small letters with ``_`` between its words: ``homePhone-2`` is ``home_phone_2``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[\W_]+", "_", parted).strip("_").lower()


PATTERNS = [Pattern(**given) for given in read_toml("patterns")["patterns"]]


@dataclass(frozen=True)
class Suspect:
    """A column that looks like personal data, like what, and the mask to draft; empty where none fits."""

    name: Name
    what: str
    mask: str


def suspects(catalog: Catalog) -> Iterator[Suspect]:
    """Every column that looks like personal data, table by table. A partition's is its partitioned table's."""
    for table in catalog.values():
        if table.part:
            continue
        for name, column in table.names.items():
            found = next((one for one in PATTERNS if one.meets(table.name[-1], column)), None)
            if found and not column.made and not column.inherited:
                fits = (mask for mask in found.masks if not MASKS[mask].refuses(column))
                yield Suspect(name, found.what, next(fits, ""))

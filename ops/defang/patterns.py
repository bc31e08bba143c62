"""Find columns that look like personal data, by the patterns of patterns.toml. Pure. The operator decides."""

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
        what: the kind of personal data, for people.
        column: regular expressions for words of the column's name, with ``_`` between words.
        kinds: the classes of types that can contain the data.
        masks: the suitable masks, the best first.
        table: regular expressions for words of the table's name; any table if empty.
    """

    what: str
    column: str
    kinds: Sequence[str]
    masks: Sequence[str]
    table: str = ""

    def meets(self, table: str, column: Column) -> bool:
        """Return True if a column matches. A foreign key does not match: the referenced column is checked itself."""
        if column.kind not in self.kinds or (column.linked and column.kind not in ("text", "address")):
            return False
        return _has(self.column, column.name) and (not self.table or _has(self.table, table))


def _has(pattern: str, name: str) -> bool:
    return re.search(rf"(?:^|_)(?:{'|'.join(pattern.split())})(?:_|$)", words(name)) is not None


def words(name: str) -> str:
    """Return a name in small letters with ``_`` between its words: ``home_phone_2`` for ``homePhone-2``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[\W_]+", "_", parted).strip("_").lower()


PATTERNS = [Pattern(**given) for given in read_toml("patterns")["patterns"]]


@dataclass(frozen=True)
class Suspect:
    """A column that looks like personal data, the kind of data, and the suggested mask; empty if none fits."""

    name: Name
    what: str
    mask: str


def suspects(catalog: Catalog) -> Iterator[Suspect]:
    """Yield every column that looks like personal data, table by table; skip partitions and inherited columns."""
    for table in catalog.values():
        if table.part:
            continue
        for name, column in table.names.items():
            found = next((one for one in PATTERNS if one.meets(table.name[-1], column)), None)
            if found and not column.made and not column.inherited:
                fits = (mask for mask in found.masks if not MASKS[mask].refuses(column))
                yield Suspect(name, found.what, next(fits, ""))

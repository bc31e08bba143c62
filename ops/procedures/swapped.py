"""The way back from an exchange of names: what was replaced becomes live again."""

from __future__ import annotations

from ops.command import Command, Query
from ops.inputs import Inputs


def replaced_back(c: Inputs, *, aside: str) -> list[Command]:
    """Give the replaced database the live name again, with the owner, grants and settings that the live one has by now;
    that one is kept under the name ``aside``. They do nothing where it was done."""
    return [
        Query("carry_over.sql", c.target, "postgres", {"source": c.database, "name": c.replaced}),
        Query("swap.sql", c.target, "postgres", {"live": c.database, "incoming": c.replaced, "aside": aside}),
    ]

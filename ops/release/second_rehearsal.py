"""Run the migrations a second time to find values that each run generates, such as random values.

Production must have the values that both runs write alike. Of a value that the two runs write differently, production
must only have one. This is decided before production is frozen, so no other difference is tolerated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ops.core.files import write_whole
from ops.engine.registry import tool
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.release import certificate, new_tables
from ops.release.new_tables import Fresh
from ops.verdict import result_comparison
from ops.verdict.databases import Databases
from ops.verdict.model import difference
from ops.verdict.result_comparison import Differing, Made, Value
from ops.verdict.row_hash import Pair, Source, present


@dataclass
class Twice:
    """Compare two rehearsals of one clone.

    Args:
        first: the migrated clone as ``after``, and the clone before the migrations.
        second: the clone of the second run as ``after``, and the clone before the migrations.
        folder: the target's folder, with the files of the first rehearsal.
        file: receives the rows of the clone before the migrations.
        drawn: receives the names of the values that the two runs wrote differently.
    """

    first: Databases
    second: Databases
    folder: Path
    file: Path
    drawn: list[str] = field(default_factory=list)

    def made(self, one: Made) -> Made:
        """Return what the migrations wrote into a table's rows, without the generated values."""
        if one.file:
            result_comparison.hold_rows(one, self.second, self.file)
            found = result_comparison.differing(one, self.folder / one.file, self.file, self.second)[1]
        else:
            found = result_comparison.unlike(one, self.second)[1]
        if not found:
            return one
        values = [self._value(one, value, found.get(value.column)) for value in one.values]
        # A separate file: a resumed run must compare with the first file again.
        file = f"{one.file.removesuffix('.txt')}-again.txt" if one.file else ""
        loose = one.model_copy(update={"values": tuple(value for value in values if value), "file": file})
        if one.file:
            result_comparison.rehearse(loose, self.first, self.folder)
        return loose

    def _value(self, one: Made, value: Value, differs: Differing | None) -> Value | None:
        if differs is None or differs.count <= value.may_differ:
            # The declared limit applies to production, too.
            return value
        self.drawn.append(f"{one.new}.{value.column}")
        # If even the presence of a value is random, nothing can be compared.
        unsure = differs.empty or differs.filled or value.every
        return None if unsure else value.model_copy(update={"drawn": present(value.column)})

    def fresh(self, one: Fresh) -> Fresh | None:
        """Return how to read a new table's rows, with only the presence of generated values.

        Return None if not even the number of rows is the same.
        """
        if self._alike(one.table, one.pairs):
            return one
        pairs = tuple(p if self._alike(one.table, [p]) else present(p.name) for p in one.pairs)
        names = sorted({p.name for p, was in zip(pairs, one.pairs, strict=True) if p != was})
        if not self._alike(one.table, pairs):
            # Both runs wrote the same values, but randomly to different rows.
            pairs, names = tuple(present(p.name) for p in one.pairs), ["*"]
        if not self._alike(one.table, pairs):
            self.drawn.append(f"{one.table} (which rows it has)")
            return None
        self.drawn += [f"{one.table}.{name}" for name in names]
        loose = one.model_copy(update={"pairs": pairs})
        new_tables.rehearse(loose, self.first, self.folder / one.file)
        return loose

    def _alike(self, table: str, pairs: Sequence[Pair]) -> bool:
        source = [Source(table, tuple(pairs))]
        here, there = (look.hashes("after", source) for look in (self.first, self.second))
        return difference(here, there)[:2] == (0, 0)


@tool
def compare_rehearsals(session: Session, *, target: str, test: str, before: str, again: str, report: str) -> str:
    """Find the values that a second run of the migrations writes differently. Do not compare production with them.

    Args:
        before: the clone before the migrations.
        again: the database of the second run.
    """
    path = session.inventory.path(report).with_name(certificate.MOVES)
    proved = certificate.Proved.model_validate_json(path.read_bytes())
    with session.connect(test, before) as old, session.connect(test) as one, session.connect(test, again) as two:
        first, second = (Databases({"before": old, "after": new}) for new in (one, two))
        twice = Twice(first, second, target_folder(session, target), path.with_name("again.txt"))
        made = [loose for each in proved.made if (loose := twice.made(each)).values]
        fresh = [table for each in proved.fresh if (table := twice.fresh(each))]
    found = proved.model_copy(update={"made": tuple(made), "fresh": tuple(fresh)})
    write_whole(path, found.model_dump_json())
    if not twice.drawn:
        return "two runs of the migrations wrote the same"
    return (
        "two runs of the migrations wrote the same, except for generated values\nWARNING: each run generates these "
        f"values, so production is only checked for having a value: {', '.join(twice.drawn)}"
    )

"""The comparison: whether every row, value and link of the old release is still there after the migrations.

Tables are matched by name, by the operations' own renames, and by content. What counts as proof is row-wise: the
multiset of row hashes over the columns that both sides have; sums only suggest where a column went. A copy may have
keys of its own: then its content is compared without the key, and every link to it is read as the content of the row
that it leads to.
"""

from __future__ import annotations

from collections.abc import Sequence

from ops.aligned import Cells, cells
from ops.fingerprint import Fingerprint, Table
from ops.fit import fit
from ops.homes import Home, Plan, column_of, surrogate
from ops.merged import shared_rows, twins_crossed
from ops.notes import note
from ops.places import find
from ops.rows import Pair, Proof, Source
from ops.settle import missing, settle, unchanged
from ops.sides import Sides, sources
from ops.verdict import ColumnVerdict, Look, TableVerdict, Verdict


def judge(before: Fingerprint, after: Fingerprint, look: Look, plan: Plan | None = None) -> Verdict:
    """Compare the old database with the migrated one.

    Args:
        before: fingerprint of the clone as it was.
        after: fingerprint of the migrated clone.
        look: asks both databases for more.
        plan: what the pending operations say, where it is known: renames, and whether anything could have copied.
    """
    sides = Sides(before, after, look, fit, plan)
    settle(sides)
    found = {name: _Table(sides, old).verdict() for name, old in sorted(before.tables.items())}
    shared_rows(sides, found)
    claimed = {home.new.name for homes in sides.homes.values() for home in homes}
    fresh = [table for name, table in sorted(after.tables.items()) if name not in claimed]
    added = [TableVerdict(table.name, "added", 0, table.rows) for table in fresh if table.name not in before.tables]
    return Verdict([*found.values(), *added])


class _Table:
    """What became of one old table."""

    def __init__(self, sides: Sides, old: Table) -> None:
        self.sides, self.old = sides, old
        self.homes = sides.homes[old.name]
        self.said: dict[str, ColumnVerdict] = {}
        self.proofs: list[Proof] = []

    def verdict(self) -> TableVerdict:
        """The whole answer."""
        old = self.old
        if not self.homes:
            sample = self.sides.look.keys("before", old.name, [], []) if old.rows else []
            return TableVerdict(old.name, "lost" if old.rows else "removed", old.rows, 0, lost=old.rows, sample=sample)
        first = self.homes[0]
        to = ", ".join(home.new.name for home in self.homes)
        result = TableVerdict(old.name, "moved", old.rows, sum(home.new.rows for home in self.homes), to)
        result.mapping = first.mapping
        if first.new.name == old.name and unchanged(self.sides, old, first.new):
            result.verdict, result.to = "unchanged", ""
            result.proofs = [self._proof(first, list(first.mapping), exact=True)]
            return result
        if len(self.homes) > 1:
            self._several(result)
        else:
            self._one(result, first)
        return self._named(result)

    def _named(self, result: TableVerdict) -> TableVerdict:
        """Put the columns in order and give the whole its name."""
        first = self.homes[0]
        order = [*self.old.names, *first.new.names]
        taken = set(first.mapping.values()) | {column.to for column in self.said.values()}
        fresh = [name for name in first.new.names if name not in taken and len(self.homes) == 1]
        self.said |= {name: ColumnVerdict(name, "added") for name in fresh if name not in self.said}
        result.columns = sorted(self.said.values(), key=lambda column: order.index(column.column))
        result.proofs = self.proofs
        if result.to == self.old.name:
            result.verdict, result.to = "unchanged", ""
        if result.lost or result.lost_values:
            result.verdict = "lost"
        elif result.changed or result.changed_values:
            result.verdict = "changed"
        return result

    def _one(self, result: TableVerdict, home: Home) -> None:
        """All rows are in one table."""
        old, sides = self.old, self.sides
        bad = cells(sides, old, home)
        asked = [*self._unmapped(home), *bad.columns]
        settled = [name for name in asked if self._elsewhere(home, name)]
        left = [name for name in asked if name not in settled]
        if set(settled) & set(bad.columns) or set(left) - set(bad.columns):
            bad = cells(sides, old, home, left)
        result.lost, result.changed = bad.rows, bad.changed_rows
        for name, to in home.mapping.items():
            if name not in settled:
                self._mapped(home, name, to, bad)
        if not home.keyed and surrogate(old) and old.key[0] not in home.mapping:
            self.said[old.key[0]] = ColumnVerdict(old.key[0], "renumbered", (home.new.key or ("",))[0])
            self._crossed(home)
        if bad.sample:
            pairs = sides.read(old, home, bad.over)
            result.sample = sides.look.keys("before", old.name, [one for one, _ in pairs], bad.sample)
        sound = [name for name in home.mapping if name not in bad.columns and name not in settled]
        if not bad.rows:
            self.proofs.insert(0, self._proof(home, sound, exact=old.rows == home.new.rows))

    def _mapped(self, home: Home, name: str, to: str, bad: Cells) -> None:
        lost, changed = bad.columns.get(name, (0, 0))
        followed = self.sides.followed(self.old, name, home.new, to)
        if lost or changed:
            word, there = "lost" if lost else "changed", "" if to == name else to
            words = self._note(home, name, to, bad.examples.get(name, [])) if changed else ""
            self.said[name] = ColumnVerdict(name, word, there, lost, changed, words)
        elif followed or to != name:
            self.said[name] = ColumnVerdict(name, "repointed" if followed else "moved", to)
        elif column_of(self.old, name).type != column_of(home.new, to).type:
            self.said[name] = ColumnVerdict(name, "retyped")

    def _note(self, home: Home, name: str, to: str, rows: Sequence[int]) -> str:
        """How values of a column changed, as far as some rows show it."""
        if self.sides.followed(self.old, name, home.new, to) or name in self.sides.links("before", self.old):
            return "they lead to other rows"
        if not rows or not home.keyed:
            return ""
        one, two = sources(self.old, home.new, self.sides.read(self.old, home, home.identity))
        was = self.sides.look.texts("before", one, name, rows)
        now = self.sides.look.texts("after", two, to, rows)
        return note([(was[row], now[row]) for row in rows if row in was and row in now])

    def _unmapped(self, home: Home) -> list[str]:
        spare = self.old.key if not home.keyed and surrogate(self.old) else ()
        return [name for name in self.old.names if name not in home.mapping and name not in spare]

    def _elsewhere(self, home: Home, name: str) -> bool:
        """Look for a column's values where its name does not say; whether that is all that is to be said of it."""
        filled = self._filled(name)
        found = find(self.sides, self.old, home, name, filled) if filled else None
        if name in home.mapping and (found is None or found.missing):
            return False
        if found is None:
            there = name in home.new.names and self.sides.leads_elsewhere(self.old, name, home.new, name)
            words = f"leads to {self.sides.links('after', home.new)[name][0]} now" if there else ""
            self.said[name] = ColumnVerdict(name, "lost" if filled else "removed", lost=filled, note=words)
            return True
        table, _, column = found.place.to.rpartition(".")
        here = table == home.new.name
        if here and column not in home.mapping.values():
            home.mapping[name] = column
            if found.missing:
                # Part of the values arrived under another name: what differs is counted row by row.
                home.whole += found.missing
                return False
        word = "lost" if found.missing else "repointed" if found.place.before.pairs[-1].link else "moved"
        self.said[name] = ColumnVerdict(name, word, column if here else found.place.to, found.missing)
        if not found.missing:
            self.proofs.append(Proof((found.place.before,), (found.place.after,)))
        return True

    def _filled(self, name: str) -> int:
        found = self.sides.look.profile("before", self.old.name, [Pair(name, column_of(self.old, name).read_as)])
        return found[0].filled if found else self.old.rows

    def _crossed(self, home: Home) -> None:
        """Rows that are equal but for their key: which is which only those tell that link to them."""
        count = twins_crossed(self.sides, self.old, home)
        if count:
            self.said[self.old.key[0]].changed = count
            self.said[self.old.key[0]].note = "links lead to another one of several equal rows"

    def _several(self, result: TableVerdict) -> None:
        """The rows are in several tables: every value has to be found in one of them."""
        old, sides = self.old, self.sides
        gone = missing(sides, old, self.homes)
        result.lost = gone[0] if gone else old.rows
        if not result.lost:
            self._prove_union()
        spare = old.key if surrogate(old) and not self.homes[0].keyed else ()
        for name in old.names:
            if name in self.homes[0].identity or name in spare:
                continue
            filled = self._filled(name)
            places = [h for h in self.homes if name in h.mapping]
            lost = self._lost_in_union(places, name) if places else filled
            if lost:
                self.said[name] = ColumnVerdict(name, "lost", lost=max(lost - result.lost, 0))

    def _union(self, homes: Sequence[Home], names: Sequence[str], filled: bool) -> tuple[Source, tuple[Source, ...]]:
        made = [sources(self.old, home.new, self.sides.read(self.old, home, names), filled) for home in homes]
        return made[0][0], tuple(after for _, after in made)

    def _lost_in_union(self, homes: Sequence[Home], name: str) -> int:
        before, after = self._union(homes, [*homes[0].identity, name], True)
        found = self.sides.compare([before], after)
        if found is not None and not found.missing:
            self.proofs.append(Proof((before,), after))
        return found.missing if found else self._filled(name)

    def _prove_union(self) -> None:
        names = [name for name in self.old.names if all(name in home.mapping for home in self.homes)]
        before, after = self._union(self.homes, names, False)
        self.proofs.append(Proof((before,), after))

    def _proof(self, home: Home, names: Sequence[str], exact: bool) -> Proof:
        ordered = [name for name in self.old.names if name in names]
        one, two = sources(self.old, home.new, self.sides.read(self.old, home, ordered))
        return Proof((one,), (two,), exact)

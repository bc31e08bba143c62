"""Judge whether every row, value and link of the old release still exists after the migrations.

Tables are matched by name, by renames of the operations, and by content. The proof compares rows: the multisets of row
hashes over the columns that both sides have. Sums only suggest where a column went. If a copy has other keys, its
content is compared without the key, and every link to the copy is read as the content of the referenced row.
"""

from __future__ import annotations

from collections.abc import Sequence

from ops.verdict.accounting import json_keys
from ops.verdict.accounting.column_search import find
from ops.verdict.accounting.match_score import fit
from ops.verdict.accounting.match_tables import settle, unchanged
from ops.verdict.accounting.re_expression import Partial, partial, rewritten
from ops.verdict.accounting.row_diff import Cells, cells
from ops.verdict.accounting.row_division import by_kind, divided, lost_in, shared, union_proof
from ops.verdict.accounting.shared_rows import shared_rows, twins_crossed
from ops.verdict.comparison import Sides, sources
from ops.verdict.fingerprint import Fingerprint, Table
from ops.verdict.match import Home, Plan, column_of, surrogate
from ops.verdict.model import ColumnVerdict, Look, TableVerdict, Verdict
from ops.verdict.row_hash import Pair, Proof
from ops.verdict.value_changes import note


def judge(before: Fingerprint, after: Fingerprint, look: Look, plan: Plan | None = None) -> Verdict:
    """Compare the old database with the migrated one.

    Args:
        before: fingerprint of the clone before the migrations.
        after: fingerprint of the migrated clone.
        look: queries both databases.
        plan: the pending operations if known: renames, and whether an operation may have copied data.
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
    """Compute the verdict on one old table."""

    def __init__(self, sides: Sides, old: Table) -> None:
        self.sides, self.old = sides, old
        self.homes = sides.homes[old.name]
        self.said: dict[str, ColumnVerdict] = {}
        self.proofs: list[Proof] = []
        self.partial: dict[str, Partial] = {}

    def verdict(self) -> TableVerdict:
        """Return the verdict."""
        old = self.old
        if not self.homes:
            return self._gone()
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
        if result.lost == old.rows > 0 and old.name not in self.sides.after.tables:
            return self._gone()
        return self._named(result)

    def _gone(self) -> TableVerdict:
        rows = self.old.rows
        sample = self.sides.look.keys("before", self.old.name, [], []) if rows else []
        return TableVerdict(self.old.name, "lost" if rows else "removed", rows, 0, lost=rows, sample=sample)

    def _named(self, result: TableVerdict) -> TableVerdict:
        """Sort the columns and set the verdict of the table."""
        first = self.homes[0]
        order = [*self.old.names, *first.new.names]
        taken = set(first.mapping.values()) | {column.to for column in self.said.values()}
        fresh = [name for name in first.new.names if name not in taken and len(self.homes) == 1]
        self.said |= {name: ColumnVerdict(name, "added") for name in fresh if name not in self.said}
        result.columns = sorted(self.said.values(), key=lambda column: order.index(column.column))
        result.proofs = self.proofs
        if len(self.homes) == 1:
            both = first.mapping.items()
            result.pairs = {name: self.sides.pair(self.old, name, first.new, to) for name, to in both}
        if result.to == self.old.name:
            result.verdict, result.to = "unchanged", ""
        if result.lost or result.lost_values:
            result.verdict = "lost"
        elif result.changed or result.changed_values:
            result.verdict = "changed"
        return result

    def _one(self, result: TableVerdict, home: Home) -> None:
        """Judge a table whose rows are in one table."""
        old, sides = self.old, self.sides
        bad = cells(sides, old, home)
        asked = [*self._unmapped(home), *bad.columns]
        settled = [name for name in asked if self._rewritten(home, name) or self._elsewhere(home, name, bad)]
        left = [name for name in asked if name not in settled]
        if set(settled) & set(bad.columns) or set(left) - set(bad.columns) or self.partial:
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
        # A row without a key that changed is missing in any comparison of content, so no proof would hold.
        if not bad.rows and (home.keyed or not home.rows):
            self.proofs.insert(0, self._proof(home, sound, exact=old.rows == home.new.rows))

    def _mapped(self, home: Home, name: str, to: str, bad: Cells) -> None:
        lost, changed = bad.columns.get(name, (0, 0))
        followed = self.sides.followed(self.old, name, home.new, to)
        if lost or changed:
            word, there = "lost" if lost else "changed", "" if to == name else to
            words, examples = self._note(home, name, to, bad) if changed else ("", [])
            self.said[name] = ColumnVerdict(name, word, there, lost, changed, words, examples=examples)
            self._by_rule(name)
        elif name in self.partial:
            # The rule fails only in lost rows.
            there = "" if to == name else to
            self.said[name] = ColumnVerdict(name, "re-expressed", there, note=self.partial[name].rule.said)
            self._by_rule(name)
        elif followed or to != name:
            self.said[name] = ColumnVerdict(name, "repointed" if followed else "moved", to)
        elif column_of(self.old, name).type != column_of(home.new, to).type:
            self.said[name] = ColumnVerdict(name, "retyped")

    def _by_rule(self, name: str) -> None:
        """Record the rule that holds for the other values of a column."""
        if found := self.partial.get(name):
            said = self.said[name]
            said.rule, said.held, said.never = found.rule.said, found.held, found.rule.never

    def _note(self, home: Home, name: str, to: str, bad: Cells) -> tuple[str, list[tuple[str | None, str | None]]]:
        """Return how values of a column changed by a few examples, and the examples."""
        rows, empty = bad.examples.get(name, []), bad.filled.get(name, 0)
        if self.sides.followed(self.old, name, home.new, to) or name in self.sides.links("before", self.old):
            if empty == bad.columns[name][1]:
                return "they referenced no row before", []
            before = f"{empty:,} of them referenced no row before, and the others " if empty else "they "
            return f"{before}reference other rows", []
        if not rows or not home.keyed:
            return "", []
        one, two = sources(self.old, home.new, self.sides.read(self.old, home, home.identity))
        was = self.sides.look.texts("before", one, name, rows)
        now = self.sides.look.texts("after", two, to, rows)
        values = [(was[row], now[row]) for row in rows if row in was and row in now]
        return json_keys.changed(self.sides, self.old, home, name, values) or note(values), values

    def _unmapped(self, home: Home) -> list[str]:
        spare = self.old.key if not home.keyed and surrogate(self.old) else ()
        return [name for name in self.old.names if name not in home.mapping and name not in spare]

    def _rewritten(self, home: Home, name: str) -> bool:
        """Return True if a rule computes the old values from the new values, and record it."""
        found = rewritten(self.sides, self.old, home, name)
        if found is None:
            return False
        if found.missing:
            lost = ColumnVerdict(name, "lost", found.to, found.missing, note=found.said, proof=found.proof)
            self.said[name] = lost
            return True
        to = "" if found.to == name else found.to
        self.said[name] = ColumnVerdict(
            name, "re-expressed", to, note=found.said, never=found.never, blank=found.blank
        )
        self.proofs += [found.proof] if found.proof else []
        return True

    def _partly_rewritten(self, home: Home, name: str, least: int) -> bool:
        """Read a column by a rule that holds in most rows, so that only its exceptions count as different."""
        found = partial(self.sides, self.old, home, name, least)
        if found is None or not self.sides.read_by(self.old, name, home.new, found.to, found.pairs):
            return False
        self.partial[name] = found
        home.mapping[name] = found.to
        home.whole = max(home.whole, found.missing, 1)
        return True

    def _elsewhere(self, home: Home, name: str, bad: Cells) -> bool:
        """Search for a column's values in other columns. Return True if the verdict on the column is complete."""
        filled = self._filled(name)
        if filled and self._became_part(home, name):
            self.said[name] = ColumnVerdict(name, "moved", note="the referenced row is now part of this row")
            return True
        found = find(self.sides, self.old, home, name, filled) if filled else None
        least = sum(bad.columns.get(name, (filled,))) if found is None else found.missing
        if least and self._partly_rewritten(home, name, least):
            return False
        if name in home.mapping and (found is None or found.missing):
            return False
        if found is None:
            there = name in home.new.names and self.sides.leads_elsewhere(self.old, name, home.new, name)
            words = f"now references {self.sides.links('after', home.new)[name][0]}" if there else ""
            self.said[name] = ColumnVerdict(name, "lost" if filled else "removed", lost=filled, note=words)
            return True
        table, _, column = found.place.to.rpartition(".")
        here = table == home.new.name
        if here and column not in home.mapping.values():
            home.mapping[name] = column
            if found.missing:
                # A part of the values is in a column of another name: the differences are counted row by row.
                home.whole += found.missing
                return False
        word = "lost" if found.missing else "repointed" if found.place.before.pairs[-1].link else "moved"
        proof = Proof((found.place.before,), (found.place.after,))
        self.said[name] = ColumnVerdict(name, word, column if here else found.place.to, found.missing)
        self.said[name].note = f"{found.instead} has them" if found.instead else ""
        if found.missing:
            self.said[name].proof = proof
        else:
            self.proofs.append(proof)
        return True

    def _became_part(self, home: Home, name: str) -> bool:
        """Return True if a link was dropped because its referenced rows were merged into the referencing rows."""
        to = self.sides.links("before", self.old).get(name, ("", ""))[0]
        there = any(its.new.name == home.new.name for its in self.sides.homes.get(to, ()))
        return there and name not in home.mapping and (to, home.new.name) in self.sides.inward

    def _filled(self, name: str) -> int:
        found = self.sides.look.profile("before", self.old.name, [Pair(name, column_of(self.old, name).read_as)])
        return found[0].filled if found else self.old.rows

    def _crossed(self, home: Home) -> None:
        """Count links between rows that are equal except for the key, which only their links distinguish."""
        count = twins_crossed(self.sides, self.old, home)
        if count:
            self.said[self.old.key[0]].changed = count
            self.said[self.old.key[0]].note = "links reference another one of several equal rows"

    def _several(self, result: TableVerdict) -> None:
        """Judge a table whose rows are in several tables. Every value must be in one of them."""
        old, sides = self.old, self.sides
        bad = divided(sides, old, self.homes) or Cells(old.rows)
        result.lost, result.changed = bad.rows, bad.changed_rows
        common = shared(sides, old, self.homes)
        spare = old.key if surrogate(old) and not self.homes[0].keyed else ()
        for name in old.names:
            if name not in common and name not in spare:
                self._partly(name, bad.rows)
        for name, (lost, changed) in bad.columns.items():
            if lost or changed:
                self.said[name] = ColumnVerdict(name, "lost" if lost else "changed", "", lost, changed)
        if bad.sample:
            pairs = sides.read(old, self.homes[0], bad.over)
            result.sample = sides.look.keys("before", old.name, [one for one, _ in pairs], bad.sample)
        proof = union_proof(sides, old, self.homes, list(self.said))
        if result.lost:
            result.proof = proof
        else:
            self.proofs.append(proof)

    def _partly(self, name: str, gone: int) -> None:
        """Judge a column that only some of the tables have, or none if each table represents one of its values."""
        places = [home for home in self.homes if name in home.mapping]
        sides, old = self.sides, self.old
        found = lost_in(sides, old, places, name) if places else None
        if not places and (sides.plan is None or sides.plan.mentions(name)):
            # A table can represent a value only if the migrations' code names the column.
            found = by_kind(sides, old, self.homes, name)
        missing, proof = found or (None, None)
        lost = max((self._filled(name) if missing is None else missing) - gone, 0)
        if lost:
            self.said[name] = ColumnVerdict(name, "lost", lost=lost, proof=proof)
        elif proof and not places and self._filled(name):
            self.said[name] = ColumnVerdict(name, "moved", note="each of the tables represents one of its values")
        if proof and not missing:
            self.proofs.append(proof)

    def _proof(self, home: Home, names: Sequence[str], exact: bool) -> Proof:
        ordered = [name for name in self.old.names if name in names]
        one, two = sources(self.old, home.new, self.sides.read(self.old, home, ordered))
        return Proof((one,), (two,), exact)

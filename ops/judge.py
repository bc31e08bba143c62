"""The comparison: whether every row, value and link of the old release is still there after the migrations.

Tables are matched by name, and gone ones with new ones by content. A copy may have keys of its own: then its content is
compared without the key, and every link to it is read as the content of the row that it leads to. What counts as proof
is row-wise: the multiset of row hashes over the columns that both sides have; column sums only suggest where a column
went.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise, permutations

from ops.fingerprint import Column, Fingerprint, Link, Pair, Table
from ops.verdict import ColumnVerdict, Look, TableVerdict, Verdict, difference

# How many mappings of renamed columns are tried for one pair of tables.
TRIES = 24

Mapping_ = Mapping[str, str]


@dataclass
class _Match:
    """How well one table's rows are found in another one over a mapping of columns."""

    mapping: dict[str, str]
    missing: int
    extra: int
    sample: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Renumbered:
    """A table whose rows were found again under new keys: where, and what of it tells its rows apart."""

    old: Table
    new: Table
    key: str
    new_key: str
    mapping: dict[str, str]


def judge(before: Fingerprint, after: Fingerprint, look: Look) -> Verdict:
    """Compare the old database with the migrated one."""
    return _Judge(before, after, look).verdict()


class _Judge:
    """One comparison. ``free`` holds the new tables that nothing was found in yet, ``went`` where each old table is."""

    def __init__(self, before: Fingerprint, after: Fingerprint, look: Look) -> None:
        self.before, self.after, self.look = before, after, look
        self.free = {name: table for name, table in after.tables.items() if name not in before.tables}
        self.renumbered: dict[str, _Renumbered] = {}
        self.went = {name: name for name in before.tables if name in after.tables}

    def verdict(self) -> Verdict:
        """Gone tables first, since links to them are judged by where their rows went."""
        found: dict[str, TableVerdict] = {}
        gone = list(self._gone_in_order())
        seen = {}
        for old in gone:
            self._take(found, old)
            seen[old.name] = self._repointed(old)
        for old in gone:
            # In a circle of links a table may be judged before the one that it links to turned out to have new keys.
            if self._repointed(old) != seen[old.name]:
                self._take(found, old)
        for name, old in self.before.tables.items():
            if name in self.after.tables:
                found[name] = self._kept(old, self.after.tables[name])
        added = [TableVerdict(name, "added", 0, table.rows) for name, table in sorted(self.free.items())]
        return Verdict([found[name] for name in sorted(found)] + added)

    def _take(self, found: dict[str, TableVerdict], old: Table) -> None:
        """Judge a gone table, and take its destination from the free ones."""
        if old.name in found and found[old.name].to:
            self.free[found[old.name].to] = self.after.tables[found[old.name].to]
        found[old.name] = self._gone(old)
        self.went[old.name] = found[old.name].to
        self.free.pop(found[old.name].to, None)

    def _gone_in_order(self) -> Iterator[Table]:
        """A table comes after those that it links to, as far as that can be."""
        left = {name: table for name, table in sorted(self.before.tables.items()) if name not in self.after.tables}
        while left:
            ready = [t for t in left.values() if not {to for to, _ in t.links.values()} & (left.keys() - {t.name})]
            chosen = (ready or list(left.values()))[0]
            yield left.pop(chosen.name)

    def _kept(self, old: Table, new: Table) -> TableVerdict:
        same = old.columns == new.columns and (old.rows, old.checksum) == (new.rows, new.checksum)
        if same and not self._repointed(old):
            match = _Match({name: name for name in old.names}, 0, 0)
            return self._compared(TableVerdict(old.name, "unchanged", old.rows, new.rows), old, new, match)
        match, gone = self._best(old, new)
        columns = self._columns(old, new, match, gone)
        lost = max(match.missing - match.extra, 0)
        result = TableVerdict(old.name, "unchanged", old.rows, new.rows, lost=lost, columns=columns)
        self._compared(result, old, new, match)
        if match.missing:
            # Rows that differ only in a value that is counted as lost with its column are not counted as changed, too.
            result.changed = max(match.missing - lost - result.lost_values, 0)
            result.sample = self._keys(old, match)
        if lost or result.lost_values:
            result.verdict = "lost"
        elif result.changed:
            result.verdict = "changed"
        return result

    def _gone(self, old: Table) -> TableVerdict:
        best: tuple[_Match, Table, list[str]] | None = None
        for new in self.free.values():
            match, gone = self._best(old, new)
            # A table with nothing in common but its key is no destination, however many rows of its own it has.
            # A guess by content alone has to be a whole table: a rename has neither rows nor keys to spare.
            if match.extra and any(name != to for name, to in match.mapping.items()):
                continue
            alike = set(match.mapping) - set(old.key) or set(match.mapping) == set(old.names)
            if not alike or (old.rows and match.missing >= old.rows):
                continue
            if best is None or self._cost(old, match, gone) < self._cost(old, best[0], best[2]):
                best = match, new, gone
        if best is None or best[0].missing:
            copied = self._copied(old, best[0].missing if best else old.rows)
            if copied:
                return copied
        if old.rows == 0 and (best is None or best[2]):
            return TableVerdict(old.name, "removed", 0, 0)
        if best is None:
            sample = self.look.keys("before", old.name, [], [])
            return TableVerdict(old.name, "lost", old.rows, 0, lost=old.rows, sample=sample)
        match, new, gone = best
        return self._moved(old, new, match, self._columns(old, new, match, gone))

    def _cost(self, old: Table, match: _Match, gone: Sequence[str]) -> tuple[int, int]:
        """How many values would be lost, and how many rows too many there are."""
        return match.missing * len(old.columns) + (old.rows - match.missing) * len(gone), match.extra

    def _moved(self, old: Table, new: Table, match: _Match, columns: list[ColumnVerdict]) -> TableVerdict:
        result = TableVerdict(old.name, "moved", old.rows, new.rows, new.name, lost=match.missing, columns=columns)
        self._compared(result, old, new, match)
        if match.missing or result.lost_values:
            result.verdict = "lost"
            result.sample = self._keys(old, match)
        return result

    def _copied(self, old: Table, worst: int) -> TableVerdict | None:
        """The table's rows under new keys in a new table, if fewer than ``worst`` are missing there."""
        if len(old.key) != 1:
            return None
        itself = {name for name, (table, _) in old.links.items() if table == old.name}
        bare = replace(old, columns=tuple(c for c in old.columns if c.name not in {*old.key, *itself}), key=())
        for new in self.free.values():
            if len(new.key) != 1 or not bare.columns:
                continue
            match, gone = self._best(bare, replace(new, columns=tuple(c for c in new.columns if c.name not in new.key)))
            if gone or match.missing >= worst or not match.mapping:
                continue
            if self._twins(bare, match):
                continue
            self.renumbered[old.name] = _Renumbered(old, new, old.key[0], new.key[0], match.mapping)
            whole = replace(old, columns=tuple(c for c in old.columns if c.name not in old.key), key=())
            if itself:
                match, gone = self._best(whole, new)
            columns = self._columns(whole, new, match, gone)
            columns.insert(0, ColumnVerdict(old.key[0], "renumbered", new.key[0]))
            columns = [c for c in columns if (c.column, c.verdict) != (new.key[0], "added")]
            result = self._moved(old, new, match, columns)
            if result.verdict == "moved" and self._has_generic_links():
                result.verdict, result.changed = "changed", old.rows
            return result
        return None

    def _twins(self, bare: Table, match: _Match) -> bool:
        """Whether two rows are equal but for their key, so that nothing tells to which of them a link should lead."""
        if not any(to == bare.name for t in self.before.tables.values() for to, _ in t.links.values()):
            return False
        content = self._content(bare, match.mapping)
        if not content:
            return True
        hashes = self.look.hashes("before", bare.name, content)
        return any(one == two for one, two in pairwise(hashes))

    def _has_generic_links(self) -> bool:
        """Whether rows link to others by content type and number, which no foreign key tells."""
        return any(
            table.rows
            and "object_id" in table.names
            and table.name.split(".")[-1] != "django_admin_log"
            and any(to.split(".")[-1] == "django_content_type" for to, _ in table.links.values())
            for table in self.before.tables.values()
        )

    def _leads_elsewhere(self, old: Table, column: str, new: Table, candidate: str) -> bool:
        """Whether a foreign key leads to another table than the one where the rows that it led to are now."""
        was, is_now = old.links.get(column), new.links.get(candidate)
        return bool(was and is_now and was[0] in self.went and self.went[was[0]] != is_now[0])

    def _best(self, old: Table, new: Table) -> tuple[_Match, list[str]]:
        """The mapping of columns under which the fewest rows are missing, and the columns that found no place."""
        shared = {n: n for n in old.names if n in new.names and not self._leads_elsewhere(old, n, new, n)}
        gone = [column for column in old.columns if column.name not in shared]
        base = self._match(old, new, shared)
        if not gone:
            return base, []
        for mapping in islice(self._guesses(old, new, shared, gone), TRIES):
            found = self._match(old, new, mapping)
            if found.missing < max(old.rows, 1) and found.missing <= base.missing:
                return found, [column.name for column in gone if column.name not in mapping]
            # Part of the values may have come along: better a partial home than none, and what is missing is counted.
            if len(gone) == 1 and found.missing < old.rows:
                return found, []
        return base, [column.name for column in gone]

    def _guesses(self, old: Table, new: Table, shared: Mapping_, gone: Sequence[Column]) -> Iterator[dict[str, str]]:
        """Where the gone columns may have gone: new columns of the same kind, those with equal sums first."""
        fresh = [column for column in new.columns if column.name not in shared]
        sums = {c.name: self.look.checksum("before", old.name, self._pairs(old, {c.name: c.name})) for c in gone}

        def equal(column: Column, candidate: Column) -> bool:
            pairs = self._pairs(old, {column.name: candidate.name}, new)
            return self.look.checksum("after", new.name, pairs) == sums[column.name]

        def kind(column: Column, candidate: Column) -> bool:
            elsewhere = self._leads_elsewhere(old, column.name, new, candidate.name)
            return candidate.read_as == column.read_as and not elsewhere

        likely = {c.name: [f.name for f in fresh if kind(c, f) and equal(c, f)] for c in gone}
        sure = {name: found[0] for name, found in likely.items() if len(found) == 1}
        if sure and len(set(sure.values())) == len(sure):
            yield {**shared, **sure}
        kinds = {c.name: [f.name for f in fresh if kind(c, f)] for c in gone}
        able = [name for name in kinds if kinds[name]]
        for size in range(len(able), 0, -1):
            for chosen in permutations([f.name for f in fresh], size):
                mapping = dict(zip(able[:size], chosen, strict=True))
                if all(to in kinds[name] for name, to in mapping.items()):
                    yield {**shared, **mapping}

    def _match(self, old: Table, new: Table, mapping: Mapping_) -> _Match:
        if not mapping:
            return _Match({}, old.rows, new.rows)
        mine, theirs = self._pairs(old, mapping), self._pairs(old, mapping, new)
        whole = len(mapping) == len(self.before.tables[old.name].columns) and not any(pair.link for pair in mine)
        before = (old.rows, old.checksum) if whole else self.look.checksum("before", old.name, mine)
        after = self.look.checksum("after", new.name, theirs)
        if after is None:
            return _Match(dict(mapping), old.rows, new.rows)
        if before == after:
            return _Match(dict(mapping), 0, 0)
        missing, extra, sample = difference(
            self.look.hashes("before", old.name, mine), self.look.hashes("after", new.name, theirs)
        )
        return _Match(dict(mapping), missing, extra, sample)

    def _pairs(self, old: Table, mapping: Mapping_, new: Table | None = None) -> list[Pair]:
        """The columns to compare: on the old side, or as they are called in ``new``."""
        types = {column.name: column for column in new.columns} if new else {}
        pairs = []
        for column in old.columns:
            if column.name not in mapping:
                continue
            name = mapping[column.name] if new else column.name
            link = None
            if column.name in self._repointed(old):
                link = self._link(self.renumbered[old.links[column.name][0]], new is not None)
            other = types.get(name)
            changed = other is not None and other.read_as != column.read_as
            pairs.append(Pair(name, column.read_as, link, other.type if other and changed else ""))
        return pairs

    def _link(self, there: _Renumbered, after: bool) -> Link:
        if not after:
            return Link(there.old.name, there.key, tuple(self._content(there.old, there.mapping)))
        return Link(there.new.name, there.new_key, tuple(self._content(there.old, there.mapping, there.new)))

    def _content(self, old: Table, mapping: Mapping_, new: Table | None = None) -> list[Pair]:
        """What tells a table's rows apart without following links, which could lead back in a circle."""
        links = {name for name, (table, _) in old.links.items() if table not in self.after.tables}
        plain = {name: to for name, to in mapping.items() if name not in links}
        return self._pairs(replace(old, links={}), plain, new)

    def _repointed(self, old: Table) -> set[str]:
        """The columns that link to a table whose rows have new keys: their values mean nothing by themselves."""
        return {name for name, (table, _) in old.links.items() if table in self.renumbered}

    def _compared(self, result: TableVerdict, old: Table, new: Table, match: _Match) -> TableVerdict:
        """Note over which columns the two sides were compared."""
        result.mapping = match.mapping
        result.before = tuple(self._pairs(old, match.mapping))
        result.after = tuple(self._pairs(old, match.mapping, new))
        return result

    def _keys(self, old: Table, match: _Match) -> list[str]:
        return self.look.keys("before", old.name, self._pairs(old, match.mapping), match.sample)

    def _columns(self, old: Table, new: Table, match: _Match, gone: Sequence[str]) -> list[ColumnVerdict]:
        said = []
        repointed = self._repointed(old)
        for name, to in match.mapping.items():
            if to == name and name not in repointed:
                continue
            lost = 0
            if match.missing and old.name == new.name:
                lost = max(self.look.filled("before", old.name, name) - self.look.filled("after", new.name, to), 0)
            kept = "repointed" if name in repointed else "moved"
            said.append(ColumnVerdict(name, "lost" if lost else kept, to, lost))
        for name in gone:
            lost = self.look.filled("before", old.name, name)
            said.append(ColumnVerdict(name, "lost" if lost else "removed", lost=lost))
        taken = set(match.mapping.values())
        said += [ColumnVerdict(name, "added") for name in new.names if name not in taken]
        return said

"""How well a new table fits as the home of an old table's rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import pairwise

from ops.verdict.accounting.row_diff import cells
from ops.verdict.comparison import Sides, sources
from ops.verdict.fingerprint import Table
from ops.verdict.match import SURROGATE, Home, column_of, surrogate
from ops.verdict.row_hash import ROW, Link, Pair, Source, row_hash

# How many columns are left out one at a time to find the one that does not fit.
WIDEST = 16


def fit(sides: Sides, old: Table, new: Table, by_key: bool | None = None) -> Home | None:
    """The best way in which ``new`` holds rows of ``old``; None where they have nothing in common.

    Args:
        by_key: only ways that tell rows apart by key, or only others.
    """
    best: Home | None = None
    for mapping, keyed in _ways(sides, old, new):
        if by_key is not None and keyed != by_key:
            continue
        found = _keyed(sides, old, new, mapping) if keyed else _by_content(sides, old, new, mapping)
        if found and (best is None or cost(sides, old, found) < cost(sides, old, best)):
            best = found
        if best and not best.whole and len(best.mapping) == len(old.columns):
            break
    return best


def cost(sides: Sides, old: Table, home: Home) -> tuple[int, ...]:
    """What would be lost there: values at most; then whether keys tell rows apart, rows that differ, rows too many."""
    key = 0 if home.keyed or not surrogate(old) else len([name for name in old.key if name not in home.mapping])
    unmapped = len(old.columns) - len(home.mapping) - key
    rows, differ = home.rows, 0
    if home.whole and home.new.name != old.name and (home.keyed or len(home.identity) < len(home.mapping)):
        # Keys that happen to be the same, or columns left out: what stands there tells.
        found = cells(sides, old, home)
        rows, differ = found.rows, sum(map(sum, found.columns.values()))
    values = rows * len(old.columns) + (old.rows - rows) * unmapped + differ
    return values, 0 if home.keyed else 1, home.whole, home.extra


def _ways(sides: Sides, old: Table, new: Table) -> Iterator[tuple[dict[str, str], bool]]:
    """Mappings of columns by name, and whether rows are to be told apart by key."""
    names = names_of(sides, old, new)
    inward = list(_inward(sides, old, new, names))
    yield from ((mapping, True) for mapping in inward)
    if inward and new.rows == sides.before.tables[sides.origin(new.name)].rows:
        return
    if old.key and set(old.key) <= names.keys():
        yield names, True
    if old.name == new.name and old.key and _same_keys(sides, old, new, names):
        return
    plain = {name: to for name, to in names.items() if not (surrogate(old) and name in old.key)}
    if plain:
        yield plain, False
    if len(new.key) != 1:
        return
    # A row may have become part of the row that it led to: the link is then that row's own key.
    for name, (to, _) in sides.links("before", old).items():
        if any(home.new.name == new.name for home in sides.homes.get(to, [])) and to != old.name:
            rest = {c: t for c, t in plain.items() if t != new.key[0] and c != name}
            if rest:
                yield {**rest, name: new.key[0]}, False


def _inward(sides: Sides, old: Table, new: Table, names: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """A row may have become part of the row that led to it: by the link, where that is still there, else by the key of
    that row. Only new columns can have taken its values."""
    fresh = {name: to for name, to in names.items() if name not in old.key and not sides.origin(new.name, to)}
    leading = sides.leading(new, old)
    for was, link in leading.items():
        child = sides.before.tables[sides.origin(new.name)]
        if link in new.names:
            sides.inward.pop((old.name, new.name), None)
            yield {**fresh, old.key[0]: link}
            continue
        # Of two links that are gone, a row that was joined can tell only one.
        alone = len(leading) == 1 and len(child.key) == 1
        key = sides.columns.get((child.name, child.key[0]), child.key[0]) if alone else ""
        if key in new.names:
            kind = column_of(child, child.key[0]).read_as
            back = Link(child.name, was, (Pair(child.key[0], kind),), back=True)
            itself = f"({row_hash([Pair(key, kind)], ROW)})::numeric"
            mine = Pair(old.key[0], column_of(old, old.key[0]).read_as, back)
            sides.inward[old.name, new.name] = mine, Pair(key, kind, sql=itself)
            yield {**fresh, old.key[0]: key}


def _same_keys(sides: Sides, old: Table, new: Table, names: Mapping[str, str]) -> bool:
    """Whether a kept table has kept its keys: then a row is told apart by its key and by nothing else."""
    if not set(old.key) <= names.keys():
        return False
    found = sides.compare(*_lists(sides, old, new, {key: names[key] for key in old.key}))
    return found is not None and found.missing < max(old.rows, 1)


def names_of(sides: Sides, old: Table, new: Table) -> dict[str, str]:
    """Old columns to new ones of the same name, or of the name that an operation gives them."""
    renamed = {c.name: sides.columns[old.name, c.name] for c in old.columns if (old.name, c.name) in sides.columns}
    renamed = renamed if sides.tables.get(old.name, old.name) == new.name else {}
    taken = set(renamed.values())
    found = {}
    for column in old.columns:
        to = renamed.get(column.name, column.name)
        if to not in new.names or (to in taken and column.name not in renamed):
            continue
        if not sides.leads_elsewhere(old, column.name, new, to):
            found[column.name] = to
    return found


def _lists(sides: Sides, old: Table, new: Table, mapping: Mapping[str, str]) -> tuple[list[Source], list[Source]]:
    one, two = sources(old, new, sides.pairs(old, new, mapping))
    return [one], [two]


def _keyed(sides: Sides, old: Table, new: Table, mapping: dict[str, str]) -> Home | None:
    whole = sides.compare(*_lists(sides, old, new, mapping))
    if whole is None:
        return None
    home = Home(new, mapping, old.key, True, 0, whole.missing, whole.extra, list(whole.sample))
    if whole.missing:
        keys = sides.compare(*_lists(sides, old, new, {name: mapping[name] for name in old.key}))
        home.rows = keys.missing if keys else old.rows
        home.extra = keys.extra if keys else home.extra
        if home.rows >= old.rows:
            return None
        if not home.rows:
            home.whole = _core(sides, old, home)
    return home


def _core(sides: Sides, old: Table, home: Home) -> int:
    """Rows that are missing over the columns that fit by their sums; the others are looked at one by one later."""
    good = _good(sides, old, home.new, home.mapping)
    keep = {name: to for name, to in home.mapping.items() if name in good or name in old.key}
    found = sides.compare(*_lists(sides, old, home.new, keep))
    # A column that does not fit counts, too, so that two ways are told apart.
    return (found.missing if found else old.rows) + len(home.mapping) - len(keep)


def _good(sides: Sides, old: Table, new: Table, mapping: Mapping[str, str]) -> set[str]:
    """The columns that hold the same values on both sides, row or no row."""
    names = [column.name for column in old.columns if column.name in mapping]
    pairs = sides.pairs(old, new, mapping)
    one = sides.look.profile("before", old.name, [pair for pair, _ in pairs])
    two = sides.look.profile("after", new.name, [pair for _, pair in pairs])
    if one is None or two is None:
        return set()
    return {name for name, a, b in zip(names, one, two, strict=True) if (a.filled, a.total) == (b.filled, b.total)}


def _by_content(sides: Sides, old: Table, new: Table, mapping: dict[str, str]) -> Home | None:
    """Rows are told apart by what they hold; what does not fit is left out of it, and looked at later."""
    itself = [name for name, (to, _) in sides.links("before", old).items() if to == old.name]
    mapping = {name: to for name, to in mapping.items() if name not in itself}
    if not mapping or not old.rows:
        return None
    whole = sides.compare(*_lists(sides, old, new, mapping))
    if whole is None:
        return None
    home = Home(new, mapping, tuple(mapping), False, whole.missing, whole.missing, whole.extra, list(whole.sample))
    joined = {name for name, to in mapping.items() if (to,) == new.key and name not in old.key}
    if whole.missing:
        home = _narrowed(sides, old, home, joined)
    if not set(home.identity) - joined:
        # Only the row is found that it led to, and nothing of its own.
        home = Home(new, mapping, tuple(mapping), False, whole.missing, whole.missing, whole.extra, list(whole.sample))
    home.mapping |= {name: name for name in itself if name in new.names}
    return home if home.rows < old.rows else None


def _narrowed(sides: Sides, old: Table, home: Home, joined: set[str]) -> Home:
    """The same rows told apart by fewer columns, where that finds more of them."""
    best = home
    for names in _fewer(sides, old, home, joined):
        found = sides.compare(*_lists(sides, old, home.new, {name: home.mapping[name] for name in names}))
        if found is not None and found.missing < best.rows:
            whole = found.missing + len(home.mapping) - len(names)
            sample = list(found.sample)
            best = Home(home.new, home.mapping, tuple(names), False, found.missing, whole, found.extra, sample)
        if not best.rows:
            break
    return best


def _fewer(sides: Sides, old: Table, home: Home, joined: set[str]) -> Iterator[Sequence[str]]:
    names = list(home.mapping)
    if joined:
        # The link tells the rows apart: one further column that fits says that they became a part of those rows.
        good = _good(sides, old, home.new, home.mapping) | joined
        if len(names) > len(good) > len(joined):
            yield [name for name in names if name in good]
    elif old.rows == home.new.rows:
        good = _good(sides, old, home.new, home.mapping)
        # Rows that have less than half in common are not the same rows, unless that tells each one from all others.
        if len(names) > len(good) and (len(good) >= len(names) / 2 or _telling(sides, old, home, good)):
            yield [name for name in names if name in good]
    elif len(names) <= WIDEST:
        yield from ([other for other in names if other != name] for name in names if len(names) > 2)


def _telling(sides: Sides, old: Table, home: Home, names: set[str]) -> bool:
    """Whether some columns, not only numbers, are different in each row."""
    if all(column.read_as in SURROGATE for column in old.columns if column.name in names):
        return False
    one, _ = sources(old, home.new, sides.pairs(old, home.new, {name: home.mapping[name] for name in names}))
    with closing(sides.look.hashes("before", [one])) as hashes:
        return not any(first == second for first, second in pairwise(hashes))

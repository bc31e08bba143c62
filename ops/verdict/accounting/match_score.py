"""Compute how well a new table matches as the home of an old table's rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import pairwise

from ops.verdict.accounting.row_diff import cells
from ops.verdict.comparison import Sides, sources
from ops.verdict.fingerprint import Table
from ops.verdict.match import SURROGATE, Home, column_of, surrogate
from ops.verdict.row_hash import ROW, Link, Pair, Source, row_hash

# The number of columns that are left out one at a time to find the column that differs.
WIDEST = 16


def fit(sides: Sides, old: Table, new: Table, by_key: bool | None = None) -> Home | None:
    """Return the best way in which ``new`` has rows of ``old``, or None if they have nothing in common.

    Args:
        by_key: True for only ways that identify rows by key, False for only other ways.
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
    """Return the cost of a home: lost values, then whether rows have no key, rows that differ, and extra rows."""
    # A key that is a link to another table, such as a child's to its parent, is not replaceable.
    number = [name for name in old.key if surrogate(old) and name not in sides.links("before", old)]
    key = 0 if home.keyed else len([name for name in number if name not in home.mapping])
    unmapped = len(old.columns) - len(home.mapping) - key
    rows, differ = home.rows, 0
    if home.whole and home.new.name != old.name and (home.keyed or len(home.identity) < len(home.mapping)):
        # Equal keys may be chance, and columns may be left out, so count the values that differ.
        found = cells(sides, old, home)
        rows, differ = found.rows, sum(map(sum, found.columns.values()))
    values = rows * len(old.columns) + (old.rows - rows) * unmapped + differ
    return values, 0 if home.keyed else 1, home.whole, home.extra


def _ways(sides: Sides, old: Table, new: Table) -> Iterator[tuple[dict[str, str], bool]]:
    """Yield mappings of columns by name, and whether the rows are identified by key."""
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
    # If a row was merged into the row that it referenced, the link is now that row's key.
    for name, (to, _) in sides.links("before", old).items():
        if any(home.new.name == new.name for home in sides.homes.get(to, [])) and to != old.name:
            rest = {c: t for c, t in plain.items() if t != new.key[0] and c != name}
            fresh = _linking(sides, old, new, {c: t for c, t in rest.items() if not sides.origin(new.name, t)}, name)
            for mapping in (fresh, rest) if fresh != rest else (rest,):
                if mapping:
                    yield {**mapping, name: new.key[0]}, False


def _linking(sides: Sides, old: Table, new: Table, fresh: dict[str, str], name: str) -> dict[str, str]:
    """Add each other link whose values only one new column can have: the only new link to the same table."""
    for other, (to, _) in sides.links("before", old).items():
        there = {home.new.name for home in sides.homes.get(to, ())}
        after = sides.links("after", new).items()
        links = [c for c, (its, _) in after if its in there and not sides.origin(new.name, c)]
        if other not in fresh and other != name and len(links) == 1:
            fresh[other] = links[0]
    return fresh


def _inward(sides: Sides, old: Table, new: Table, names: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield mappings for rows merged into the row that referenced them, by the link or by that row's key.

    Only new columns can have the values of the merged row.
    """
    fresh = {name: to for name, to in names.items() if name not in old.key and not sides.origin(new.name, to)}
    leading = sides.leading(new, old)
    for was, link in leading.items():
        child = sides.before.tables[sides.origin(new.name)]
        if link in new.names:
            sides.inward.pop((old.name, new.name), None)
            yield {**fresh, old.key[0]: link}
            continue
        # With two dropped links, a merged row can show only one of them.
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
    """Return True if a remaining table still has its keys, so that only the key identifies a row."""
    if not set(old.key) <= names.keys():
        return False
    found = sides.compare(*_lists(sides, old, new, {key: names[key] for key in old.key}))
    return found is not None and found.missing < max(old.rows, 1)


def names_of(sides: Sides, old: Table, new: Table) -> dict[str, str]:
    """Map old columns to new columns of the same name, or of the name that an operation gives them."""
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
    """Return how many rows are missing over the columns with equal sums. Other columns are compared later."""
    good = _good(sides, old, home.new, home.mapping)
    keep = {name: to for name, to in home.mapping.items() if name in good or name in old.key}
    found = sides.compare(*_lists(sides, old, home.new, keep))
    # Columns with different sums also count, to distinguish two ways.
    return (found.missing if found else old.rows) + len(home.mapping) - len(keep)


def _good(sides: Sides, old: Table, new: Table, mapping: Mapping[str, str]) -> set[str]:
    """Return the columns with the same values on both sides, regardless of the row."""
    names = [column.name for column in old.columns if column.name in mapping]
    pairs = sides.pairs(old, new, mapping)
    one = sides.look.profile("before", old.name, [pair for pair, _ in pairs])
    two = sides.look.profile("after", new.name, [pair for _, pair in pairs])
    if one is None or two is None:
        return set()
    return {name for name, a, b in zip(names, one, two, strict=True) if (a.filled, a.total) == (b.filled, b.total)}


def _by_content(sides: Sides, old: Table, new: Table, mapping: dict[str, str]) -> Home | None:
    """Match rows by their content. Columns that differ are left out and compared later."""
    itself = [name for name, (to, _) in sides.links("before", old).items() if to == old.name]
    mapping = {name: to for name, to in mapping.items() if name not in itself}
    if not mapping or not old.rows:
        return None
    whole = sides.compare(*_lists(sides, old, new, mapping))
    if whole is None:
        return None
    home = Home(new, mapping, tuple(mapping), False, whole.missing, whole.missing, whole.extra, list(whole.sample))
    plain = set(old.key) - sides.links("before", old).keys()
    joined = {name for name, to in mapping.items() if (to,) == new.key and name not in plain}
    if whole.missing:
        home = _narrowed(sides, old, home, joined)
    if not set(home.identity) - joined:
        # Only the referenced row was found, and no value of the row itself.
        home = Home(new, mapping, tuple(mapping), False, whole.missing, whole.missing, whole.extra, list(whole.sample))
    home.mapping |= {name: name for name in itself if name in new.names}
    return home if home.rows < old.rows else None


def _narrowed(sides: Sides, old: Table, home: Home, joined: set[str]) -> Home:
    """Return the home with rows identified by fewer columns, if that finds more rows."""
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
        # The link identifies the rows, so one further equal column shows that they were merged into those rows.
        good = _good(sides, old, home.new, home.mapping) | joined
        if len(names) > len(good) > len(joined):
            yield [name for name in names if name in good]
    elif old.rows == home.new.rows:
        good = _good(sides, old, home.new, home.mapping)
        # Rows with fewer than half of the columns equal are different rows, unless these columns identify each row.
        if len(names) > len(good) and (len(good) >= len(names) / 2 or _telling(sides, old, home, good)):
            yield [name for name in names if name in good]
    elif len(names) <= WIDEST:
        yield from ([other for other in names if other != name] for name in names if len(names) > 2)


def _telling(sides: Sides, old: Table, home: Home, names: set[str]) -> bool:
    """Return True if some columns, not only numbers, have a different value in each row."""
    if all(column.read_as in SURROGATE for column in old.columns if column.name in names):
        return False
    one, _ = sources(old, home.new, sides.pairs(old, home.new, {name: home.mapping[name] for name in names}))
    with closing(sides.look.hashes("before", [one])) as hashes:
        return not any(first == second for first, second in pairwise(hashes))

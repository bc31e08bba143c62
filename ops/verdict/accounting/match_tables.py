"""Find where the rows of every old table went: the same table, a renamed table, a copy, or several tables."""

from __future__ import annotations

from collections.abc import Iterator

from ops.core.sql_names import bare
from ops.verdict.accounting.column_search import find
from ops.verdict.accounting.match_score import cost, fit, names_of
from ops.verdict.accounting.row_division import divided
from ops.verdict.comparison import Sides, in_link_order
from ops.verdict.fingerprint import Table, equal
from ops.verdict.generic_keys import columns
from ops.verdict.match import Home, surrogate
from ops.verdict.model import BOOKKEEPING

# The number of other tables that are checked for a table whose rows are not in the table of its name.
CANDIDATES = 12
PARTS = 4
# The share of columns that two tables must have in common to have parts of the same table's rows.
LIKE = 0.6
PASSES = 3


def settle(sides: Sides) -> None:
    """Find a home for every old table and set ``sides.homes``.

    Referenced tables come first. If links form a circle, tables that were matched too early are matched again.
    """
    order = list(in_link_order(sides))
    seen: dict[str, object] = {}
    for _ in range(PASSES):
        changed = False
        for old in order:
            now = _depends(sides, old)
            if seen.get(old.name, "new") == now:
                continue
            seen[old.name] = now
            sides.lives(old, _homes(sides, old))
            changed = True
        if not changed:
            return


def _depends(sides: Sides, old: Table) -> object:
    """Return what the home of a table depends on: the homes of the tables that it references."""
    said: list[object] = []
    for name, (to, _) in sorted(sides.links("before", old).items()):
        if to != old.name:
            homes = sides.homes.get(to)
            said.append((name, to, None if homes is None else tuple((h.new.name, h.keyed) for h in homes)))
    if any(columns(sides, old)):
        others = [(name, homes) for name, homes in sides.homes.items() if name != old.name]
        said += [(name, *((h.new.name, h.keyed) for h in homes)) for name, homes in others]
    return tuple(said)


def _homes(sides: Sides, old: Table) -> list[Home]:
    same = sides.after.tables.get(old.name)
    if same is not None and unchanged(sides, old, same):
        return [Home(same, {name: name for name in old.names}, old.key or old.names, bool(old.key))]
    best = _best(sides, old)
    if best is None:
        return []
    return _widened(sides, old, best) if best.rows else [best]


def unchanged(sides: Sides, old: Table, new: Table) -> bool:
    """Return True if two fingerprints show no change: equal columns, rows and links."""
    same = equal(old, new)
    leading = {*sides.links("before", old), *(number for _, number in columns(sides, old))} if same else ()
    return same and not any(
        sides.followed(old, name, new, name) or sides.leads_elsewhere(old, name, new, name) for name in leading
    )


def _best(sides: Sides, old: Table) -> Home | None:
    best: Home | None = None
    for new, sure in _candidates(sides, old):
        found = _empty(old, new, sure) if not old.rows else fit(sides, old, new)
        if found is None and sure:
            names = names_of(sides, old, new)
            found = Home(new, names, tuple(names), False, old.rows, old.rows, new.rows)
        if found is None or not (sure or _believed(sides, old, found)):
            continue
        if best is None or cost(sides, old, found) < cost(sides, old, best):
            best = found
        # Search other tables for a remaining table only if rows are missing.
        if best and not best.rows and (sure or not best.whole and len(best.mapping) >= len(old.columns) - 1):
            break
    return best


def _empty(old: Table, new: Table, sure: bool) -> Home | None:
    """Return the home of an empty table: another empty table with exactly the same columns, or the sure one."""
    names = {name: name for name in old.names if name in new.names}
    if not sure and (new.rows or set(old.names) != set(new.names)):
        return None
    keyed = bool(old.key) and set(old.key) <= names.keys()
    return Home(new, names, old.key if keyed else tuple(names), keyed, extra=new.rows)


def _candidates(sides: Sides, old: Table) -> Iterator[tuple[Table, bool]]:
    """Yield new tables, the likeliest first, with True if the name or an operation makes the table certain."""
    tables = sides.after.tables
    if old.name in sides.tables:
        yield tables[sides.tables[old.name]], True
        return
    if old.name in tables and old.name not in sides.tables.values():
        yield tables[old.name], True
    claimed = {home.new.name for homes in sides.homes.values() for home in homes}
    # Django fills its own tables, so equal numbers there are chance.
    others = [new for name, new in tables.items() if name != old.name and bare(name) not in BOOKKEEPING]
    others = [new for new in others if not _took_nothing(sides, new) and _alike(sides, old, new)]
    others.sort(
        key=lambda new: (
            not sides.leading(new, old),
            new.name in claimed,
            (new.rows, new.checksum) != (old.rows, old.checksum),
            -len(names_of(sides, old, new)),
            new.name,
        )
    )
    yield from ((new, False) for new in others[:CANDIDATES])


def _took_nothing(sides: Sides, new: Table) -> bool:
    """Return True if a table is unchanged, or has neither more rows nor new columns, so it received no rows."""
    was = sides.before.tables.get(sides.origin(new.name))
    if was is None:
        return False
    same = all(sides.origin(new.name, name) for name in new.names)
    return equal(was, new) or (same and new.rows <= was.rows)


def _alike(sides: Sides, old: Table, new: Table) -> bool:
    names = names_of(sides, old, new)
    links = {to for to, _ in sides.links("before", old).values()}
    into = any(home.new.name == new.name for to in links for home in sides.homes.get(to, []))
    led = bool(sides.leading(new, old))
    return led or bool(names) and (not sides.origin(new.name) or bool(set(names) - set(old.key))) or into


def _believed(sides: Sides, old: Table, home: Home) -> bool:
    """Return True if matching content alone shows that the new table has the old table's rows."""
    new = home.new
    was = sides.before.tables.get(sides.origin(new.name))
    if not old.rows:
        return True
    if sides.plan and not sides.plan.may_have_copied(bare(old.name)) and was is None:
        return False
    telling = [name for name in home.mapping if name not in old.key or not surrogate(old)]
    if not telling and not any(_arrived(sides, old, home, name) for name in old.names if name not in home.mapping):
        return False
    if was is None or new.rows > was.rows or new.name == old.name:
        return True
    # Without new rows, the values must be in new columns of existing rows.
    joined = any(home.mapping.get(name) in new.key for name in sides.links("before", old))
    put = not telling or any(not sides.origin(new.name, to) for to in home.mapping.values())
    led = bool(sides.leading(new, old))
    return put and (led if home.keyed else joined)


def _arrived(sides: Sides, old: Table, home: Home, name: str) -> bool:
    """Return True if a column of another name in the new table has all values of a column."""
    found = find(sides, old, home, name, old.rows, within=True)
    return found is not None and not found.missing


def _widened(sides: Sides, old: Table, first: Home) -> list[Home]:
    """Return the homes of a divided table. Add tables while they have missing rows."""
    homes = [first]
    alone = divided(sides, old, homes)
    first.rows = max(first.rows, alone.rows) if alone else first.rows
    for new, _ in _candidates(sides, old):
        if len(homes) == PARTS or not homes[0].rows:
            break
        part = fit(sides, old, new, first.keyed) if new.name != first.new.name else None
        if part is None or not _believed(sides, old, part):
            continue
        if len(part.mapping.keys() & first.mapping.keys()) < LIKE * len(first.mapping):
            continue
        found = divided(sides, old, [*homes, part])
        if found is not None and found.rows < first.rows:
            first.rows, first.sample = found.rows, found.sample
            homes.append(part)
    return homes

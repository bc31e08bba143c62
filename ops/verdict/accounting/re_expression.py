"""Find the rule, proved in every row, for columns with another representation in the new release."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice, pairwise
from typing import NamedTuple

from ops.core.sql_names import identifier
from ops.verdict.accounting import json_keys
from ops.verdict.accounting.spread_values import spread
from ops.verdict.comparison import Sides, sources
from ops.verdict.fingerprint import Column, Table
from ops.verdict.match import Home, column_of
from ops.verdict.model import SAMPLES
from ops.verdict.representations import Rule, Samples, nothing_said, possible, rules
from ops.verdict.row_hash import ROW, Pair, Proof, Source
from ops.verdict.type_casts import Both

_WORD = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")+"|\w+|\s+|.""", re.DOTALL)


# A rule that fails for a greater share of the values is dropped.
MOST_MISSING = 0.25
# The rows that select the rules to try.
TRIED = 4 * SAMPLES


class Rewritten(NamedTuple):
    """Hold the new representation of a column.

    ``to``: the new column; empty if the column was dropped. ``said``: the rule. ``proof``: None if nothing is compared.
    ``missing``: rows in which the rule fails. ``never``: see ``Rule``. ``blank``: the column had only one empty value.
    """

    to: str
    said: str
    proof: Proof | None
    missing: int = 0
    never: str = ""
    blank: bool = False


class Partial(NamedTuple):
    """Hold a rule that holds in most rows: the new column, the rule, how to read both columns by it, its exceptions.

    ``held``: the number of values for which the rule holds.
    """

    to: str
    rule: Rule
    pairs: Both
    held: int
    missing: int


def rewritten(sides: Sides, old: Table, home: Home, name: str) -> Rewritten | None:
    """Find the rule that computes the old values from the new values in every row.

    Args:
        home: where the rows are. Only rows that can be identified are checked.
        name: a column that was dropped or has other values.
    """
    if name in home.identity or not _told_apart(sides, old, home):
        return None
    column = column_of(old, name)
    for to, rule in _rules(sides, old, home, column):
        if proof := _proof(sides, old, home, rule):
            return Rewritten(to.name, rule.said, proof, never=rule.never)
    if name in home.mapping:
        return None
    if (made := _generated(sides, old, home, column)) and (proof := _proof(sides, old, home, made)):
        return Rewritten("", made.said, proof)
    if _says_nothing(sides, old, name):
        return Rewritten("", "it had only one empty value", None, blank=True)
    return _spread(sides, old, home, column)


def partial(sides: Sides, old: Table, home: Home, name: str, least: int) -> Partial | None:
    """Find the rule that computes the old values from the new values in most rows, with the fewest exceptions.

    Args:
        least: the number of values that differ without a rule. A rule must have fewer exceptions.
    """
    if name in home.identity or not _told_apart(sides, old, home):
        return None
    best: Partial | None = None
    least = min(least, int(old.rows * MOST_MISSING) + 1)
    for to, rule in _rules(sides, old, home, column_of(old, name)):
        if rule.never and _both_empty(sides, old, rule):
            continue
        for pairs in rule.apart or (rule.pairs,):
            one, two = sources(old, home.new, [*sides.read(old, home, home.identity), pairs])
            one = replace(one, filled=True)
            if (found := sides.compare([one], [two])) is None:
                continue
            # Values of lost rows are no exceptions: the rows are counted.
            missing = max(found.missing - home.rows, 0)
            if missing < least:
                best, least = Partial(to.name, rule, pairs, _rows(sides, one) - found.missing, missing), missing
    return best


def _both_empty(sides: Sides, old: Table, rule: Rule) -> bool:
    """Return True if the old column has both NULL and empty texts, which the rule cannot tell apart."""
    return _rows(sides, Source(old.name, rule.pairs[:1], where=rule.never)) > 0


def _rows(sides: Sides, source: Source) -> int:
    found = sides.look.checksum("before", [source])
    return found[0] if found else 0


def _rules(sides: Sides, old: Table, home: Home, column: Column) -> Iterator[tuple[Column, Rule]]:
    """Yield the rules to try, each with the new column."""
    for to in _candidates(sides, old, home, column):
        samples = _samples(sides, old, home, column.name, to.name)
        for rule in rules(column, to, samples, fresh=column.name not in home.mapping):
            yield to, rule


def _told_apart(sides: Sides, old: Table, home: Home) -> bool:
    """Return True if the key identifies each row, or if no two rows have the same other columns."""
    if home.keyed or home.rows or not home.identity:
        return home.keyed
    one, _ = sources(old, home.new, sides.read(old, home, home.identity))
    with closing(sides.look.hashes("before", [one])) as hashes:
        return not any(first == second for first, second in pairwise(hashes))


def _spread(sides: Sides, old: Table, home: Home, column: Column) -> Rewritten | None:
    """Find the rule by which the values are spread over several columns or rows, or the rule with fewest failures."""
    best: Rewritten | None = None
    keys: json_keys.Places = {}
    for one_rule in spread(sides, old, home, column, constant=_constant(sides, old, column.name)):
        to, rule = one_rule.to, one_rule.rule
        one, two = sources(old, home.new, [*sides.read(old, home, home.identity), rule.pairs])
        found = sides.compare([one], [two])
        least = best.missing if best else old.rows * MOST_MISSING
        if found and found.missing and not best and json_keys.arrived(sides, old, home, column, one_rule.keys):
            # The names of the columns fit the keys, so missing keys do not mean that another rule applies.
            least = old.rows + 1
        if found is not None and (not found.missing or found.missing < least):
            best = Rewritten(to, rule.said, Proof((one,), (two,), old.rows == home.new.rows), found.missing)
            keys = one_rule.keys
            if not found.missing:
                break
    lacks = json_keys.not_arrived(sides, old, home, column, keys) if best and best.missing and keys else ""
    return best._replace(said=f"{best.said}; {lacks}") if best and lacks else best


def _generated(sides: Sides, old: Table, home: Home, column: Column) -> Rule | None:
    """Return a rule for a generated column whose source columns still exist."""
    text = sides.look.generated("before", old.name).get(column.name, "")
    words = [(word, word.strip('"').replace('""', '"')) for word in _WORD.findall(text)]
    used = [name for name in old.names if name in {bare for _, bare in words}]
    if not text or not set(used) <= home.mapping.keys():
        return None
    sql = "".join(f"{ROW}.{identifier(home.mapping[bare])}" if bare in used else word for word, bare in words)
    after = Pair(home.mapping[home.identity[0]], "text", sql=f"({sql})::text")
    return Rule(f"the server generated it from {', '.join(used)}", (Pair(column.name, "text"), after))


def _candidates(sides: Sides, old: Table, home: Home, column: Column) -> list[Column]:
    if column.name in home.mapping:
        to = column_of(home.new, home.mapping[column.name])
        return [to] if possible(column, to) else []
    taken = {*home.mapping.values(), *old.names}
    # Texts that moved to another column are found by the column search.
    fresh = [new for new in home.new.columns if new.name not in taken and possible(column, new, fresh=True)]
    # If all values are equal, another column may have the same value by chance.
    return [] if not fresh or _constant(sides, old, column.name) else fresh


def _constant(sides: Sides, old: Table, name: str) -> bool:
    found = sides.look.profile("before", old.name, [Pair(name, "text")])
    return found is None or found[0].constant


def _says_nothing(sides: Sides, old: Table, name: str) -> bool:
    every, telling = Pair(name, "text"), Pair(name, "text", sql=nothing_said(name))
    found = sides.look.profile("before", old.name, [every, telling])
    if not found or not old.rows:
        return False
    return found[0].filled == old.rows and found[0].constant and not found[1].filled


def _samples(sides: Sides, old: Table, home: Home, name: str, to: str) -> Samples:
    """Return old and new values of a few rows, which only select the rules to try."""
    one, two = sources(old, home.new, sides.read(old, home, home.identity))
    hashes = list(islice(sides.look.hashes("before", [one]), TRIED))
    if not hashes:
        return []
    was, now = sides.look.texts("before", one, name, hashes), sides.look.texts("after", two, to, hashes)
    return [(was[row], now[row]) for row in hashes if row in was and row in now]


def _proof(sides: Sides, old: Table, home: Home, rule: Rule) -> Proof | None:
    one, two = sources(old, home.new, [*sides.read(old, home, home.identity), rule.pairs])
    found = sides.compare([one], [two])
    if found is None or found.missing:
        return None
    return Proof((one,), (two,), old.rows == home.new.rows)

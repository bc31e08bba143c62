"""Describe how values changed, by a few examples: truncated, rounded, shifted, emptied, swapped. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

Pairs = Sequence[tuple[str, str]]


def note(values: Sequence[tuple[str | None, str | None]]) -> str:
    """Return what all of these changes have in common, or an empty string.

    Args:
        values: old and new values as text, None for NULL. The result contains no value.
    """
    known = [(old, new) for old, new in values if old is not None and new is not None]
    if values and not known:
        return "NULL became a value" if all(old is None for old, _ in values) else ""
    if not known or len(known) < len(values) or all(old == new for old, new in known):
        return ""
    found = next((words for words, holds in KINDS.items() if holds(known)), "") or _shift(known)
    return f"{found} (in all {len(known)} examples)" if found and len(known) > 1 else found


def _all(test: Callable[[str, str], bool]) -> Callable[[Pairs], bool]:
    return lambda values: all(test(old, new) for old, new in values)


def _swapped(values: Pairs) -> bool:
    return len(values) > 1 and sorted(old for old, _ in values) == sorted(new for _, new in values)


def _rounded(old: str, new: str) -> bool:
    one, two = _number(old), _number(new)
    if one is None or two is None or abs(one - two) >= 1:
        return False
    return one == two or _digits(two) < _digits(one) or two == one.to_integral_value()


def _same_number(old: str, new: str) -> bool:
    one = _number(old)
    return one is not None and one == _number(new)


def _number(text: str) -> Decimal | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _digits(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


KINDS: dict[str, Callable[[Pairs], bool]] = {
    "emptied": _all(lambda _, new: new == ""),
    "swapped between rows": _swapped,
    "all set to the same value": lambda values: (
        len(values) > 2 and len(set(values)) > 1 == len({new for _, new in values})
    ),
    "spaces trimmed": _all(lambda old, new: old.strip() == new),
    "upper and lower case changed": _all(lambda old, new: old.casefold() == new.casefold()),
    "the same number in another spelling": _all(_same_number),
    "rounded or truncated after the decimal point": _all(_rounded),
    "truncated": _all(lambda old, new: len(new) < len(old) and old.startswith(new)),
}


def _shift(values: Pairs) -> str:
    """Return the time by which all timestamps shifted, or an empty string if they did not shift alike."""
    apart = {_apart(old, new) for old, new in values}
    moved = apart.pop()
    if apart or moved is None:
        return ""
    hours, rest = divmod(abs(moved).total_seconds(), 3600)
    return f"shifted by {'-' if moved < timedelta() else '+'}{hours:g} h" + (f" {rest / 60:g} min" if rest else "")


def _apart(old: str, new: str) -> timedelta | None:
    try:
        return datetime.fromisoformat(new) - datetime.fromisoformat(old)
    except (ValueError, TypeError):
        return None

"""Databases that are kept beside production: which one is meant, and each reason why it stays where it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ops.core.errors import OpsError, Refused, UsageError
from ops.engine.journal import State
from ops.recovery.rollback.kept_databases import Kept, to_discard, to_swap_in

NOW = datetime.now(UTC)
RUN = "20261124_120000_aaaa"
OURS = f"generalprobe restored shop, run {RUN}"


def run(outcome: str = "done") -> State:
    state = State({"run": RUN, "procedure": "rollback", "target": "shop", "inputs": {}})
    state.outcome = {"outcome": outcome, "exit": 0 if outcome == "done" else 4} if outcome else None
    return state


def one(what: str = "replaced", number: str = RUN, **more: object) -> Kept:
    given = {"since": NOW - timedelta(days=8), "size": 1, "open": False, "sessions": 0, "mark": "", "state": run()}
    return Kept("shop", f"shop_{what}_{number}", "1", what, number, **given | more)  # type: ignore[arg-type]


OLD = one()


@pytest.mark.parametrize(
    ("kept", "kind", "said"),
    [
        (OLD, None, ""),
        (one("undone"), None, ""),
        (replace(OLD, state=None, mark=OURS), None, ""),
        (replace(OLD, state=None), Refused, "no run in this store made it, and it does not have the tool's mark"),
        (replace(OLD, state=None, mark=OURS.replace("shop", "other")), Refused, "does not have the tool's mark"),
        (replace(OLD, state=run("")), Refused, "is unfinished and may need"),
        (replace(OLD, state=run("failed")), Refused, "is unfinished and may need"),
        (replace(OLD, open=True), Refused, "it accepts connections"),
        (replace(OLD, sessions=1), Refused, "somebody is connected to it"),
        (replace(OLD, since=NOW - timedelta(days=6, hours=23)), Refused, "for at least 7 days (keep_replaced)"),
        (one("restored"), UsageError, "it was never live; it can't be swapped in or discarded"),
        (one("salvage"), UsageError, "it was never live; it can't be swapped in or discarded"),
        (one("delta"), UsageError, "it was never live; it can't be swapped in or discarded"),
    ],
)
def test_only_what_was_live_and_is_nobodys_any_more_may_go(kept: Kept, kind: type[OpsError] | None, said: str) -> None:
    if kind is None:
        assert to_discard("shop", [kept], kept.name, "shop", 7) is kept
        return
    with pytest.raises(kind) as caught:
        to_discard("shop", [kept], kept.name, "shop", 7)
    assert said in caught.value.message and caught.value.hint and type(caught.value) is kind
    assert kind is UsageError or caught.value.message.endswith("nothing was changed")


def test_what_is_live_or_not_named_whole_is_never_removed() -> None:
    live = replace(OLD, name="shop")
    with pytest.raises(Refused, match="shop is the live database"):
        to_discard("shop", [live], "shop", "shop", 0)
    for wanted, said in [("", "name the replaced database"), (OLD.name[:-1], "there is no kept database")]:
        with pytest.raises(UsageError, match=said) as caught:
            to_discard("shop", [OLD], wanted, "shop", 0)
        assert OLD.name in caught.value.message + caught.value.hint


def test_it_stays_to_the_second() -> None:
    assert OLD.may_go(7) == OLD.since + timedelta(days=7)
    with pytest.raises(Refused):
        to_discard("shop", [OLD], OLD.name, "shop", 8.5)
    assert to_discard("shop", [OLD], OLD.name, "shop", 0) is OLD


@pytest.mark.parametrize(
    ("known", "wanted", "kind", "said"),
    [
        ([OLD], "", None, ""),
        ([OLD, one("undone", "20261124_130000_bbbb"), one("restored")], "", None, ""),
        ([OLD], OLD.name, None, ""),
        ([replace(OLD, open=True, since=NOW)], "", None, ""),
        ([], "", UsageError, "there is no replaced database"),
        ([one("undone")], "", UsageError, "there is no replaced database"),
        ([OLD, one(number="20261124_130000_bbbb")], "", UsageError, "there are several replaced databases"),
        ([replace(OLD, state=None)], "", UsageError, "there is no replaced database"),
        ([replace(OLD, state=None)], OLD.name, UsageError, "it can't be swapped in or discarded"),
        ([one("restored")], one("restored").name, UsageError, "it can't be swapped in or discarded"),
        ([replace(OLD, state=run(""))], "", Refused, "which is unfinished; nothing was changed"),
        ([replace(OLD, state=run(""))], OLD.name, Refused, "which is unfinished; nothing was changed"),
    ],
)
def test_only_what_was_live_and_is_meant_is_swapped_in(
    known: list[Kept], wanted: str, kind: type[OpsError] | None, said: str
) -> None:
    if kind is None:
        assert to_swap_in("shop", known, wanted) is known[0]
        return
    with pytest.raises(kind) as caught:
        to_swap_in("shop", known, wanted)
    assert said in caught.value.message and caught.value.hint and type(caught.value) is kind

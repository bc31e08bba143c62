"""What is put right at once when a command was cut off."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ops.engine.command import Completed, Query
from ops.engine.executor import Executor
from ops.infra.postgres.clean_up import mend, mended_later
from ops.infra.session import run_hooks  # noqa: F401
from tests.support.toy import INPUTS

FREEZE = Query("freeze.sql", "shop", "postgres", {"live": "Läden"})


class Answers:
    """Answers by file and wish, and notes what was asked."""

    def __init__(self, **exits: int) -> None:
        self.exits, self.asked = exits, list[str]()

    def __call__(self, query: Query) -> Completed:
        key = query.file.removesuffix(".sql") + query.parameters.get("wanted", "")
        assert query.database == ("Läden" if query.file == "check_frozen.sql" else "postgres")
        self.asked.append(key)
        return Completed(self.exits[key], "", "ERROR:  no")


def test_a_freeze_that_was_cut_off_is_taken_back() -> None:
    run = Answers(check_frozenoff=3, unfreeze=0)
    assert mend(FREEZE, run) == "; Läden accepts writes as before"
    assert run.asked == ["check_frozenoff", "unfreeze"]


def test_nobodys_session_is_ended_where_nothing_was_changed() -> None:
    run = Answers(check_frozenoff=0)
    assert mend(FREEZE, run) == "; Läden accepts writes as before"


@pytest.mark.parametrize(("code", "said"), [(0, ""), (3, "; the replay of the standby may still be PAUSED: no")])
def test_the_replay_of_a_standby_is_resumed_after_a_dump_that_was_cut_off(code: int, said: str) -> None:
    run = Answers(replay_resume=code)
    dump = Query("dump.sql", "shop@standby", parameters={"folder": "f", "production": "shop"})
    assert mend(dump, run) == said and run.asked == ["replay_resume"]
    assert mend(Query("dump.sql", "shop", parameters={"folder": "f"}), run) == ""


def test_a_freeze_that_stood_before_is_not_taken_back() -> None:
    assert mended_later(FREEZE, Answers(check_frozenon=3))
    assert not mended_later(FREEZE, Answers(check_frozenon=0))
    assert mended_later(Query("swap.sql", "shop", "postgres", {"live": "a"}), Answers())


@pytest.mark.parametrize(("before", "unfrozen"), [(0, False), (3, True)])
def test_ctrl_c_takes_back_the_freeze_of_this_run_only(before: int, unfrozen: bool) -> None:
    answers = Answers(check_frozenon=before, check_frozenoff=3, unfreeze=0)

    def run(query: Query, **_: object) -> Completed:
        if query == FREEZE:
            raise KeyboardInterrupt
        return answers(query)

    session: Any = SimpleNamespace(run=run)
    with pytest.raises(KeyboardInterrupt) as stop:
        Executor(session, INPUTS, None, {}, lambda _: None)._execute(FREEZE, "freeze", lambda _: None)
    assert ("unfreeze" in answers.asked) == unfrozen
    assert "".join(stop.value.args) == ("; Läden accepts writes as before" if unfrozen else "")

"""Who waits for whom: the root of a chain, and who waits for the tool."""

from __future__ import annotations

from ops.infra.session.waits import Backend, Wait, judge

OURS, DUMP = Backend(1, "app", "run"), Backend(2, "app", "run")
TRUNCATE, IDLE, QUERY = Backend(3, "app", word="TRUNCATE"), Backend(4, "dba"), Backend(5, "app", word="SELECT")
VACUUM = Backend(6, "autovacuum worker", client=False)


def ours(backend: Backend) -> bool:
    return backend.application == "run"


def test_the_one_at_the_end_of_the_queue_is_named() -> None:
    seen = judge([Wait(OURS, TRUNCATE), Wait(TRUNCATE, IDLE), Wait(QUERY, TRUNCATE)], ours)
    assert (seen.roots, seen.held_up) == ([IDLE], [])


def test_a_circle_through_the_tool_leads_back_to_it() -> None:
    """psql holds what TRUNCATE waits for, and pg_dump waits behind TRUNCATE: the server sees no deadlock."""
    seen = judge([Wait(DUMP, TRUNCATE), Wait(TRUNCATE, OURS), Wait(QUERY, TRUNCATE)], ours)
    assert (seen.roots, seen.held_up) == ([OURS], [TRUNCATE])


def test_sessions_that_wait_for_each_other_end_the_search() -> None:
    assert judge([Wait(OURS, TRUNCATE), Wait(TRUNCATE, QUERY), Wait(QUERY, TRUNCATE)], ours).roots == []


def test_the_server_s_own_workers_give_way_by_themselves() -> None:
    assert judge([Wait(VACUUM, OURS)], ours).held_up == []


def test_of_a_statement_only_the_first_word_is_said() -> None:
    said = Backend(7, "dba", "psql", "idle in transaction", True, "2026-11-28 03:00:00", "UPDATE").words
    assert said == "pid 7 (role dba, idle in transaction since 2026-11-28 03:00:00 UTC, statement UPDATE)"
    assert "pg_prepared_xacts" in Backend(0, "").words and Backend(0, "").ending == "ROLLBACK PREPARED 'GID';"

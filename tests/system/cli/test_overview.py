"""`inv` alone: the state of each production target in a few lines, and the commands that matter."""

from __future__ import annotations

import socket
from collections.abc import Callable

from ops.cli.overview import COMMANDS
from tests.conftest import Project


def test_a_first_user_reads_what_to_type(project: Callable[..., Project]) -> None:
    done = project("b").inv()
    assert done.code == 0, done.out + done.err
    lines = ["shop:", "now:     production takes writes", "run:     none yet"]
    assert "\n  ".join([*lines, "backup:  none yet:   inv backup --target=shop\n"]) in done.out, done.out
    assert all(command in done.out for command in COMMANDS) and len(COMMANDS) == 5


def test_a_run_that_is_open_is_reported(scene: Callable[..., Project]) -> None:
    shop = scene("interrupted")
    said = shop.inv()
    assert "now:     production is FROZEN (read-only)" in said.out, said.out
    assert ": interrupted, " in said.out and "next steps:   inv status --target=shop" in said.out
    assert "; proved: " in said.out
    event = shop.inv("overview", "--json").outcome
    assert event["event"] == "overview" and event["frozen"] is True, event
    assert event["open_run"]["procedure"] == "promote" and event["backup"]["backup"], event


def test_a_database_that_says_nothing_is_not_waited_for(project: Callable[..., Project]) -> None:
    shop = project("b")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shop.env["DATABASE_URL"] = f"postgresql://postgres:hidden-word@127.0.0.1:{silent.getsockname()[1]}/shop"
        done = shop.inv()
    assert done.code == 0, done.out + done.err
    assert "now:     the database does not answer within 1.5 s" in done.out, done.out
    assert "hidden-word" not in done.out + done.err


def test_a_database_that_is_not_reached_is_told(project: Callable[..., Project]) -> None:
    shop = project("b")
    there = shop.env["DATABASE_URL"]
    for address, said in [
        ("postgresql://postgres:hidden-word@127.0.0.1:1/shop", "the database does not answer: "),
        (f"{there}_gone", "the database refuses the connection: database "),
        (there.replace("postgres:", "nobody_here:"), "the database refuses the connection: "),
        ("", "env:DATABASE_URL is empty or missing"),
    ]:
        shop.env["DATABASE_URL"] = address
        done = shop.inv()
        assert done.code == 0, done.out + done.err
        assert said in done.out and "hidden-word" not in done.out, done.out

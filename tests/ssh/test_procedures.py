"""Whole procedures for a target behind SSH: application and databases there, inventory and store here."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Project


def test_release_and_rollback(there: Callable[..., Project]) -> None:
    shop = there("c")
    before = shop.fingerprint()
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert {name for name in shop.fingerprint() if "session" in name} == {"public.lessons_session"}
    done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.fingerprint() == before


def test_the_incident_is_refused(there: Callable[..., Project]) -> None:
    shop = there("a")
    before = shop.fingerprint()
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 5, done.out + done.err
    assert "RenameModel" in done.out + done.err
    assert shop.fingerprint() == before

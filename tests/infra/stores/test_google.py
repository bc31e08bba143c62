"""Writing over what is known in Google's storage, by generations: against a stand-in, as no server could be had."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ops.core.errors import Refused, Unreachable
from ops.infra.stores.base import Changed
from ops.infra.stores.object_store import Store
from tests.support.stores.google import Google
from tests.support.stores.places import Place


@pytest.fixture
def url(place_of: Callable[[str], Place]) -> str:
    """A bucket that this process reaches."""
    return place_of("google").url


def test_what_is_known_is_written_over_by_its_generation(url: str, stand_in: Google) -> None:
    store, before = Store(url), len(stand_in.wanted)
    first = store.swap("a", b"one", "")
    written = stand_in.written
    with pytest.raises(Changed):
        store.swap("a", b"other", "")
    second = store.swap("a", b"two", first)
    with pytest.raises(Refused, match="changed by another process"):
        store.swap("a", b"other", first)
    assert store.read("a") == (b"two", second)
    assert stand_in.wanted[before:] == ["0", "0", str(written)]


def test_who_comes_between_the_look_and_the_write_is_not_written_over(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = Store(url), Store(url)
    tag = store.swap("a", b"one", "")
    look = store._version

    def late(key: str, tag: str) -> dict[str, str]:
        found = look(key, tag)
        other.swap(key, b"theirs", tag)
        return found

    monkeypatch.setattr(store, "_version", late)
    with pytest.raises(Changed):
        store.swap("a", b"ours", tag)
    assert store.read("a")[0] == b"theirs"


def test_what_is_gone_is_not_written_over(url: str) -> None:
    store = Store(url)
    tag = store.swap("a", b"one", "")
    with pytest.raises(Unreachable, match="does not exist in the store"):
        store.swap("gone", b"two", tag)

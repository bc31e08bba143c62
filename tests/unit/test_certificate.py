"""The certificate: it holds for exactly what it is bound to, and not for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from ops.certificate import NAMES, Bound, Certificate, Moved, newest, objections, partly, read, write
from ops.errors import REFUSED, Refused
from ops.rows import Pair, Proof, Source

BOUND = Bound(
    migrations="m1", commit="c1", schema_digest="s1", applied=("a.0001", "a.0002"), backup="b1", server="17.2", tool="1"
)
OTHER: dict[str, object] = {
    "migrations": "m2",
    "commit": "c1-dirty",
    "schema_digest": "s2",
    "applied": ("a.0001",),
    "backup": "b2",
    "server": "17.3",
    "tool": "2",
}
ISSUED = datetime(2026, 1, 1, 22, 0, tzinfo=UTC)
CERTIFICATE = Certificate(
    certificate="20260101_220000_abcd",
    target="shop",
    issued_at=ISSUED,
    expires_at=ISSUED + timedelta(hours=24),
    bound=BOUND,
    pending=(("app.0002", "f2"), ("app.0003", "f3")),
    schema_after="s9",
    moves=(
        Moved(
            table="a",
            to=("b",),
            proofs=(Proof((Source("a", (Pair("x", "text"),)),), (Source("b", (Pair("y", "text"),)),), True),),
        ),
    ),
)


def test_it_holds_for_what_it_is_bound_to() -> None:
    assert objections(CERTIFICATE, BOUND, ISSUED) == []


@pytest.mark.parametrize("name", Bound.model_fields)
def test_each_bound_field_that_changed_is_named(name: str) -> None:
    now = BOUND.model_copy(update={name: OTHER[name]})
    assert objections(CERTIFICATE, now, ISSUED) == [f"{NAMES[name]} changed since the rehearsal"]


def test_everything_that_changed_is_told_at_once() -> None:
    said = objections(CERTIFICATE, Bound.model_validate(OTHER), ISSUED + timedelta(days=2))
    assert len(said) == 1 + len(Bound.model_fields)


def test_the_order_of_applied_migrations_counts() -> None:
    now = BOUND.model_copy(update={"applied": BOUND.applied[::-1]})
    assert objections(CERTIFICATE, now, ISSUED) == ["the migrations that production has changed since the rehearsal"]


@pytest.mark.parametrize(("seconds", "expired"), [(-1, False), (0, True), (1, True)])
def test_it_expires_to_the_second(seconds: int, expired: bool) -> None:
    moment = CERTIFICATE.expires_at + timedelta(seconds=seconds)
    said = ["it expired at 2026-01-02 22:00 UTC"] if expired else []
    assert objections(CERTIFICATE, BOUND, moment) == said
    assert objections(CERTIFICATE, BOUND, moment.astimezone(timezone(timedelta(hours=5)))) == said


def test_it_expires_by_the_clock() -> None:
    now = datetime.now(UTC)
    assert objections(CERTIFICATE.model_copy(update={"expires_at": now + timedelta(hours=1)}), BOUND) == []
    assert objections(CERTIFICATE.model_copy(update={"expires_at": now - timedelta(hours=1)}), BOUND)


def test_it_comes_back_from_its_file(tmp_path: Path) -> None:
    write(tmp_path, CERTIFICATE)
    assert read(tmp_path, CERTIFICATE.certificate) == CERTIFICATE


def test_the_newest_is_the_last_by_name(tmp_path: Path) -> None:
    assert newest(tmp_path) == ""
    for name in ("20260102_a", "20260103_a", "20260101_a"):
        write(tmp_path, CERTIFICATE.model_copy(update={"certificate": name}))
    assert newest(tmp_path) == "20260103_a"


@pytest.mark.parametrize("length", [None, 0, 1, 100, -2])
def test_a_missing_or_damaged_one_is_refused(tmp_path: Path, length: int | None) -> None:
    if length is not None:
        write(tmp_path, CERTIFICATE)
        file = tmp_path / "certificates" / f"{CERTIFICATE.certificate}.json"
        file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(Refused, match=f"there is no certificate {CERTIFICATE.certificate}") as caught:
        read(tmp_path, CERTIFICATE.certificate)
    assert (caught.value.exit_code, caught.value.hint) == (REFUSED, f"inv release --target={tmp_path.name}")


def test_going_on_between_two_migrations_needs_the_rest_of_the_rehearsed_ones() -> None:
    applied = set(BOUND.applied)
    assert partly(CERTIFICATE, applied, [("app.0002", "f2"), ("app.0003", "f3")]) == []
    assert partly(CERTIFICATE, applied | {"app.0002"}, [("app.0003", "f3")]) == []
    assert partly(CERTIFICATE, applied | {"app.0002", "app.0003"}, []) == []
    assert partly(CERTIFICATE, applied | {"app.0002"}, [("app.0003", "edited")])
    assert partly(CERTIFICATE, applied | {"app.0002", "other.0001"}, [("app.0003", "f3")])
    assert partly(CERTIFICATE, applied, [("app.0003", "f3")])

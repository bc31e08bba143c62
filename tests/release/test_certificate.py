"""The certificate: it holds for exactly what it is bound to, and not for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from ops.core.errors import REFUSED, Refused
from ops.release.certificate import (
    Allowance,
    Bound,
    Certificate,
    Moved,
    moves,
    newest,
    partly,
    read,
    split_names,
    write,
)
from ops.release.certificate_validity import NAMES, objections
from ops.release.measuring.recovery_time import Recovery
from ops.verdict.expect.limits import NOTHING, Allowed, Limit
from ops.verdict.fingerprint import Column, Fingerprint, Table
from ops.verdict.model import ColumnVerdict, TableVerdict, Verdict
from ops.verdict.row_hash import Pair, Proof, Source

BOUND = Bound(
    migrations=(("app.0002", "f2"), ("app.0003", "f3")),
    commit="0123456789abcdef",
    changes="",
    system="7001",
    database="shop",
    schema_digest="5" * 64,
    applied=("a.0001", "a.0002"),
    backup="b1",
    manifest="a" * 64,
    server="17.2",
    tool="1",
    expectations="",
    checks=("check_lessons",),
)
# What each is afterwards, and what is said of it.
OTHER: dict[str, tuple[object, str]] = {
    "migrations": (
        (("app.0002", "f0"), ("app.0004", "f4")),
        "app.0002 was edited, app.0003 is missing, app.0004 is new",
    ),
    "commit": ("fedcba9876543210-dirty", "0123456789ab → fedcba987654-dirty"),
    "changes": ("c" * 64, "none → cccccccc"),
    "system": ("7002", "7001 → 7002"),
    "database": ("shop2", "shop → shop2"),
    "schema_digest": ("6" * 64, "55555555 → 66666666"),
    "applied": (("a.0001", "b.0001"), "a.0002 is missing, b.0001 is new"),
    "backup": ("", "b1 → none"),
    "manifest": ("b" * 64, "aaaaaaaa → bbbbbbbb"),
    "server": ("17.3", "17.2 → 17.3"),
    "tool": ("2", "1 → 2"),
    "expectations": ("d" * 64, "none → dddddddd"),
    "checks": ((), "check_lessons is missing"),
}
ISSUED = datetime(2026, 1, 1, 22, 0, tzinfo=UTC)
CERTIFICATE = Certificate(
    certificate="20260101_220000_abcd",
    target="shop",
    issued_at=ISSUED,
    expires_at=ISSUED + timedelta(hours=24),
    bound=BOUND,
    recovery=Recovery(restored=40.2, proved=1.9, swapped=0.03),
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
    value, said = OTHER[name]
    now = BOUND.model_copy(update={name: value})
    assert objections(CERTIFICATE, now, ISSUED) == [f"{NAMES[name]} changed since the rehearsal: {said}"]


def test_parts_of_the_schema_that_changed_are_named_instead_of_its_digest() -> None:
    now = BOUND.model_copy(update={"schema_digest": "6" * 64})
    parts = [f"column public.a.c{number} is new" for number in range(8)]
    assert objections(CERTIFICATE, now, ISSUED, parts) == [
        f"production's schema changed since the rehearsal: {', '.join(parts[:6])} and 2 more"
    ]


def test_everything_that_changed_is_told_at_once() -> None:
    now = Bound.model_validate({name: value for name, (value, _) in OTHER.items()})
    said = objections(CERTIFICATE, now, ISSUED + timedelta(days=2))
    assert len(said) == 1 + len(Bound.model_fields)


def test_the_order_of_the_migrations_counts() -> None:
    now = BOUND.model_copy(update={"migrations": BOUND.migrations[::-1]})
    said = f"{NAMES['migrations']} changed since the rehearsal: the order changed"
    assert objections(CERTIFICATE, now, ISSUED) == [said]


@pytest.mark.parametrize(("seconds", "expired"), [(-1, False), (0, True), (1, True)])
def test_it_expires_to_the_second(seconds: int, expired: bool) -> None:
    moment = CERTIFICATE.expires_at + timedelta(seconds=seconds)
    said = ["it expired at 2026-01-02 22:00 UTC"] if expired else []
    assert objections(CERTIFICATE, BOUND, moment) == said
    assert objections(CERTIFICATE, BOUND, moment.astimezone(timezone(timedelta(hours=5)))) == said


@pytest.mark.parametrize(("minutes", "wrong"), [(-5, False), (-6, True)])
def test_one_of_tomorrow_is_refused(minutes: int, wrong: bool) -> None:
    said = objections(CERTIFICATE, BOUND, ISSUED + timedelta(minutes=minutes))
    assert said == (["it was issued in the future, at 2026-01-01 22:00 UTC: a clock is wrong"] if wrong else [])


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


@pytest.mark.parametrize(
    ("length", "said"),
    [(None, "there is no certificate"), (0, "damaged"), (1, "damaged"), (100, "damaged"), (-2, "damaged")],
)
def test_a_missing_or_damaged_one_is_refused(tmp_path: Path, length: int | None, said: str) -> None:
    if length is not None:
        write(tmp_path, CERTIFICATE)
        file = tmp_path / "certificates" / f"{CERTIFICATE.certificate}.json"
        file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(Refused, match=said) as caught:
        read(tmp_path, CERTIFICATE.certificate)
    assert CERTIFICATE.certificate in caught.value.message
    assert (caught.value.exit_code, caught.value.hint) == (REFUSED, f"inv release --target={tmp_path.name}")


@pytest.mark.parametrize(
    ("was", "is_now"), [("2026-01-02T22", "2029-01-02T22"), ('"fedc', '"fedd'), ('"exact": true', '"exact": false')]
)
def test_one_that_was_edited_is_refused(tmp_path: Path, was: str, is_now: str) -> None:
    edited = CERTIFICATE.model_copy(update={"bound": BOUND.model_copy(update={"commit": "fedc"})})
    write(tmp_path, edited)
    file = tmp_path / "certificates" / f"{edited.certificate}.json"
    assert was in file.read_text()
    file.write_text(file.read_text().replace(was, is_now, 1))
    with pytest.raises(Refused, match="was edited after it was issued"):
        read(tmp_path, edited.certificate)


def test_one_under_another_name_is_refused(tmp_path: Path) -> None:
    write(tmp_path, CERTIFICATE)
    file = tmp_path / "certificates" / f"{CERTIFICATE.certificate}.json"
    file.rename(file.with_name("20270101_000000_aaaa.json"))
    with pytest.raises(Refused, match="was edited"):
        read(tmp_path, "20270101_000000_aaaa")


def test_going_on_between_two_migrations_needs_the_rest_of_the_rehearsed_ones() -> None:
    applied = set(BOUND.applied)
    assert partly(CERTIFICATE, applied, [("app.0002", "f2"), ("app.0003", "f3")]) == []
    assert partly(CERTIFICATE, applied | {"app.0002"}, [("app.0003", "f3")]) == []
    assert partly(CERTIFICATE, applied | {"app.0002", "app.0003"}, []) == []
    assert partly(CERTIFICATE, applied | {"app.0002"}, [("app.0003", "edited")])
    assert partly(CERTIFICATE, applied | {"app.0002", "other.0001"}, [("app.0003", "f3")])
    assert partly(CERTIFICATE, applied, [("app.0003", "f3")])


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("public.a",),
        ("public.a", "public.b"),
        ('public."a, b"', "public.c"),
        ('"x"", y"."a"", "", b"', 'public."c "'),
    ],
)
def test_names_that_hold_commas_are_told_apart(names: tuple[str, ...]) -> None:
    assert split_names(", ".join(names)) == names


# --- what production must follow -------------------------------------------------------------------------------------

ID, TITLE, NOTE = Column("id", "bigint", "bigint"), Column("title", "text", "text"), Column("note", "text", "text")
LINK = Column("link", "bigint", "bigint")


def table(*columns: Column, checksum: int = 1) -> Table:
    return Table("t", 3, checksum, columns, ("id",))


def move(found: TableVerdict, old: Table, new: Table | None, allowed: Allowed | None = None) -> Moved:
    declared = {"t": allowed} if allowed else {}
    after = Fingerprint({"t": new} if new else {})
    (one,) = moves(Verdict([found]), Fingerprint({"t": old}), after, declared)
    return one


def test_a_table_that_stayed_as_it_was_must_stay_so_whole() -> None:
    same = table(ID, TITLE)
    found = TableVerdict("t", "unchanged", 3, 3, mapping={"id": "id", "title": "title"})
    assert move(found, same, same).whole
    for other in (table(ID, TITLE, checksum=2), table(ID), None):
        assert not move(found, same, other).whole
    assert not move(replace(found, verdict="intact"), same, same).whole


def test_a_column_that_goes_must_hold_nothing_or_what_is_declared() -> None:
    columns = [ColumnVerdict("note", "removed"), ColumnVerdict("link", "declared"), ColumnVerdict("title", "kept")]
    found = TableVerdict("t", "changed", 3, 3, columns=columns, mapping={"id": "id", "title": "title"})
    old, new = table(ID, TITLE, NOTE, LINK), table(ID, TITLE)
    one = move(found, old, new, Allowed(columns={"link": {"lost": most(2)}}))
    assert (one.emptied, one.may_empty, one.may_lose) == (("note",), {"link": most(2)}, NOTHING)
    plain = move(found, old, new)
    assert (plain.emptied, plain.may_empty, plain.allowances) == (("link", "note"), {}, ())


def most(count: int) -> Limit:
    return Limit(count=count)


def names(allowance: Allowance) -> list[str]:
    return [pair.name for pair in allowance.proof.before[0].pairs]


def test_what_is_declared_is_all_that_may_be_missing() -> None:
    columns = [ColumnVerdict("link", "repointed")]
    mapping = {"id": "id", "title": "title", "note": "note", "link": "link"}
    found = TableVerdict("t", "changed", 3, 3, columns=columns, mapping=mapping)
    whole = table(ID, TITLE, NOTE, LINK)
    read_otherwise = table(ID, TITLE, Column("note", "varchar", "varchar"), LINK)
    # Rows that may go, and values of one column that may change: in the others no more than the rows may differ.
    title = {"title": {"changed": most(3), "lost": most(1)}}
    every, others = move(found, whole, whole, Allowed({"lost": most(2)}, title)).allowances
    assert (every.missing, names(every)) == (most(6), ["id", "title", "note"])
    assert (others.missing, names(others)) == (most(2), ["id", "note"])
    # Where whole rows may change, no column stands for the others.
    by_row = Allowed({"changed": most(4)}, {"title": {"changed": most(1)}})
    (only,) = move(found, whole, read_otherwise, by_row).allowances
    assert (only.missing, names(only)) == (most(5), ["id", "title"])
    (rows,) = move(found, whole, whole, Allowed({"lost": most(2)})).allowances
    assert (rows.missing, names(rows)) == (most(2), ["id", "title", "note"])

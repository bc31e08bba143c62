"""Releases on a production that is used meanwhile: no false alarm, and nothing is decided late."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Project
from tests.support.load import writing

ROOM = 'migrations.AddField("teacher", "room", models.CharField(max_length=9, null=True))'
LOGOUT = "DELETE FROM lessons_booking WHERE id = (SELECT min(id) FROM lessons_booking)"


def test_sessions_are_deleted_while_another_table_is_migrated(project: Callable[..., Project]) -> None:
    shop = project(ROOM, checks=[], freeze="never")
    with writing(shop.production, LOGOUT) as load:
        done = shop.inv("release", "--json", "--confirm=shop")
    assert load.done[LOGOUT] > 10
    assert done.code == 0, done.out + done.err


# Code that names the bookings, and leaves every one of them alone.
BACKFILL = (
    'migrations.AddField("booking", "room", models.CharField(max_length=9, null=True)), '
    "migrations.RunSQL(\"update lessons_booking set room = 'A' where id % 2 = 0\")"
)
REBOOK = "UPDATE lessons_booking SET lesson_id = 1 + id % 7 WHERE id = (SELECT max(id) FROM lessons_booking)"
BOOK = "INSERT INTO lessons_booking (lesson_id) VALUES (1)"
# What loses nothing in the rehearsal, and half of the bookings on production.
ONLY_HERE = "delete from lessons_booking where current_database() not like '%_test%' and id % 2 = 0"
TEACHERS = "delete from lessons_teacher where current_database() not like '%_test%' and id > 10"


@pytest.mark.slow
def test_users_write_to_the_table_that_is_filled(project: Callable[..., Project]) -> None:
    shop = project(BACKFILL, checks=[], freeze="never")
    with writing(shop.production, LOGOUT, REBOOK, BOOK) as load:
        done = shop.inv("release", "--json", "--confirm=shop")
    assert min(load.done.values()) > 10
    assert done.code == 0, done.out + done.err
    account = next(e for e in done.events if e.get("step") == "promote.account" and e["status"] == "done")
    assert (
        "rows that are missing or changed, probably by users, who write as many: public.lessons_booking"
        in (account["detail"])
    )
    assert "it is not proved that the migrations did not write them" in account["detail"]


@pytest.mark.slow
def test_a_loss_that_only_production_shows_is_found_while_users_write(project: Callable[..., Project]) -> None:
    shop = project(f'migrations.RunSQL("{ONLY_HERE}")', checks=[], freeze="never")
    with writing(shop.production, LOGOUT, BOOK, pause=0.2):
        done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 5, done.out + done.err
    assert "rows of public.lessons_booking are missing in" in done.outcome["reason"]
    assert "inv rollback" in done.outcome["hint"]


@pytest.mark.slow
@pytest.mark.parametrize("freeze", ["always", "never"])
def test_what_is_declared_may_happen_though_the_rehearsal_had_no_such_row(
    project: Callable[..., Project], freeze: str
) -> None:
    shop = project('migrations.RunSQL("delete from lessons_booking where lesson_id is null")', checks=[], freeze=freeze)
    declared = "{table: lessons_booking, lost: 2 %, why: they are of no lesson}"
    (shop.folder / "shop/migrations.expect.yaml").write_text(f"lessons.0002_session:\n  - {declared}\n")
    for word in ("clone-prod-to-test", "migrate-test", "verify"):
        done = shop.inv(word)
        assert done.code == 0, done.out + done.err
    shop.query("UPDATE lessons_booking SET lesson_id = NULL WHERE id % 100 = 0")
    done = shop.inv("promote", "--json", "--confirm=shop")
    assert done.code == 0, done.out + done.err


# Of each fewer than users write.
FEW = {
    "bookings": ("delete from lessons_booking where {here} and id in (500, 501)", "deleted 2 of"),
    "the lesson of a booking": (
        "alter table lessons_booking add room text; update lessons_booking set room = 'x' where id % 7 = 0; "
        "update lessons_booking set lesson_id = lesson_id % 9 + 1 where {here} and id = 500",
        "changed 1 of",
    ),
    "bookings, within a savepoint": (
        "do $$ begin delete from lessons_booking where {here} and id in (500, 501); "
        "exception when division_by_zero then null; end $$",
        "deleted 2 of",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", FEW)
def test_a_few_rows_are_missed_however_much_users_write(project: Callable[..., Project], case: str) -> None:
    (text, said), here = FEW[case], "current_database() not like '%_test%'"
    shop = project(f'migrations.RunSQL("{text.format(here=here)}")', checks=[], freeze="never")
    shop.query("INSERT INTO lessons_booking (lesson_id) SELECT 1 + n % 9 FROM generate_series(1, 3000) n")
    with writing(shop.production, LOGOUT, BOOK, REBOOK, pause=0.1):
        done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 5, done.out + done.err
    assert f"the migrations {said}" in done.outcome["reason"]


@pytest.mark.slow
def test_a_resume_looks_at_production_anew_and_ends(project: Callable[..., Project]) -> None:
    shop = project(f'migrations.RunSQL("{TEACHERS}")', checks=[], freeze="never")
    shop.query("INSERT INTO lessons_teacher (id, name) VALUES (11, 'Frau 11')")
    with writing(shop.production, LOGOUT, BOOK, pause=0.2):
        done = shop.inv("release", "--json", "--confirm=shop")
        assert done.code == 5, done.out + done.err
        assert "1 of 11 rows of public.lessons_teacher are missing in" in done.outcome["reason"]
        shop.query("INSERT INTO lessons_teacher (id, name) VALUES (11, 'Frau 11')")
        again = shop.inv("resume", "--json", "--confirm=shop")
    assert again.code == 0, again.out + again.err

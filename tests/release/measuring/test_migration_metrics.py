"""The measures' arithmetic: whose lock and whose rows, what can't be told apart, the sentences, and the freeze."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.release.measuring import migration_metrics
from ops.release.measuring.lock_attribution import Look, Relation, Sample, Span, measured
from ops.release.measuring.migration_metrics import (
    Change,
    Effects,
    LockMeasure,
    Measured,
    Measures,
    MigrationMeasure,
    Rows,
    Together,
    asks_freeze,
    joined,
    newest,
    summary,
)
from ops.release.measuring.migration_sampler import Lines, settled

SHARE, EXCLUSIVE, ROWS = "ShareLock", "AccessExclusiveLock", "RowExclusiveLock"


def table(oid: int, name: str, file: int = 0, columns: int = 2, updated: int = 0) -> Relation:
    return Relation(oid, name, "r", file or oid, columns, 0, 0, updated, 0)


def index(oid: int, name: str, of: int) -> Relation:
    return Relation(oid, name, "i", oid, 1, of, 0, 0, 0)


def look(at: float, *relations: Relation, counted: int, whole: int, reach: int) -> Look:
    return Look(at, {relation.oid: relation for relation in relations}, 0, counted, whole, reach)


SPANS = [Span("a.0001_x", 0, 1), Span("a.0002_y", 1, 2), Span("a.0003_z", 2, 3)]
NONE = {"counted": 0, "whole": 0, "reach": 0}


def test_rows_that_were_handed_over_late_belong_to_all_that_could_have_written_them() -> None:
    looks = [
        look(0, table(1, "t"), **NONE),
        look(1, table(1, "t"), counted=0, whole=1, reach=1),
        look(2, table(1, "t", updated=7), counted=2, whole=2, reach=2),
        look(3, table(1, "t", updated=9), counted=3, whole=3, reach=3),
    ]
    found, together, total = measured(SPANS, [], looks)
    assert [m.effects.rows for m in found] == [(), (), (Rows(table="t", updated=2),)]
    assert together == (
        Together(migrations=("a.0001_x", "a.0002_y"), effects=Effects(rows=(Rows(table="t", updated=7),))),
    )
    assert total.rows == (Rows(table="t", updated=9),)


def test_a_look_that_may_hold_something_of_the_next_one_says_so() -> None:
    looks = [
        look(0, table(1, "t"), **NONE),
        look(1, table(1, "t", file=9), counted=1, whole=1, reach=2),
        look(3, table(1, "t", file=9), counted=3, whole=3, reach=3),
    ]
    found, together, _ = measured(SPANS, [], looks)
    assert all(m.effects.changes == () for m in found)
    assert together[0].migrations == ("a.0001_x", "a.0002_y")
    assert together[0].effects.changes == (Change(relation="t", kind="table", what="rewritten"),)


def test_the_rest_of_the_run_belongs_to_its_last_migration() -> None:
    looks = [
        look(0, table(1, "t"), **NONE),
        look(3, table(1, "t"), counted=3, whole=3, reach=3),
        look(4, table(1, "t", updated=1), counted=3, whole=3, reach=3),
    ]
    found, together, _ = measured(SPANS, [], looks)
    assert (found[2].effects.rows, together) == ((Rows(table="t", updated=1),), ())


def test_what_became_of_the_relations() -> None:
    looks = [
        look(0, table(1, "same"), table(2, "old"), table(3, "gone"), table(4, "big", file=4), index(5, "i", 1),
             index(6, "j", 1), index(7, "k", 4), **NONE),
        look(1, table(1, "same"), table(2, "new"), table(4, "big", file=44), index(6, "j", 1), index(77, "k", 4),
             index(8, "l", 1), table(9, "fresh"), counted=1, whole=1, reach=1),
    ]  # fmt: skip
    found, _, _ = measured(SPANS[:1], [], looks)
    said = {(c.relation, c.what) for c in found[0].effects.changes}
    assert said == {("old", "renamed"), ("gone", "dropped"), ("big", "rewritten"), ("i", "dropped"), ("k", "rebuilt"),
                    ("l", "new"), ("fresh", "new")}  # fmt: skip
    assert {lock.relation for lock in found[0].locks} == {"old", "gone", "big"}
    assert {(lock.mode, lock.sampled, lock.seconds) for lock in found[0].locks} == {(EXCLUSIVE, False, 0.0)}


def samples(*locks: tuple[tuple[int, str], ...], step: float = 0.25) -> list[Sample]:
    return [Sample(number * step, number * 100, held) for number, held in enumerate(locks)]


def one(*held: tuple[tuple[int, str], ...], extra: tuple[Relation, ...] = ()) -> list[LockMeasure]:
    """The locks of a single migration that lasts as long as four samples."""
    looks = [look(0, table(1, "t"), *extra, **NONE), look(1, table(1, "t"), *extra, counted=1, whole=1, reach=1)]
    found, _, _ = measured(SPANS[:1], samples(*held), looks)
    return list(found[0].locks)


def test_the_strongest_lock_and_how_long_it_kept_whom_waiting() -> None:
    (lock,) = one((), ((1, ROWS),), ((1, SHARE), (1, ROWS)), ((1, EXCLUSIVE),))
    assert (lock.mode, lock.seconds, lock.writes_blocked, lock.reads_blocked) == (EXCLUSIVE, 0.25, 0.5, 0.25)
    assert (lock.longest_write_block, lock.longest_read_block) == (0.5, 0.25)
    assert lock.sampled


def test_a_stretch_ends_where_the_lock_was_let_go() -> None:
    (lock,) = one(((1, SHARE),), (), ((1, SHARE),), ((1, SHARE),))
    assert (lock.writes_blocked, lock.longest_write_block) == (0.75, 0.5)


def test_a_lock_that_lets_everybody_work_blocks_nobody() -> None:
    (lock,) = one(((1, "ShareUpdateExclusiveLock"),), ((1, ROWS),))
    assert (lock.mode, lock.writes_blocked, lock.reads_blocked) == ("ShareUpdateExclusiveLock", 0, 0)


def test_an_index_that_nobody_may_touch_keeps_the_readers_of_its_table_waiting() -> None:
    (lock,) = one(((5, EXCLUSIVE),), (), extra=(index(5, "i", 1),))
    assert (lock.relation, lock.reads_blocked) == ("t", 0.25)
    assert one(((5, SHARE),), extra=(index(5, "i", 1),)) == []


def test_what_is_new_keeps_nobody_waiting() -> None:
    assert one(((99, EXCLUSIVE),), ((99, EXCLUSIVE),)) == []


def test_a_sample_belongs_to_the_migration_in_which_it_was_taken() -> None:
    looks = [look(0, table(1, "t"), **NONE), look(3, table(1, "t"), counted=3, whole=3, reach=3)]
    found, _, _ = measured(SPANS, samples(*[((1, SHARE),)] * 6, (), (), ()), looks)
    assert [sum(lock.writes_blocked for lock in m.locks) for m in found] == [1.0, 0.5, 0]
    assert [m.wal for m in found] == [400, 400, 0]


def test_a_migration_between_two_samples_has_what_was_written_between_them() -> None:
    looks = [look(0, table(1, "t"), **NONE), look(3, table(1, "t"), counted=1, whole=1, reach=1)]
    sparse = [Sample(at, wal, ()) for at, wal in ((0.0, 0), (SPANS[0].ended + 1, 700))]
    found, _, _ = measured([Span("a.0001_x", 0.5, 1)], sparse, looks)
    assert [m.wal for m in found] == [700]


def test_the_first_migration_has_what_it_wrote_before_its_line_was_read() -> None:
    looks = [look(0, table(1, "t"), **NONE), look(3, table(1, "t"), counted=2, whole=2, reach=2)]
    late = [Sample(at, wal, ()) for at, wal in ((0.0, 0), (0.6, 690), (1.1, 700), (2.1, 750))]
    found, _, _ = measured([Span("a.0001_x", 0.5, 1), Span("a.0002_y", 1, 2)], late, looks)
    assert [m.wal for m in found] == [700, 50]


@pytest.mark.parametrize(
    ("snapshot", "last", "expected"),
    [
        ("100:100:", None, True),
        ("100:101:", None, False),
        ("100:101:100", None, True),
        ("110:110:", 109, True),
        ("110:111:", 109, False),
        ("110:112:110,111", 109, True),
        ("110:112:110", 109, False),
        # Over the edge of 32 bits, where the record's own id is only the lower half.
        ("4294967296:4294967297:4294967296", 4294967295, True),
        ("4294967300:4294967300:", 3, True),
    ],
)
def test_nothing_was_committed_since(snapshot: str, last: int | None, expected: bool) -> None:
    assert settled(snapshot, last, 99) is expected


def lines(*texts: str) -> Lines:
    found = Lines()
    for number, text in enumerate(texts):
        found.take(text, float(number))
    return found


def test_the_lines_of_migrate() -> None:
    found = lines("Operations to perform:", "Running migrations:", "  Applying a.0001_x... OK",
                  "  Applying a.0002_y...copied 5 rows", "and more", " OK (1.204s)", "  Applying b.0001_z... FAKED",
                  "  Applying b.0002_bad...")  # fmt: skip
    assert [(span.name, span.begun, span.ended) for span in found.spans] == [
        ("a.0001_x", 1, 2),
        ("a.0002_y", 2, 5),
        ("b.0001_z", 5, 6),
    ]
    last = found.all(9, "it broke")[-1]
    assert (last.name, last.state, last.begun, last.ended, last.error) == ("b.0002_bad", "failed", 6, 9, "it broke")
    assert len(found.all(9, "")) == 3


@given(st.lists(st.text()))
def test_no_line_is_too_strange(texts: list[str]) -> None:
    lines(*texts)


def migration(name: str, seconds: float = 1, **given: object) -> MigrationMeasure:
    return MigrationMeasure(migration=name, state="applied", seconds=seconds).model_copy(update=given)


WROTE = Effects(
    rows=(
        Rows(table="public.session", updated=12345),
        Rows(table="public.django_content_type", updated=1, deleted=1),
        Rows(table="public.new", deleted=3, existed=False),
    ),
    changes=(
        Change(relation="public.session", kind="table", what="rewritten"),
        Change(relation="public.session_pkey", kind="index", what="rebuilt"),
        Change(relation="public.temp", kind="table", what="dropped", existed=False),
    ),
)
LOCK = LockMeasure(
    relation="public.session", mode=SHARE, seconds=4.2, writes_blocked=4.2, longest_write_block=4.1
)  # fmt: skip
BIG = migration("lessons.0002_session", 4.6, locks=(LOCK,), effects=WROTE, wal=3_200_000)
FOUND = Measures(run="r", backup="b", seconds=5.6, migrations=(migration("lessons.0001_a"), BIG), total=WROTE)


def test_the_sentences() -> None:
    assert FOUND.lines() == [
        "      lessons.0001: 1.0 s",
        "LOCK  lessons.0002: 4.6 s, writes to session blocked for 4.2 s, 12,345 rows updated in session, "
        "3 rows deleted in new, session rewritten, temp dropped, 1 index rebuilt, 3.2 MB WAL",
    ]
    many = FOUND.model_copy(update={"migrations": tuple(migration(f"a.{n:04}_x", n) for n in range(1, 20))})
    assert len(many.lines()) == 6
    assert many.lines()[0] == "      a.0015: 15.0 s"
    assert many.lines()[-1] == "      and 14 more: see measures.json in the run's folder"
    worse = [migration(f"a.{n:04}_x", n, locks=(LOCK,) if n == 3 else ()) for n in range(1, 20)]
    worse[7] = migration("a.0008_x", 0.5, state="failed", error="boom")
    told = FOUND.model_copy(update={"migrations": tuple(worse)}).lines()
    assert [line.split(":")[0] for line in told[:-1]] == [
        "LOCK  a.0003",
        "      a.0008",
        "      a.0017",
        "      a.0018",
        "      a.0019",
    ]
    twice = FOUND.model_copy(update={"migrations": (migration("a.0001_x"), migration("a.0001_y"))})
    assert twice.lines() == ["      a.0001_x: 1.0 s", "      a.0001_y: 1.0 s"]
    assert Measures(run="r", backup="b", why_not="no way in").lines() == ["not measured: no way in"]


def test_what_failed_says_what_the_clone_has() -> None:
    bad = migration("a.0002_bad", 0.5, state="failed", error="boom")
    found = FOUND.model_copy(update={"migrations": (migration("a.0001_x", 9), bad)})
    assert found.lines() == ["      a.0001: 9.0 s", "      a.0002: failed after 0.5 s"]
    assert found.half_done() == " (after 0.5 s; applied before it: a.0001_x)"
    assert FOUND.half_done() == ""


def test_the_certificate_keeps_what_was_there_before() -> None:
    assert summary(FOUND) == Measured(
        seconds=5.6, longest_write_block=4.1, longest_read_block=0, updated=12345, deleted=0, dropped=(),
        rewritten=("public.session",), blocked=("public.session",),
    )  # fmt: skip


CALM = Measured(
    seconds=9,
    longest_write_block=1,
    longest_read_block=1,
    updated=0,
    deleted=0,
    dropped=(),
    rewritten=(),
    blocked=("t",),
)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("updated", 1, "updated"),
        ("deleted", 2, "deleted"),
        ("dropped", ("public.t",), "t was dropped"),
        ("rewritten", ("public.t", "public.u"), "t, u were rewritten"),
        ("longest_write_block", 1.01, "blocked for 1.0 s"),
    ],
)
def test_each_thing_that_asks_for_a_freeze(field: str, value: object, words: str) -> None:
    assert asks_freeze(CALM) == asks_freeze(None) == ""
    assert words in asks_freeze(CALM.model_copy(update={field: value}))


def test_a_run_that_went_on_keeps_what_it_measured_before() -> None:
    first = FOUND.model_copy(
        update={"migrations": (migration("a.0001_x", 2), migration("a.0002_y", 1, state="failed"))}
    )
    then = Measures(run="r", backup="b", seconds=3, migrations=(migration("a.0002_y", 3),), total=WROTE)
    whole = joined(first, then)
    assert [(m.migration, m.state) for m in whole.migrations] == [("a.0001_x", "applied"), ("a.0002_y", "applied")]
    assert whole.seconds == 5
    assert summary(whole).updated == 2 * 12345
    assert joined(first.model_copy(update={"run": "other"}), then) == then
    assert joined(None, then) == then


def test_only_whole_measures_of_the_same_migrations_and_backup_are_found(tmp_path: Path) -> None:
    def keep(run: str, found: Measures) -> None:
        migration_metrics.write(tmp_path / "runs" / run / migration_metrics.FILE, found)

    names = ["lessons.0001_a", "lessons.0002_session"]
    keep("1", FOUND)
    assert newest(tmp_path, "b", names) == FOUND
    assert newest(tmp_path, "other", names) is None
    assert newest(tmp_path, "b", names[:1]) is None
    keep("2", Measures(run="2", backup="b", why_not="cut"))
    (tmp_path / "runs/2b").mkdir()
    (tmp_path / "runs/2b" / migration_metrics.FILE).write_text("{")
    assert newest(tmp_path, "b", names) == FOUND
    later = FOUND.model_copy(update={"run": "3"})
    keep("3", later)
    assert newest(tmp_path, "b", names) == later

"""A rollback's loss: shown to the row before it, accounted for after it, never more than was told."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops.verdict import fingerprint
from tests.conftest import Done, Project
from tests.support.project import begin, ended
from tests.support.tiers import quick
from tests.system.recovery.test_since import steps, write

CHANGES = (
    'CREATE TABLE "Für \'alle\'" ("Größe" int)',
    "INSERT INTO \"Für 'alle'\" VALUES (1), (1), (2)",
    "CREATE TABLE noted (id int PRIMARY KEY, changed timestamptz, due timestamptz)",
    "INSERT INTO noted SELECT n, '2026-01-01 10:00Z', '2099-01-01 10:00Z' FROM generate_series(1, 10) n",
)


def detail(done: Done, step: str) -> str:
    """What a step told when it was done."""
    return next(str(e.get("detail", "")) for e in done.events if e.get("step") == step and e["status"] == "done")


def roll_back(shop: Project, *words: str, backup: str = "latest") -> Done:
    done = shop.inv("rollback", f"--backup={backup}", "--json", "--confirm=shop", *words)
    assert done.code == 0, done.out + done.err
    return done


def told(done: Done) -> dict[str, dict[str, Any]]:
    return {table["table"]: table for table in done.outcome["loss"]["tables"]}


def run_folder(shop: Project, done: Done) -> Path:
    return shop.folder / "backups/shop/runs" / str(done.outcome["run"])


def databases(shop: Project, what: str) -> list[str]:
    """The databases that are kept of this project; what was live once is closed."""
    stem = shop.production.rsplit("/", 1)[1]
    query = f"SELECT datname, datallowconn FROM pg_database WHERE starts_with(datname, '{stem}_')"
    found = shop.query(query, "postgres")
    assert not any(is_open for name, is_open in found if "_replaced_" in name or "_undone_" in name), found
    return sorted(str(name) for name, _ in found if name.startswith(f"{stem}_{what}_"))


def test_nothing_is_lost_only_when_all_is_equal(scene: Callable[..., Project]) -> None:
    shop = scene("backed_up")
    done = roll_back(shop)
    assert detail(done, "rollback.preview").startswith("nothing would be lost: every table, sequence and large object")
    loss = done.outcome["loss"]
    assert (loss["nothing"], loss["tables"], loss["since"]["nothing"]) == (True, [], True)
    write(shop, "SELECT nextval('lessons_lesson_id_seq')")
    done = roll_back(shop)
    assert "nothing would be lost" not in detail(done, "rollback.preview")
    assert "public.lessons_lesson_id_seq (at 1001, in the backup at 1000)" in detail(done, "rollback.preview")
    write(shop, "SELECT lo_from_bytea(0, 'x')")
    done = roll_back(shop)
    assert "large objects: 1, in the backup 0" in detail(done, "rollback.preview")
    assert done.outcome["loss"]["nothing"] is False


def test_rows_are_counted_with_keys_and_moments(project: Callable[..., Project]) -> None:
    shop = project("b")
    for text in CHANGES:
        write(shop, text)
    steps(shop, "backup")
    write(shop, "INSERT INTO lessons_lesson(title, teacher_id) SELECT 'new', 1 FROM generate_series(1, 3)")
    write(shop, "UPDATE lessons_lesson SET title = 'x' WHERE id IN (7, 8)")
    write(shop, "DELETE FROM lessons_booking WHERE id = 5")
    write(shop, "UPDATE noted SET changed = '2026-02-03 04:05Z' WHERE id = 4")
    write(shop, "DELETE FROM \"Für 'alle'\" WHERE ctid = '(0,1)'")
    write(shop, "INSERT INTO \"Für 'alle'\" VALUES (2), (3)")
    write(shop, "CREATE TABLE added (n int); INSERT INTO added VALUES (1), (2)")
    write(shop, "ALTER TABLE lessons_teacher ADD note text; UPDATE lessons_teacher SET note = 'x' WHERE id < 3")
    plan = shop.inv("rollback", "--backup=latest", "--plan")
    assert plan.code == 0 and "public.lessons_lesson: 1,003 rows live, 1,000 in the backup" in plan.out, plan.out
    done = roll_back(shop)
    text = detail(done, "rollback.preview")
    assert "public.lessons_lesson: 3 rows inserted (keys 1001, 1002, 1003), 2 updated (keys 7, 8)" in text
    assert "public.lessons_booking: 1 row deleted (key 5)" in text
    assert "public.noted: 1 row updated (key 4; newest 2026-02-03 04:05 UTC)" in text
    assert "public.\"Für 'alle'\": 2 rows inserted, 1 deleted" in text
    assert "public.added: a table that the backup does not have, with 2 rows" in text
    assert "public.lessons_teacher: note: a column that the backup does not have, with 2 values" in text
    assert "the schema differs" in text and "title" not in text
    loss = done.outcome["loss"]
    assert (loss["inserted"], loss["updated"], loss["deleted"]) == (7, 3, 2)
    file = run_folder(shop, done) / "loss.json"
    assert file.stat().st_mode & 0o077 == 0 and json.loads(file.read_text())["tables"]
    assert loss["since"]["nothing"] and "nothing was written between" in detail(done, "rollback.account")


@pytest.mark.parametrize("variant", quick(["b", "c", "loop"], "b"))
def test_a_table_that_the_release_renamed_is_compared_under_both_names(
    scene: Callable[..., Project], variant: str
) -> None:
    shop = scene("released", variant)
    write(shop, "SELECT setval(pg_get_serial_sequence('lessons_session', 'id'), 2000)")
    write(shop, "INSERT INTO lessons_session(title, teacher_id) VALUES ('new', 1), ('newer', 2)")
    write(shop, "UPDATE lessons_session SET title = 'x' WHERE title = 'Stunde 7'")
    write(shop, "DELETE FROM lessons_booking WHERE id = 9")
    done = roll_back(shop)
    text, tables = detail(done, "rollback.preview"), told(done)
    session, booking = tables["public.lessons_session"], tables["public.lessons_booking"]
    assert "public.lessons_session (in the backup: public.lessons_lesson): " in text
    assert session["was"] == "public.lessons_lesson" and not session["only"]
    assert session["keys"]["inserted"][-2:] == ["2001", "2002"]
    # A copy under new keys has no key in common with the old rows: a changed one is a new one, and an old one is gone.
    counts = (2, 1, 0) if variant != "loop" else (3, 0, 1)
    assert (session["inserted"], session["updated"], session["deleted"]) == counts, text
    assert (booking["inserted"], booking["updated"], booking["deleted"]) == (0, 0, 1), text
    assert tables["public.django_migrations"]["inserted"] == 1
    if variant == "b":
        # RenameModel wrote the model's name anew in a column that both sides have.
        assert "public.django_content_type: model: a different value in 1 row" in text
        assert tables["public.django_content_type"]["columns"] == {"both": {"model": 1}}


class Client:
    """Writes all the time, each row by itself, and knows what was acknowledged."""

    def __init__(self, shop: Project) -> None:
        self.shop = shop
        self.rows: list[tuple[int, int]] = []
        self.deleted: list[int] = []
        self.refused = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def __enter__(self) -> Client:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def work(self) -> None:
        number = 0
        while not self.stop.is_set():
            try:
                with psycopg.connect(self.shop.production, autocommit=True) as session:
                    while not self.stop.is_set():
                        number += 1
                        row = session.execute("INSERT INTO loop(n) VALUES (%s) RETURNING id", [number]).fetchone()
                        assert row
                        self.rows.append((row[0], number))
                        gone = session.execute(
                            "DELETE FROM gone WHERE id = (SELECT min(id) FROM gone) RETURNING id"
                        ).fetchone()
                        self.deleted += list(gone or ())
                        session.execute("UPDATE counted SET n = n + 1")
                        time.sleep(0.002)
            except psycopg.errors.ReadOnlySqlTransaction:
                self.refused += 1
                time.sleep(0.01)
            except psycopg.OperationalError:
                time.sleep(0.002)


def looped(shop: Project) -> None:
    write(shop, "CREATE TABLE loop (id serial PRIMARY KEY, n int UNIQUE)")
    write(shop, "CREATE TABLE gone (id int PRIMARY KEY); INSERT INTO gone SELECT generate_series(1, 20000)")
    write(shop, "CREATE TABLE counted (id int PRIMARY KEY, n int); INSERT INTO counted VALUES (1, 0)")
    write(shop, "CREATE TABLE keyless AS SELECT n FROM generate_series(1, 100) n")


def named(shop: Project, done: Done, table: str, what: str) -> list[int]:
    """The keys that the preview and the account name."""
    found: list[int] = []
    for report in ("recount" if (run_folder(shop, done) / "recount.json").exists() else "loss", "account"):
        for one in json.loads((run_folder(shop, done) / f"{report}.json").read_text())["tables"]:
            if one["table"] == table:
                lines = (run_folder(shop, done) / one["every_key"]).read_text().splitlines()
                found += [int(key) for kind, _, _, key in map(json.loads, lines) if kind == what]
                assert len([line for line in lines if json.loads(line)[0] == what]) == one[what]
    return found


@pytest.mark.parametrize("freeze", quick([False, True], False))
def test_no_row_of_a_client_is_lost_unnamed(project: Callable[..., Project], freeze: bool) -> None:
    shop = project("b")
    looped(shop)
    steps(shop, "backup")
    with Client(shop) as client:
        time.sleep(0.5)
        done = roll_back(shop, *(["--freeze"] if freeze else []))
        time.sleep(0.5)
    live = dict(shop.query("SELECT id, n FROM loop"))
    away = [id_ for id_, n in client.rows if live.get(id_) != n]
    assert away and len(client.rows) > len(away), "it wrote before and after"
    inserted = named(shop, done, "public.loop", "inserted")
    assert sorted(inserted) == sorted(set(inserted)), "none is named twice"
    assert set(away) <= set(inserted)
    # A commit whose answer was cut off by the swap is the only one that may be named and not known to the client.
    assert len(set(inserted) - set(away)) <= 1
    remaining = {id_ for (id_,) in shop.query("SELECT id FROM gone")}
    deleted = named(shop, done, "public.gone", "deleted")
    assert set(deleted) >= {id_ for id_ in client.deleted if id_ in remaining}
    assert told(done)["public.counted"]["updated"] == 1
    since = done.outcome["loss"]["since"]
    if freeze:
        assert client.refused and since["nothing"], since
        assert "nothing was written between" in detail(done, "rollback.account")
    else:
        assert not client.refused and since["inserted"] and since["deleted"]
        text = detail(done, "rollback.account")
        assert "written between the preview and the swap, so not live" in text
        assert f"inv undo --run={done.outcome['run']}   swaps the replaced database back in" in text
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]
    databases(shop, "replaced")


@pytest.mark.slow
def test_what_came_after_the_preview_is_told_apart_from_what_the_live_one_got_since(
    project: Callable[..., Project],
) -> None:
    shop = project("b")
    looped(shop)
    write(shop, "INSERT INTO loop(n) SELECT generate_series(1, 20)")
    steps(shop, "backup")
    write(shop, "INSERT INTO loop(n) VALUES (21); UPDATE loop SET n = -2 WHERE id = 2")
    process = begin(shop, "safety-backup.dump", "rollback", "--backup=latest", "--json", "--confirm=shop")
    write(shop, "INSERT INTO loop(n) VALUES (22); DELETE FROM loop WHERE id = 5; UPDATE loop SET n = -3 WHERE id = 3")
    write(shop, "UPDATE loop SET n = -22 WHERE id = 2; INSERT INTO keyless VALUES (1); DELETE FROM keyless WHERE n = 7")
    done = ended(process)
    assert done.code == 0, done.out + done.err
    since = {table["table"]: table for table in done.outcome["loss"]["since"]["tables"]}
    loop, keyless = since["public.loop"], since["public.keyless"]
    assert loop["keys"] == {"inserted": ["22"], "updated": ["2", "3"], "deleted": ["5"]}, loop
    assert (keyless["inserted"], keyless["deleted"]) == (1, 1)
    assert told(done)["public.loop"]["keys"] == {"inserted": ["21"], "updated": ["2"]}


def test_a_frozen_rollback_counts_again_and_lets_write_in_the_end(scene: Callable[..., Project]) -> None:
    shop = scene("backed_up", freeze="always")
    process = begin(shop, "rollback.preview", "rollback", "--backup=latest", "--json", "--confirm=shop")
    while '"step": "rollback.preview", "status": "done"' not in journal(shop) and process.poll() is None:
        time.sleep(0.001)
    try:
        write(shop, "INSERT INTO lessons_teacher(name) VALUES ('late')")
        late = True
    except psycopg.Error:
        late = False
    done = ended(process)
    assert done.code == 0, done.out + done.err
    text = detail(done, "rollback.recount")
    if late:
        assert text.startswith("NOT as shown: rows were written before the freeze"), text
        assert "public.lessons_teacher: 1 row inserted (key 11)" in text
    assert done.outcome["loss"]["since"]["nothing"]
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]
    assert shop.query("SELECT count(*) FROM lessons_teacher") == [(10,)]
    steps(shop, "undo --confirm=shop")
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]
    assert shop.query("SELECT count(*) FROM lessons_teacher") == [(10 + late,)]


def journal(shop: Project) -> str:
    return max(shop.folder.glob("backups/shop/runs/*/journal.jsonl")).read_text()


@pytest.mark.slow
def test_what_was_frozen_before_stays_frozen(scene: Callable[..., Project]) -> None:
    shop = scene("backed_up")
    steps(shop, "freeze --confirm=shop")
    done = roll_back(shop, "--freeze")
    assert done.outcome["hint"].startswith("inv unfreeze --target=shop")
    assert not any("rollback.freeze" in str(event.get("step")) for event in done.events)
    assert shop.query("SHOW default_transaction_read_only") == [("on",)]


@pytest.mark.slow
def test_a_delta_is_a_backup_that_restores_to_the_rows(project: Callable[..., Project]) -> None:
    shop = project("b")
    looped(shop)
    write(
        shop, 'CREATE TABLE "Odd ""name""" ("A b" int PRIMARY KEY, double int GENERATED ALWAYS AS ("A b" * 2) STORED)'
    )
    steps(shop, "backup")
    write(shop, "INSERT INTO lessons_lesson(title, teacher_id) VALUES ('new', 1), ('newer', 1)")
    write(shop, "UPDATE lessons_teacher SET name = E'tab\\there' WHERE id = 3; DELETE FROM gone WHERE id < 4")
    write(shop, 'INSERT INTO "Odd ""name""" VALUES (5); INSERT INTO keyless VALUES (1000), (1000)')
    done = roll_back(shop, "--export")
    delta = f"{done.outcome['run']}_delta"
    assert not databases(shop, "delta")
    listed = shop.inv("backups")
    assert f"{delta} (delta of " in listed.out
    refused = shop.inv("rollback", f"--backup={delta}", "--json", "--confirm=shop")
    assert refused.code == 2 and "no complete database" in refused.outcome["reason"], refused.out
    folder = shop.folder / "backups/shop/backups" / delta
    gone = [json.loads(line) for line in (folder / "deleted.jsonl").read_text().splitlines()]
    assert sorted(line["key"] for line in gone if line["table"] == "public.gone") == ["1", "2", "3"]
    assert fingerprint.read(folder / "fingerprint.jsonl").rows == 6
    loss = roll_back(shop).outcome["loss"]
    # Its sequence was advanced beyond the live one by the first rollback; no row differs.
    assert not loss["tables"] and not delta.startswith(loss["backup"]), "latest is the backup, not the delta"
    name = shop.production.rsplit("/", 1)[1] + "_look"
    shop.query(f"CREATE DATABASE {name}", "postgres")
    where = shop.production.rsplit("/", 1)[0] + "/" + name
    words = ["pg_restore", "--exit-on-error", f"--dbname={where}", str(folder / "dump")]
    subprocess.run(words, env=shop.env, check=True)
    assert shop.query("SELECT id, title FROM lessons_lesson ORDER BY 1", name) == [(1001, "new"), (1002, "newer")]
    assert shop.query("SELECT id, name FROM lessons_teacher", name) == [(3, "tab\there")]
    assert shop.query('SELECT * FROM "Odd ""name"""', name) == [(5, 10)]
    assert shop.query("SELECT n FROM keyless", name) == [(1000,), (1000,)]
    assert shop.query("SELECT count(*) FROM gone", name) == [(0,)]


@pytest.mark.slow
@pytest.mark.parametrize("word", quick(["resume", "undo"], "resume"))
@pytest.mark.parametrize("step", quick(["rollback.preview", "rollback.account", "delta.fill"], "delta.fill"))
def test_an_interrupted_comparison_is_resumed_or_undone(project: Callable[..., Project], step: str, word: str) -> None:
    shop = project("b")
    looped(shop)
    write(shop, "INSERT INTO loop(n) SELECT generate_series(1, 30000)")
    steps(shop, "backup")
    write(shop, "UPDATE loop SET n = -n")
    before = shop.fingerprint()
    process = begin(shop, step, "rollback", "--backup=latest", "--export", "--json", "--confirm=shop")
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert done.code == 130, done.out + done.err
    again = shop.inv(word, "--json", "--confirm=shop")
    assert again.code == 0, again.out + again.err
    assert "Traceback" not in again.out + again.err
    if word == "undo":
        assert shop.fingerprint() == before
        assert not databases(shop, "restored") and not databases(shop, "delta")
    else:
        assert shop.query("SELECT count(*) FROM loop WHERE n > 0") == [(30000,)]
        assert again.outcome["loss"]["updated"] == 30000 and again.outcome["loss"]["since"]["nothing"]


@pytest.mark.slow
def test_undo_tells_what_was_written_to_the_restored_database(scene: Callable[..., Project]) -> None:
    shop = scene("backed_up")
    write(shop, "INSERT INTO lessons_teacher(name) VALUES ('old')")
    roll_back(shop)
    write(shop, "INSERT INTO lessons_lesson(title, teacher_id) VALUES ('new', 1)")
    undone = shop.inv("undo", "--json", "--confirm=shop")
    assert undone.code == 0, undone.out + undone.err
    told = next(e["detail"] for e in undone.events if e.get("status") == "undone" and e["step"] == "rollback.swap")
    assert "public.lessons_lesson: 1,001 rows in it, 1,000 when it was swapped in" in told
    # The tool itself advanced the sequence of the teachers.
    assert "public.lessons_lesson_id_seq (at 1001, when it was swapped in at 1000)" in told
    assert "lessons_teacher_id_seq" not in told[told.index("written to the restored database since the swap") :]
    assert databases(shop, "undone")[0] in told
    assert shop.query("SELECT count(*) FROM lessons_teacher") == [(11,)]


@pytest.mark.slow
def test_an_undo_at_once_calls_no_sequence_that_we_advanced_written_meanwhile(scene: Callable[..., Project]) -> None:
    shop = scene("backed_up")
    write(shop, "INSERT INTO lessons_teacher(name) VALUES ('old')")
    done = roll_back(shop)
    assert "advanced beyond the live ones" in detail(done, "rollback.advance")
    undone = shop.inv("undo", "--json", "--confirm=shop")
    assert undone.code == 0, undone.out + undone.err
    assert "nothing was written to the restored database" in undone.out


@pytest.mark.slow
@pytest.mark.parametrize("word", quick(["resume", "undo"], "undo"))
@pytest.mark.parametrize(
    "step", quick(["rollback.freeze", "rollback.recount", "rollback.unfreeze"], "rollback.unfreeze")
)
def test_a_frozen_rollback_that_was_killed_lets_write_in_the_end(
    scene: Callable[..., Project], step: str, word: str
) -> None:
    shop = scene("backed_up")
    write(shop, "INSERT INTO lessons_teacher(name) VALUES ('new')")
    process = begin(shop, step, "rollback", "--backup=latest", "--freeze", "--confirm=shop")
    process.kill()
    ended(process)
    done = shop.inv(word, "--json", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]
    assert shop.query("SELECT count(*) FROM lessons_teacher") == [(11 if word == "undo" else 10,)]
    databases(shop, "replaced")

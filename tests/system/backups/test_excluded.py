"""Tables whose rows stay out of a backup: it is said everywhere, and refused wherever rows would be lost by it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Done, Project

Make = Callable[..., Project]
AUDIT = "public.audit_log (about 500 rows)"
LOGS = """CREATE TABLE audit_log (id serial PRIMARY KEY, teacher_id bigint REFERENCES lessons_teacher (id), note text);
    INSERT INTO audit_log SELECT n, 1, md5(n::text) FROM generate_series(1, 500) n;
    CREATE SCHEMA stats;
    CREATE TABLE stats."Odd, name" (day date, n int) PARTITION BY RANGE (day);
    CREATE TABLE stats."Odd ""2026" PARTITION OF stats."Odd, name" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    INSERT INTO stats."Odd, name" SELECT '2026-05-01', n FROM generate_series(1, 30) n;
    ANALYZE audit_log; ANALYZE stats."Odd ""2026\""""


def settings(shop: Project, **given: object) -> None:
    """Change keys of the production target."""
    path = shop.folder / "inventory.yaml"
    content = yaml.safe_load(path.read_text())
    content["all"]["children"]["production"]["hosts"]["shop"].update(given)
    path.write_text(yaml.safe_dump(content))


def manifests(shop: Project) -> list[dict[str, Any]]:
    """The manifests of all backups, oldest first."""
    return [json.loads(path.read_text()) for path in sorted(shop.folder.glob("backups/shop/backups/*/manifest.json"))]


def refused(done: Done, *parts: str, code: int = 3) -> None:
    assert done.code == code, done.out + done.err
    for part in parts:
        assert part in done.out, done.out
    assert "Try: " in done.out and "Traceback" not in done.out + done.err


@pytest.fixture
def shop(project: Make) -> Project:
    """A project with a log that leads to a table of the application, and a partitioned one of another schema."""
    made = project("b", freeze="always", dump={"exclude": ["audit_log", "stats.*"], "jobs": 1, "compress": 3})
    made.query(LOGS)
    return made


@pytest.mark.slow
def test_what_stays_out_is_said_by_everything_that_works_with_the_backup(shop: Project) -> None:
    said = f'2 tables were not backed up: {AUDIT}, stats."Odd ""2026" (about 30 rows)'
    done = shop.inv("clone-prod-to-test")
    assert done.code == 0, done.out
    assert f"; {said}" in done.out and f"\nThe backup is incomplete: {said}\n" in done.out
    (manifest,) = manifests(shop)
    assert manifest["excluded"] == {"public.audit_log": 500, 'stats."Odd ""2026"': 30}
    assert manifest["rows"]["public.audit_log"] == 0 < manifest["rows"]["public.lessons_lesson"]
    # The tables are there, with their foreign key, and empty; the rest is production's.
    test = shop.test.rsplit("/", 1)[1]
    empty = 'SELECT (SELECT count(*) FROM audit_log), (SELECT count(*) FROM stats."Odd, name")'
    assert shop.query(empty, test) == [(0, 0)]
    assert shop.query("SELECT count(*) FROM pg_constraint WHERE conname = 'audit_log_teacher_id_fkey'", test) == [(1,)]
    assert shop.query("SELECT count(*) FROM lessons_lesson", test) == [(1000,)]

    drill = shop.inv("drill", "--backup=latest", "--json")
    assert drill.code == 0 and drill.outcome["excluded"] == manifest["excluded"]
    assert "(without public.audit_log, stats" in shop.inv("backups").out
    assert shop.inv("backups", "--json").events[-1]["excluded"] == manifest["excluded"]
    assert said in shop.inv("check-backups").out
    doctor = {event["check"]: event for event in shop.inv("doctor", "--json").events if event["event"] == "check"}
    assert AUDIT in doctor["dump"]["said"] and doctor["dump"]["status"] == "ok"
    assert said in shop.inv("recover").out

    for words in (["rollback", "--backup=latest", "--confirm=shop"], ["plan", "--procedure=rollback"]):
        refused(shop.inv(*words), "is not whole", AUDIT, f"salvage --target=shop --backup={manifest['backup']}")
    refused(shop.inv("salvage", "--backup=latest", "--table=audit_log", "--confirm=shop"), "lacks the rows", AUDIT)
    shop.query("DELETE FROM lessons_booking WHERE id = 7")
    done = shop.inv("salvage", "--backup=latest", "--table=lessons_booking", "--confirm=shop")
    assert done.code == 0, done.out
    assert shop.query("SELECT count(*) FROM lessons_booking") == [(1000,)]
    safety = manifests(shop)[-1]
    assert safety["backup"].endswith("_safety") and safety["excluded"] == {}
    assert safety["rows"]["public.audit_log"] == 500


@pytest.mark.slow
def test_a_release_without_those_rows_keeps_them_and_its_way_back_is_whole(shop: Project) -> None:
    before = shop.fingerprint()["public.audit_log"]
    done = shop.inv("release", "--confirm=shop", "--json")
    assert done.code == 0, done.out
    first, last = manifests(shop)
    assert list(first["excluded"]) == ["public.audit_log", 'stats."Odd ""2026"'] and last["excluded"] == {}
    verdict = done.outcome["verdict"]
    assert verdict["excluded"] == first["excluded"] == done.outcome["excluded"]
    assert {t["verdict"] for t in verdict["tables"] if t["table"] in first["excluded"]} == {"excluded"}
    certificate = json.loads(next(shop.folder.glob("backups/shop/certificates/*.json")).read_text())
    assert certificate["excluded"] == first["excluded"]
    details = {event["step"]: event.get("detail", "") for event in done.events if event["event"] == "step"}
    for step in ("backup.seal", "verify.account", "verify.write_certificate"):
        assert f"2 tables were not backed up: {AUDIT}" in details[step], step
    assert shop.fingerprint()["public.audit_log"] == before
    assert "the newest backup with every table" in shop.inv("prune-backups", "--plan").out
    back = shop.inv("rollback", f"--backup={last['backup']}", "--confirm=shop")
    assert back.code == 0, back.out
    assert shop.fingerprint()["public.audit_log"] == before


@pytest.mark.slow
def test_where_production_is_not_frozen_the_way_back_holds_every_table(shop: Project) -> None:
    settings(shop, freeze="never")
    # The release takes it whole; a rehearsal by hand, of a backup that is not, is no ground for a promotion.
    plan = shop.inv("release", "--json", "--plan")
    assert plan.events[0]["inputs"]["dump"]["exclude"] == [], plan.out
    for words in ("clone-prod-to-test", "migrate-test", "verify"):
        assert shop.inv(words).code == 0
    refused(shop.inv("promote", "--confirm=shop"), "the promotion needs a freeze", AUDIT, "freeze: always")
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]


@pytest.mark.slow
def test_code_that_changes_those_rows_unnamed_is_found_on_production_and_taken_back(project: Make) -> None:
    code = "do $$ begin execute 'update aud' || 'it_log set note = null'; end $$"
    shop = project(f'migrations.RunSQL("{code}")', freeze="always", checks=[], dump={"exclude": ["audit_log"]})
    shop.query(LOGS)
    before = shop.fingerprint()["public.audit_log"]
    done = shop.inv("release", "--confirm=shop", "--auto-rollback")
    assert done.code == 5 and "production differs from the rehearsal: public.audit_log" in done.out, done.out
    assert "proved row for row" in done.out
    assert shop.fingerprint()["public.audit_log"] == before


@pytest.mark.parametrize(
    ("exclude", "said", "hint"),
    [
        (["audit_log", "audit_logs"], "`exclude` has audit_logs, and no table has this name", "exclude: [audit_log]"),
        (["lessons_teacher"], "of public.lessons_lesson refers to public.lessons_teacher", "or exclude"),
        (["django_*"], "public.django_content_type", "exclude:"),
    ],
)
def test_what_can_not_stay_out_is_refused_before_anything_is_written(
    shop: Project, exclude: list[str], said: str, hint: str
) -> None:
    settings(shop, dump={"exclude": exclude})
    lines = [line.strip() for line in (shop.folder / "inventory.yaml").read_text().splitlines()]
    for words in (["backup"], ["backup", "--plan"]):
        refused(shop.inv(*words), "inventory.yaml:", "shop:", said, hint)
    if exclude[-1] == "audit_logs":
        assert f"inventory.yaml:{lines.index('- audit_logs') + 1}: " in shop.inv("backup").out
    assert not list(shop.folder.glob("backups/shop/backups/*"))


def test_a_table_that_a_key_came_to_lead_to_meanwhile_is_refused_by_the_gate(shop: Project) -> None:
    words = ["tool.check-room", "--target=shop", "--backup-id=x", "--exclude=audit_log"]
    done = shop.inv(*words)
    assert done.code == 0 and f"1 table will not be backed up: {AUDIT}" in done.out, done.out
    shop.query("CREATE TABLE seen (id int REFERENCES audit_log (id))")
    refused(shop.inv(*words), "seen_id_fkey of public.seen")


def test_a_release_that_works_on_what_stays_out_is_refused(project: Make) -> None:
    code = 'migrations.RunPython(lambda apps, _: apps.get_model("lessons", "Lesson").objects.update(title=""))'
    shop = project(code, freeze="always", dump={"exclude": ["lessons_lesson", "lessons_booking"]})
    said = "RunPython changes public.lessons_lesson"
    refused(shop.inv("release", "--confirm=shop"), said, "remove the table from `exclude`")
    assert not list(shop.folder.glob("backups/shop/backups/*"))
    assert shop.inv("clone-prod-to-test").code == 0
    refused(shop.inv("migrate-test"), said)


@pytest.mark.slow
def test_a_backup_that_is_held_back_is_one_stream_and_is_restored_like_any(shop: Project) -> None:
    settings(shop, dump={"exclude": ["audit_log"], "jobs": 3, "max_rate": "1GB"})
    done = shop.inv("backup", "--json")
    assert done.code == 0 and done.events[0]["inputs"]["dump"]["rate"] == 1_000_000_000, done.out
    (manifest,) = manifests(shop)
    assert {"dump", "fingerprint.jsonl"} < set(manifest["files"]) and list(manifest["excluded"]) == ["public.audit_log"]
    assert shop.inv("drill", "--backup=latest").code == 0
    plan = shop.inv("backup", "--max-rate=500kB", "--plan").out
    assert "500,000 bytes per second" in plan and "-v rate=500000" in plan, plan
    refused(shop.inv("backup", "--max-rate=fast"), "--max-rate=fast: should be bytes per second", code=2)


def test_a_compression_that_the_tools_do_not_have_is_one_line(shop: Project) -> None:
    settings(shop, dump={"compress": "zstd:99"})
    done = shop.inv("backup")
    refused(done, "inventory.yaml:", "shop: pg_dump", "does not take compress: zstd:99: ", "compress: 6", code=2)
    doctor = {event["check"]: event for event in shop.inv("doctor", "--json").events if event["event"] == "check"}
    assert doctor["dump"]["status"] == "fail" and "does not take compress: zstd:99" in doctor["dump"]["said"]


@pytest.mark.slow
def test_a_dump_whose_limiter_was_killed_is_no_backup(shop: Project) -> None:
    words = shop.command("backup", "--max-rate=1.237kB")
    going = subprocess.Popen(words, cwd=shop.folder, env=shop.env, stdout=subprocess.PIPE, text=True)
    while not (found := pids("ops.backups.throttle\0001237")):
        assert going.poll() is None, going.communicate()
        time.sleep(0.05)
    os.kill(found[0], signal.SIGKILL)
    out, _ = going.communicate(timeout=60)
    assert going.returncode == 4 and "the rate limiter ended early" in out, out
    assert not manifests(shop)


def pids(words: str) -> list[int]:
    """Processes of this machine whose command line holds these words."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (path / "cmdline").read_bytes().decode(errors="replace")
            if words in line and int(path.name) != os.getpid():
                found.append(int(path.name))
    return found


@pytest.mark.slow
def test_such_a_backup_is_made_live_where_that_is_asked_for(shop: Project) -> None:
    assert shop.inv("backup").code == 0
    (manifest,) = manifests(shop)
    shop.query("DELETE FROM lessons_booking WHERE id <= 5")
    refused(shop.inv("rollback", "--backup=latest", "--confirm=shop"), "is not whole", "--incomplete")
    done = shop.inv("rollback", "--backup=latest", "--incomplete", "--export", "--confirm=shop")
    assert done.code == 0, done.out
    assert done.out.count(AUDIT) >= 2, done.out
    assert shop.query("SELECT (SELECT count(*) FROM lessons_booking), (SELECT count(*) FROM audit_log)") == [(1000, 0)]
    # What was live has them still: they come back from there.
    delta, safety = (
        next(one for one in manifests(shop) if one["backup"].endswith(end)) for end in ("_delta", "_safety")
    )
    assert delta["rows"]["public.audit_log"] == safety["rows"]["public.audit_log"] == 500
    done = shop.inv("salvage", f"--backup={safety['backup']}", "--table=audit_log", "--confirm=shop")
    assert done.code == 0, done.out
    assert shop.query("SELECT count(*) FROM audit_log") == [(500,)]


@pytest.mark.slow
def test_where_production_is_lost_it_is_better_than_nothing(shop: Project) -> None:
    assert shop.inv("backup").code == 0
    before = {name: found for name, found in shop.fingerprint().items() if "audit" not in name and "stats" not in name}
    name = shop.production.rsplit("/", 1)[1]
    shop.query(f"DROP DATABASE {name} WITH (FORCE)", "postgres")
    gone = shop.inv("recover")
    assert gone.code == 4 and f'"{name}" does not exist' in gone.out and "create it empty" in gone.out, gone.out
    shop.query(f"CREATE DATABASE {name}", "postgres")
    lost = shop.inv("recover", "--json")
    assert lost.code == 5 and "production is empty" in lost.outcome["reason"], lost.out
    # As it is told.
    words = lost.outcome["hint"].split()[1:]
    assert "--incomplete" in words
    done = shop.inv(*words, "--confirm=shop")
    assert done.code == 0, done.out
    after = shop.fingerprint()
    assert {name: after[name] for name in before} == before and after["public.audit_log"][0] == 0

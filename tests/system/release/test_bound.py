"""A certificate holds for exactly what was rehearsed: each bound thing is changed in turn, and promotion names it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ops.release import certificate
from ops.release.measuring.recovery_time import Recovery
from tests.conftest import Project
from tests.system.recovery.test_since import steps, write

pytestmark = pytest.mark.slow

Change = Callable[[Project], AbstractContextManager[object]]


def git(shop: Project, *words: str) -> str:
    given = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *given, *words], cwd=shop.folder / "shop", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def of_file(name: str, change: Callable[[str], str]) -> Change:
    """Changes a file, which may not be there, and puts it back."""

    @contextmanager
    def changed(shop: Project) -> Iterator[None]:
        path = next(iter(shop.folder.glob(name)), shop.folder / name)
        was = path.read_bytes() if path.exists() else None
        path.write_text(change((was or b"").decode(errors="surrogateescape")), errors="surrogateescape")
        yield
        path.unlink() if was is None else path.write_bytes(was)

    return changed


def of_certificate(**fields: Any) -> Change:
    """Issues the certificate with other fields, under a seal of its own, and puts it back."""

    @contextmanager
    def changed(shop: Project) -> Iterator[None]:
        folder = shop.folder / "backups/shop"
        found = certificate.read(folder, certificate.newest(folder))
        own = {key: value(found) for key, value in fields.items() if key in certificate.Certificate.model_fields}
        bound = {key: value(found) for key, value in fields.items() if key not in own}
        certificate.write(folder, found.model_copy(update={"bound": found.bound.model_copy(update=bound), **own}))
        yield
        certificate.write(folder, found)

    return changed


def of_database(do: str, undo: str) -> Change:
    """Runs SQL on production, and takes it back."""

    @contextmanager
    def changed(shop: Project) -> Iterator[None]:
        write(shop, do)
        yield
        write(shop, undo)

    return changed


@contextmanager
def another_commit(shop: Project) -> Iterator[None]:
    git(shop, "commit", "--allow-empty", "-qm", "later")
    yield
    git(shop, "reset", "-q", "--hard", "HEAD~1")


@contextmanager
def another_database(shop: Project) -> Iterator[None]:
    """The address leads to a copy of production: the very same rows, but nothing that was ever backed up."""
    name = shop.production.rsplit("/", 1)[1]
    with psycopg.connect(shop.production, dbname="postgres", autocommit=True) as connection:
        copy = sql.Identifier(f"{name}_copy")
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(copy, sql.Identifier(name)))
        shop.env["DATABASE_URL"] = f"{shop.production}_copy"
        yield
        shop.env["DATABASE_URL"] = shop.production
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(copy))


def in_json(change: Callable[[dict[str, Any]], None]) -> Callable[[str], str]:
    def changed(text: str) -> str:
        found = json.loads(text)
        change(found)
        return json.dumps(found)

    return changed


MIGRATION = "shop/lessons/migrations/0002_session.py"
NEXT = """
from django.db import migrations
class Migration(migrations.Migration):
    dependencies = [("lessons", "0002_session")]
    operations = []
"""
CASES: dict[str, tuple[Change, str]] = {
    "a pending migration": (
        of_file(MIGRATION, lambda text: text + "\n# edited\n"),
        "the pending migrations' files changed since the rehearsal: lessons.0002_session was edited",
    ),
    "one migration more": (
        of_file("shop/lessons/migrations/0003_more.py", lambda _: NEXT),
        "the pending migrations' files changed since the rehearsal: lessons.0003_more is new",
    ),
    "the commit": (another_commit, "the application's commit changed since the rehearsal: {commit} → "),
    "a file": (
        of_file("shop/lessons/models.py", lambda text: text + "\n# edited\n"),
        "the application's commit changed since the rehearsal: {commit} → {commit}-dirty",
    ),
    "a file that is not committed": (
        of_file("shop/lessons/helper.py", lambda _: "COPIES = 2\n"),
        "the application's uncommitted changes changed since the rehearsal: none → ",
    ),
    "the schema": (
        of_database("ALTER TABLE lessons_teacher ADD note text", "ALTER TABLE lessons_teacher DROP note"),
        "production's schema changed since the rehearsal: column public.lessons_teacher.note is new",
    ),
    "the applied migrations": (
        of_database(
            "INSERT INTO django_migrations(app, name, applied) VALUES ('crm', '0001_initial', now())",
            "DELETE FROM django_migrations WHERE app = 'crm'",
        ),
        "the migrations that production has changed since the rehearsal: crm.0001_initial is new",
    ),
    "the database": (
        another_database,
        "production's database changed since the rehearsal: {database} → {database}_copy",
    ),
    "a file of the backup": (
        of_file("backups/shop/backups/*/dump/toc.dat", lambda text: text[:-1] + "x"),
        "is damaged: dump/toc.dat does not match the manifest",
    ),
    "the backup's manifest": (
        of_file("backups/shop/backups/*/manifest.json", lambda text: text + "\n"),
        "the backup's manifest changed since the rehearsal: ",
    ),
    "another backup": (
        of_certificate(backup=lambda found: "20200101_000000_aaaa"),
        "20200101_000000_aaaa: the manifest is missing, so this is not a backup",
    ),
    "the server": (
        of_certificate(system=lambda _: "7001"),
        "production's server (its system identifier) changed since the rehearsal: 7001 → ",
    ),
    "the server's version": (
        of_certificate(server=lambda _: "9.6"),
        "the server's version changed since the rehearsal: 9.6 → ",
    ),
    "this tool's version": (
        of_certificate(tool=lambda _: "0.0"),
        "this tool's version changed since the rehearsal: 0.0 → ",
    ),
    "the declarations": (
        of_file(
            "shop/migrations.expect.yaml", lambda _: "lessons.0002_session: [{table: lessons_lesson, lost: 9, why: x}]"
        ),
        "the declarations (migrations.expect.yaml) changed since the rehearsal: none → ",
    ),
    "the checks": (
        of_file(
            "inventory.yaml",
            lambda text: text.replace("- - check_lessons_data", "- - check_lessons_data\n          - - check"),
        ),
        "the application's checks changed since the rehearsal: check is new",
    ),
    "the way back": (of_certificate(recovery=lambda _: None), "did not prove the recovery"),
    "the clock": (
        of_certificate(expires_at=lambda found: found.issued_at + timedelta(seconds=1)),
        "does not hold: it expired at ",
    ),
    "another target": (of_certificate(target=lambda _: "crm"), "does not hold: it belongs to crm"),
    "an edited certificate": (
        of_file(
            "backups/shop/certificates/*.json", in_json(lambda found: found.update(expires_at="2099-01-01T00:00:00Z"))
        ),
        "was edited after it was issued",
    ),
    "a damaged certificate": (
        of_file("backups/shop/certificates/*.json", lambda text: text[: len(text) // 2]),
        "is damaged",
    ),
}


def test_whatever_is_bound_and_changed_is_named_and_nothing_is_promoted(project: Callable[..., Project]) -> None:
    shop = project("b")
    (shop.folder / "shop/.gitignore").write_text("__pycache__/\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "release"]):
        git(shop, *words)
    steps(shop, "clone-prod-to-test", "migrate-test", "verify")
    names = {"commit": git(shop, "rev-parse", "HEAD")[:12], "database": shop.production.rsplit("/", 1)[1]}
    before = shop.fingerprint()
    for name, (change, said) in CASES.items():
        with change(shop):
            done = shop.inv("promote", "--json", "--confirm=shop")
        assert done.code == 3, (name, done.out, done.err)
        assert said.format(**names) in done.outcome["reason"], (name, done.outcome["reason"])
        assert "inv " in done.outcome["hint"], name
        assert shop.query("SHOW default_transaction_read_only") == [("off",)], name
    assert shop.fingerprint() == before
    done = shop.inv("promote", "--json", "--confirm=shop")
    assert done.code == 0, done.out + done.err


def test_a_certificate_expires_by_the_inventory(project: Callable[..., Project]) -> None:
    shop = project("b", certificate_hours=0.0001)
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code in (3, 4), done.out + done.err
    assert "it expired at " in done.outcome["reason"]
    assert not shop.query("SELECT 1 FROM django_migrations WHERE name = '0002_session'")


def test_what_was_edited_after_the_rehearsal_is_not_certified(scene: Callable[..., Project]) -> None:
    shop = scene("rehearsed")
    path = shop.folder / MIGRATION
    path.write_text(path.read_text() + "\n# edited\n")
    done = shop.inv("verify", "--json")
    assert done.code in (3, 4), done.out + done.err
    assert "lessons.0002_session was edited" in done.outcome["reason"]
    assert shop.inv("promote", "--json", "--confirm=shop").code == 3


def test_a_clone_that_was_migrated_before_it_was_copied_proves_nothing(scene: Callable[..., Project]) -> None:
    shop = scene("rehearsed", "a")
    steps(shop, "migrate-test")
    done = shop.inv("verify", "--json")
    assert done.code == 3, done.out + done.err
    assert "the clone had changed before it was migrated" in done.outcome["reason"]
    assert "lessons_lesson is missing" in done.outcome["reason"]
    assert not list(shop.folder.glob("backups/shop/certificates/*"))


def test_a_clone_that_was_never_migrated_is_not_certified(project: Callable[..., Project]) -> None:
    shop = project("b", checks=[])
    # The second time, there is a copy of a former clone.
    for words in (["clone-prod-to-test"], ["migrate-test", "clone-prod-to-test"]):
        steps(shop, *words)
        done = shop.inv("verify", "--json")
        assert done.code == 3, done.out + done.err
        assert "was not migrated yet" in done.outcome["reason"] and "inv migrate-test" in done.outcome["hint"]
        assert not done.outcome["run"], "no run began"


def test_the_way_back_is_restored_proved_swapped_in_and_timed(scene: Callable[..., Project]) -> None:
    shop = scene("rehearsed")
    done = shop.inv("verify", "--json")
    assert done.code == 0, done.out + done.err
    folder = shop.folder / "backups/shop"
    recovery = certificate.read(folder, certificate.newest(folder)).recovery
    assert isinstance(recovery, Recovery)
    assert 0 < recovery.restored < 60 and 0 < recovery.proved < 60 and 0 < recovery.swapped < 5
    told = next(e for e in done.events if e.get("step") == "verify.write_certificate" and e["status"] == "done")
    assert "recovery proved: restored and verified in " in told["detail"] and ", swapped in 0." in told["detail"]
    stem = shop.test.rsplit("/", 1)[1]
    names = {name for (name,) in shop.query(f"SELECT datname FROM pg_database WHERE starts_with(datname, '{stem}')")}
    assert names == {stem, f"{stem}_before"}
    migrated = Project(shop.folder, shop.test, shop.test, os.environ | shop.env)
    assert migrated.query("SELECT count(*) FROM lessons_session") == [(1000,)]

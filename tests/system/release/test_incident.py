"""The incident's four variants, driven as a user would: through an inventory and ``inv release --json --confirm``."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from tests.conftest import Project
from tests.projects import VARIANTS
from tests.support.tiers import quick


@pytest.mark.parametrize(("variant", "rows", "values"), quick([("a", 1000, 1000), ("d", 500, 500)], "a"))
def test_what_loses_rows_is_refused(project: Callable[..., Project], variant: str, rows: int, values: int) -> None:
    shop = project(variant)
    before = shop.fingerprint()
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 5, done.out + done.err
    outcome = done.outcome
    assert (outcome["outcome"], outcome["exit"], outcome["target"]) == ("refused", 5, "shop")
    assert outcome["verdict"]["lost_rows"] == rows
    assert outcome["verdict"]["lost_values"] == values
    lost = {table["table"]: table for table in outcome["verdict"]["tables"] if table["verdict"] == "lost"}
    assert lost["public.lessons_lesson"]["lost"] == rows
    assert "RenameModel" in outcome["hint"]
    # The first look tells it, and leaves the proof to the rehearsal.
    look = next(e for e in done.events if e.get("step") == "hazards.look" and e["status"] == "done")
    assert variant == "d" or "DeleteModel lessons.Lesson drops 1,000 rows" in look["detail"]
    assert shop.fingerprint() == before
    assert not shop.query("SELECT 1 FROM django_migrations WHERE name = '0002_session'")


@pytest.mark.slow
def test_the_hint_of_a_refusal_leads_to_a_release(project: Callable[..., Project]) -> None:
    shop = project("a")
    models = shop.folder / "shop/lessons/models.py"
    # What is no part of the rename: the next hint has makemigrations write it.
    models.write_text(models.read_text().replace("max_length=50", "max_length=60"))
    # So that no address is in the environment of the application's own commands.
    shop.env["SHOP_DATABASE"] = shop.env.pop("DATABASE_URL")
    inventory = shop.folder / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("env:DATABASE_URL", "env:SHOP_DATABASE"))
    refused = shop.inv("scaffold-rename", "lessons", "Lesson", "Session")
    assert refused.code == 3 and "lessons.0002_session deletes Lesson with its rows" in refused.out, refused.out
    lost = shop.inv("release", "--json", "--confirm=shop")
    assert lost.code == 5, lost.out + lost.err
    hint = re.match(r"(.*?) {3}\(writes migrations.RenameModel in its place\)", lost.outcome["hint"])
    assert hint and f"Try: {hint[1]}\n" in refused.out, (lost.outcome["hint"], refused.out)
    assert f"`{hint[1].split(' && ')[1]}`" in shop.inv("hazards").out
    written = _typed(shop, hint[1])
    following = re.search(r"^Next: (.*) && inv release --target=shop$", written, re.MULTILINE)
    assert following and "makemigrations" in following[1], written
    _typed(shop, following[1])
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.query("SELECT count(*), count(session_id) FROM lessons_booking") == [(1000, 1000)]


def _typed(shop: Project, line: str) -> str:
    """What a line prints that is pasted into a shell."""
    done = subprocess.run(["bash", "-c", line], cwd=shop.folder, env=shop.env, capture_output=True, text=True)
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.slow
def test_copies_whose_links_lead_elsewhere_are_refused(project: Callable[..., Project]) -> None:
    shop = project("loop-wrong-links")
    before = shop.fingerprint()
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 5, done.out + done.err
    tables = {table["table"]: table for table in done.outcome["verdict"]["tables"]}
    assert (tables["public.lessons_lesson"]["verdict"], tables["public.lessons_lesson"]["lost"]) == ("moved", 0)
    assert (tables["public.lessons_booking"]["verdict"], tables["public.lessons_booking"]["changed"]) == (
        "changed",
        500,
    )
    assert shop.fingerprint() == before


@pytest.mark.parametrize("variant", quick(["b", "c", "loop"], "b"))
def test_what_keeps_rows_is_promoted_and_rolled_back(project: Callable[..., Project], variant: str) -> None:
    shop = project(variant)
    before = shop.fingerprint()
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert done.outcome["outcome"] == "done"
    assert shop.query("SELECT count(*), count(session_id) FROM lessons_booking") == [(1000, 1000)]
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]

    migrated = shop.fingerprint()
    back = shop.inv("rollback", "--backup=latest", "--json", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.fingerprint() == before
    assert len(shop.beside("replaced")) == 1

    undone = shop.inv("undo", "--json", "--confirm=shop")
    assert undone.code == 0, undone.out + undone.err
    assert shop.fingerprint() == migrated


@pytest.mark.slow
def test_a_second_release_has_nothing_to_do(project: Callable[..., Project]) -> None:
    shop = project("b")
    assert shop.inv("release", "--json", "--confirm=shop").code == 0
    again = shop.inv("release", "--json", "--confirm=shop")
    assert (again.code, again.outcome["outcome"]) == (0, "nothing-to-do")


@pytest.mark.slow
def test_a_wider_type_is_promoted(project: Callable[..., Project]) -> None:
    shop = project('migrations.AlterField("teacher", "name", models.TextField()),' + VARIANTS["b"])
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.query("SELECT count(*), count(name) FROM lessons_teacher") == [(10, 10)]

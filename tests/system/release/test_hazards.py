"""`inv hazards`, and the first look of a release."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Project

Make = Callable[..., Project]
STOPS = "migrations.AddField('Lesson', 'seats', models.IntegerField())"


def test_the_incident_is_told_in_words(project: Make) -> None:
    done = project("a").inv("hazards")
    assert done.code == 5, done.out + done.err
    words = "GP101 lessons.0002_session: DeleteModel lessons.Lesson drops 1,000 rows; no earlier operation reads them"
    assert words in done.out
    for word in ("Why: ", "How: ", 'migrations.RenameModel("Lesson", "Session")', "REFUSED", "Try: "):
        assert word in done.out


def test_the_incident_is_told_to_programs(project: Make) -> None:
    done = project("a").inv("hazards", "--json")
    assert done.code == 5, done.out + done.err
    first = done.events[0]
    keys = {"event", "code", "level", "migration", "operation", "table", "column", "rows", "what", "why", "how"}
    assert first.keys() == keys
    assert (first["event"], first["code"], first["level"], first["rows"]) == ("hazard", "GP101", "loss", 1000)
    assert {event["event"] for event in done.events[:-1]} == {"hazard"}
    assert (done.outcome["outcome"], done.outcome["exit"], done.outcome["run"]) == ("refused", 5, None)
    assert done.outcome["reason"].startswith("shop: hazards in 1 pending migration: ")


def test_a_rename_has_nothing_against_it(project: Make) -> None:
    done = project("b").inv("hazards", "--json")
    assert done.code == 0, done.out + done.err
    assert (done.outcome["outcome"], done.outcome["procedure"]) == ("done", "hazards")
    # A refusal names the target; here the console's own line does.
    assert done.outcome["reason"].startswith("hazards in 1 pending migration: ")
    assert not [event for event in done.events if event.get("level") in ("stop", "loss", "lock")]


def test_without_pending_migrations_there_is_nothing_to_do(project: Make) -> None:
    shop = project("b")
    shop.manage("migrate")
    done = shop.inv("hazards", "--json")
    assert (done.code, done.outcome["outcome"]) == (0, "nothing-to-do")


def test_a_release_that_can_not_succeed_ends_before_anything_runs(project: Make) -> None:
    shop = project(STOPS)
    alone = shop.inv("hazards", "--json")
    assert (alone.code, alone.events[0]["code"]) == (3, "GP201")
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 3, done.out + done.err
    steps = [(event["step"], event["status"]) for event in done.events if event["event"] == "step"]
    assert steps == [("hazards.look", "begun"), ("hazards.look", "refused")]
    assert "GP201" in done.outcome["reason"] and "nothing was changed" in done.outcome["stands"]
    assert done.outcome["hint"] == "inv hazards --target=shop"
    assert not (shop.folder / "backups/shop/backups").exists()


def test_a_folder_that_is_not_there_is_the_inventory_s_fault(project: Make) -> None:
    shop = project("b")
    (shop.folder / "shop").rename(shop.folder / "gone")
    done = shop.inv("hazards")
    assert done.code == 2 and "shop: the folder" in done.out, done.out
    assert "Try: app: {dir: " in done.out and "cd " not in done.out


def test_an_application_that_does_not_start_is_one_clear_line(project: Make) -> None:
    shop = project("b")
    (shop.folder / "shop/settings.py").write_text("raise RuntimeError('no settings today')\n")
    done = shop.inv("hazards")
    assert done.code == 4
    assert "does not start" in done.out and "Try: " in done.out and "Traceback" not in done.out + done.err

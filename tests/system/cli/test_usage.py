"""The wrong thing typed: one clear line, a way out, the right exit code, nothing changed."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.conftest import Project


def untouched(shop: Project) -> bool:
    return not (shop.folder / "backups").exists()


def test_usage(project: Callable[..., Project]) -> None:
    shop = project("b")
    for words, code, said, hint in [
        (["--dry", "release"], 2, "proves nothing", "Try: inv release --plan"),
        (["release"], 3, "no terminal to confirm it", "Try: --confirm=shop"),
        (["release", "--confirm=shap"], 3, "--confirm=shap is not the name to type", "Try: --confirm=shop"),
        (["release", "--target=shp"], 2, "shp", "Try: "),
        (["release", "--target=shop-test"], 2, "shop-test is a test target", "Try: --target=shop"),
        (["hazards", "--target=shop-test"], 2, "shop-test is a test target", "Try: --target=shop"),
        (["resume", "--target=shop-test"], 2, "shop-test is a test target", "Try: --target=shop"),
        (["salvage", "--backup=latest"], 2, "no table is named", "Try: inv recover"),
        (["release", "-i", "nowhere.yaml"], 2, "nowhere.yaml", "Try: "),
        (["rollback", "--backup=latest"], 2, "there is no backup 'latest'", "Try: inv "),
        (["rollback", "--backup=../../etc"], 2, "there is no backup", "Try: inv "),
        (["resume"], 2, "nothing to resume", "Try: inv runs"),
        (["undo", "--run=x"], 2, "there is no run 'x'", "Try: inv runs"),
        (["promote", "--confirm=shop"], 3, "no certificate", "Try: inv release"),
        (["verify"], 3, "is not a clone", "Try: inv clone-prod-to-test"),
        (["plan", "--procedure=releese"], 2, "releese", "Try: "),
    ]:
        done = shop.inv(*words)
        assert done.code == code, (words, done.out, done.err)
        assert said in done.out and hint in done.out, (words, done.out)
        assert "Traceback" not in done.out + done.err, (words, done.err)
        assert untouched(shop), words


def test_a_plan_changes_nothing(project: Callable[..., Project]) -> None:
    shop = project("b")
    for words in (["release", "--plan"], ["plan"], ["release", "--plan", "--json"]):
        done = shop.inv(*words)
        assert done.code == 0, done.out + done.err
        assert "lessons.0002_session" in done.out and "swap.sql" in done.out
    assert untouched(shop)
    assert not shop.query(f"SELECT 1 FROM pg_database WHERE datname = '{shop.test.rsplit('/', 1)[1]}'", "postgres")


@pytest.mark.parametrize("name", ["DATABASE_URL", "TEST_DATABASE_URL"])
def test_an_empty_variable_is_named(project: Callable[..., Project], name: str) -> None:
    shop = project("b")
    shop.env.pop(name)
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 2, done.out + done.err
    assert f"env:{name} is empty or missing" in done.out and f"Try: export {name}=" in done.out
    assert untouched(shop)


def test_a_test_target_that_is_production_is_refused(project: Callable[..., Project]) -> None:
    shop = project("b")
    shop.env["TEST_DATABASE_URL"] = shop.production.replace("127.0.0.1", "localhost")
    before = shop.fingerprint()
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 2, done.out + done.err
    assert "is the database of shop" in done.out
    assert shop.fingerprint() == before


def test_a_server_that_does_not_answer_is_one_line(project: Callable[..., Project]) -> None:
    shop = project("b")
    shop.env["DATABASE_URL"] = "postgresql://postgres:hidden-word@127.0.0.1:1/shop"
    done = shop.inv("backup")
    assert done.code == 4, done.out + done.err
    assert "the database does not answer" in done.out
    assert "hidden-word" not in done.out + done.err
    assert "Traceback" not in done.out + done.err


def test_a_server_that_refuses_is_not_said_to_be_away(project: Callable[..., Project]) -> None:
    shop = project("b")
    shop.env["DATABASE_URL"] = f"{shop.production}_gone"
    done = shop.inv("backup")
    assert done.code == 4, done.out + done.err
    assert "the database refuses the connection: database " in done.out and "does not exist" in done.out, done.out
    assert "does not answer" not in done.out and "Try: check user, password and database" in done.out, done.out


def test_a_role_that_is_not_there_is_not_said_to_be_an_answer_that_is_missing(project: Callable[..., Project]) -> None:
    shop = project("b")
    there = dict(shop.env)
    for name in ("DATABASE_URL", "TEST_DATABASE_URL"):
        shop.env |= there
        shop.env[name] = shop.env[name].replace("//postgres", "//nobody_here", 1)
        for words in (["status"], [], ["doctor"], ["backup"], ["clone-prod-to-test"], ["recover"], ["prune-backups"]):
            said = shop.inv(*words)
            assert "does not answer" not in said.out + said.err, (words, said.out)
    assert "test:    shop-test: its server refuses the connection: " in shop.inv("status").out


@pytest.mark.parametrize("task", ["release", "pin", "salvage", "tool.check-room"])
@pytest.mark.parametrize("words", ["{} --help", "--help {}", "{} -h"])
def test_help_says_what_each_option_is_for(project: Callable[..., Project], task: str, words: str) -> None:
    done = project("b").inv(*words.format(task).split())
    assert done.code == 0, done.out + done.err
    options = done.out.split("Options:\n")[1].split("\n  -")
    assert len(options) > 3 and all(re.search(r"  +[a-z`]", option) for option in options), done.out


def test_the_tasks_are_listed_by_what_a_user_needs(project: Callable[..., Project]) -> None:
    shop = project("b")
    (shop.folder / "tasks.py").write_text(
        "from invoke import task\nfrom ops.tasks import namespace\n"
        '@task\ndef deploy(c, where=""):\n    "Deploy the shop."\nnamespace = __import__("copy").deepcopy(namespace)\n'
        "namespace.add_task(deploy)\n"
    )
    done = shop.inv("--list")
    assert done.code == 0, done.out + done.err
    headings = re.findall(r"^(\S.*):$", done.out, re.MULTILINE)
    assert headings == ["Release", "Recovery", "Backups", "Inspection", "Setup", "Your own"]
    own = done.out.split("Your own:")[1]
    assert "  deploy " in own and "Deploy the shop." in own and "check-room" not in done.out
    wrong = shop.inv("deploy", "--wher=x")
    assert wrong.code == 2 and "Try: inv deploy --where" in wrong.out, wrong.out


@pytest.mark.parametrize(
    ("words", "tasks", "hint"),
    [
        ("backups runs", "backups, runs", "inv backups && inv runs"),
        ("plan rollback", "plan, rollback", "inv plan && inv rollback"),
        ("ship", "backup, ship", "inv backup && inv ship"),
    ],
)
def test_what_would_never_run_is_refused(project: Callable[..., Project], words: str, tasks: str, hint: str) -> None:
    shop = project("b")
    (shop.folder / "tasks.py").write_text(
        "from invoke import task\nfrom ops.tasks import namespace\n"
        'namespace = __import__("copy").deepcopy(namespace)\n'
        '@task(pre=[namespace["backup"]])\ndef ship(c):\n    "Ship it."\nnamespace.add_task(ship)\n'
    )
    done = shop.inv(*words.split())
    assert done.code == 2, done.out + done.err
    assert f"one task at a time, not {tasks}" in done.out and f"Try: {hint}" in done.out, done.out
    assert untouched(shop)


def test_the_actions_are_listed_where_they_are_asked_for(project: Callable[..., Project]) -> None:
    shop = project("b")
    assert "  release " in (listed := shop.inv("--list").out) and "check-room" not in listed
    assert "tool.check-room " in (done := shop.inv("tools")).out and done.code == 0
    assert {"tool.check-room"} < {event["name"] for event in shop.inv("tools", "--json").events}
    assert ".check-room " in shop.inv("--list", "tool").out
    done = shop.inv("tool.check-rom", "--target=shop")
    assert done.code == 2 and "Try: inv tool.check-room" in done.out, done.out


@pytest.mark.parametrize("words", ["--list", "release --help"])
def test_whoever_has_read_enough_of_a_list_sees_no_fault(project: Callable[..., Project], words: str) -> None:
    shop = project("b")
    line = f"{sys.executable} -m invoke {words} | head -n 1"
    done = subprocess.run(["sh", "-c", line], cwd=shop.folder, env=shop.env, capture_output=True, text=True)
    assert done.stdout.strip() and done.stderr == ""


def test_variables_with_passwords_are_not_shown_on_a_terminal(project: Callable[..., Project]) -> None:
    shop = project("b")
    leader, follower = pty.openpty()
    words = shop.command("environment")
    done = subprocess.run(words, cwd=shop.folder, env=shop.env, stdout=follower, stderr=subprocess.PIPE, text=True)
    said = os.read(leader, 65536).decode()
    os.close(leader)
    os.close(follower)
    assert done.returncode == 2 and done.stderr == "", (said, done.stderr)
    assert 'Try: eval "$(inv environment --target=shop)"' in said and "postgresql://" not in said, said
    line = 'eval "$(inv environment --target=shop)" && test -n "$SHOP_URL" && rm -r "$(dirname "$PGSERVICEFILE")"'
    assert subprocess.run(["bash", "-c", line], cwd=shop.folder, env=shop.env).returncode == 0

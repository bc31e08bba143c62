"""The commands and messages of the pages are those of the tool.

What is run: the tutorials, as a whole, on the embedded demo (slow), and the how-to pages (``test_how_to.py``). What is
only parsed: each other call of ``inv`` on a page, in a block or in prose. Its task and flags exist and have help; that
it does what the page says is shown by other tests.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from invoke.exceptions import ParseError
from invoke.parser import Parser, ParserContext

from ops.infra.postgres.embedded_server import Server
from ops.tasks import namespace
from tests.documentation.pages import DOCS, ROOT, Command, calls, commands, pages, quoted

PAGES = pages("tutorial", "how-to", "explanation", "reference", ".")
# What a page may call a task with, and what is no call: a name of many, or words behind a command.
MANY = re.compile(r"^(TASK|COMMAND|tool\.NAME|TASK --help|tools)\b")


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> list[ParserContext]:
    monkeypatch.setattr(sys, "argv", ["pytest", "tool"])
    return namespace.to_contexts()


def wrong(words: list[str], contexts: list[ParserContext]) -> str:
    """What Invoke says of a call; empty where it takes it. What follows a task in prose is no part of the call."""
    core = ParserContext(args=[])
    try:
        found = Parser(initial=core, contexts=contexts).parse_argv(list(words))
    except ParseError as error:
        missing = "did not receive required positional arguments" in str(error)
        return "" if missing else str(error)
    return "" if len(found) == 2 else f"{len(found) - 1} tasks"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_each_call_is_one_of_a_task_with_its_flags(page: Path, contexts: list[ParserContext]) -> None:
    found = {" ".join(words): wrong(words, contexts) for words in calls(page) if not core_option(words)}
    assert {call: said for call, said in found.items() if said and not MANY.match(call)} == {}


def core_option(words: list[str]) -> bool:
    """Whether a call is one of Invoke's own options: ``inv --list``."""
    return not words or words[0].startswith("-")


def test_a_call_that_is_none_is_found(contexts: list[ParserContext]) -> None:
    assert "No idea what" in wrong(["relase"], contexts)
    assert "No idea what" in wrong(["release", "--freeez"], contexts)
    assert wrong(["release", "--target=shop", "--plan"], contexts) == ""


def constants() -> Iterator[str]:
    """Every text of the code; one with placeholders is the texts between them."""
    for path in (ROOT / "ops").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    for path in [*(ROOT / "ops").rglob("*.sql"), *(ROOT / "ops").rglob("*.sh")]:
        yield path.read_text("utf-8")


# Names in headings that are no message: keys of the inventory, files, commands and options.
NO_MESSAGE = re.compile(r"^(inv .*|--[\w-]+=?|[\w.-]+\.(yaml|md|toml)|[a-z_]+|CREATE INDEX CONCURRENTLY)$")


def test_each_message_that_a_heading_quotes_is_one_of_the_code() -> None:
    """Where a message was reworded, its heading (in docs/how-to or docs/troubleshooting.md) has to follow."""
    known = "\0".join(constants())
    missing = {
        f"{page.name}: {message}"
        for page in PAGES
        for message in quoted(page)
        if not NO_MESSAGE.match(message)
        for part in re.split("…|[0-9][0-9,]*", message)
        if len(part.strip(" :;,.()")) > 3 and part.strip(" :;,.()") not in known
    }
    assert missing == set(), "a heading quotes what no text of ops says: reword it"


def same(shown: str, printed: str) -> bool:
    """Whether a line of a page is one that was printed: numbers, ids and times may be others."""
    return plain(shown) == plain(printed)


def plain(line: str) -> str:
    line = re.sub(r"\d{8}_\d{6}_[0-9a-f]{4}", "RUN", line)
    line = re.sub(r"less than |\d[\d,.:]*( ?(ms|min|s|kB|MB|h|d))?", "N", line)
    return re.sub(r"N( N)+", "N", " ".join(line.split()))


def check_output(command: Command, printed: list[str]) -> None:
    """Hold what a page shows against what was printed: each line in its order, anything where the page has ⋮."""
    rest = list(printed)
    for line in command.output:
        if line.strip() in ("⋮", ""):
            continue
        place = next((number for number, one in enumerate(rest) if same(line, one)), None)
        assert place is not None, f"{command.text}: not printed (here): {line}\n" + "\n".join(printed)
        rest = rest[place + 1 :]


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """What the tutorials need of a fresh clone, in git, and the environment of an activated `.venv`."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("demo", "ops"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("inventory.yaml", "tasks.py", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path / name)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(tmp_path), "COLUMNS": "500"}
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.invalid"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "demo"]):
        subprocess.run([*git, *words], cwd=tmp_path, env=env, check=True)
    yield tmp_path, env
    Server(tmp_path).stop()


# The German page has the code of an English one (tests/scripts/test_translations.py).
TUTORIALS = [page for page in pages("tutorial") if page.stem != "schnellstart"]
# Done by the fixture, in another way.
SET_UP = {"make setup", "source .venv/bin/activate"}
EXITS = re.compile(r"echo \$\?")


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
@pytest.mark.timeout(900)
def test_a_tutorial_runs_as_it_stands(page: Path, checkout: tuple[Path, dict[str, str]]) -> None:
    folder, env = checkout
    given = [command for command in commands(page) if command.text not in SET_UP]
    for place, command in enumerate(given):
        if EXITS.match(command.text):
            continue
        done = subprocess.run(
            ["bash", "-c", command.text], cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        behind = given[place + 1] if place + 1 < len(given) else None
        expected = int(behind.output[0]) if behind and EXITS.match(behind.text) else 0
        assert done.returncode == expected, command.text + "\n" + done.stdout + done.stderr
        check_output(command, (done.stdout + done.stderr).splitlines())

"""Every command of the how-to pages runs, in the page's order, on a project that is in the state that the page is for.

``tests/documentation/how_to_blocks.py`` says which state that is, and names what can't be run by a test. A command has
to exit with 0, or with the code that the page names.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ops.tasks import namespace
from tests.documentation.how_to_blocks import BLOCKS, Block, State
from tests.documentation.pages import Command, blocks, pages
from tests.support.project import Project, psql_env

PAGES = pages("how-to")
EXITS = re.compile(r"echo \$\?")
# A backup, or the database that a rollback has kept.
NAME = re.compile(r"(shop_replaced_)?\d{8}_\d{6}_[0-9a-f]{4}")
# Installed where the encryption is used; without it the block's other commands show little.
PROGRAMS = {"age-keygen": "age-keygen (apt-get install age)"}


@dataclass(frozen=True)
class Step:
    """One command, the exit code that the page names, and what a person does before it."""

    text: str
    code: int = 0
    before: Callable[[Project], object] | None = None


@dataclass
class Chain:
    """Commands that run one after the other in one project."""

    page: str
    state: State
    steps: list[Step] = field(default_factory=list)


def steps(block: Block, commands: list[Command]) -> Iterator[Step]:
    """The commands of a block that are run; ``echo $?`` shows the code of the one before it."""
    for number, command in enumerate(commands):
        if EXITS.match(command.text) or number in block.left_out:
            continue
        behind = commands[number + 1] if number + 1 < len(commands) else None
        shown = int(behind.output[0]) if behind and EXITS.match(behind.text) else 0
        yield Step(command.text, block.codes.get(number, shown), block.before.get(number))


def chains() -> Iterator[Chain]:
    """Everything that is run."""
    for page in PAGES:
        open_chain: Chain | None = None
        for block, commands in zip(BLOCKS.get(page.stem, []), blocks(page), strict=False):
            found = list(steps(block, commands))
            if block.why_not:
                continue
            if block.state and block.each:
                yield from (Chain(page.stem, block.state, [step]) for step in found)
            elif block.state:
                if open_chain:
                    yield open_chain
                open_chain = Chain(page.stem, block.state, found)
            elif open_chain:
                open_chain.steps += found
        if open_chain:
            yield open_chain


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_block_is_listed_with_its_state(page: Path) -> None:
    listed = [block.first for block in BLOCKS.get(page.stem, [])]
    assert [without_comment(commands[0].text) for commands in blocks(page)] == listed, (
        "add the block to tests/documentation/how_to_blocks.py, in the page's order"
    )
    named = {code for block in BLOCKS.get(page.stem, []) for code in block.codes.values()}
    text = page.read_text("utf-8")
    assert [code for code in named if f"exits with {code}" not in text] == []


def test_no_page_is_listed_that_is_not_there() -> None:
    assert set(BLOCKS) <= {page.stem for page in PAGES}


def without_comment(text: str) -> str:
    return re.sub(r"\s+# .*", "", text)


class Operator:
    """A person who types a page's commands, with the names of this project instead of the page's."""

    def __init__(self, shop: Project) -> None:
        self.shop, self.folder, self.env = shop, shop.folder, dict(shop.env)
        self.database = shop.production.rsplit("/", 1)[1]

    def named(self, text: str) -> str:
        """The command with the newest backup, the kept database and the databases that are there."""
        kept = self.shop.beside("replaced")
        ids = sorted(path.name for path in self.shop.folder.glob("backups/shop/backups/*"))
        text = NAME.sub(lambda found: kept[-1] if found[1] else ids[-1], text)
        if text.startswith(("psql", "createdb", "pg_restore")):
            text = re.sub(r"\bshop(?=\b|_before|_restored)(?!_order)", self.database, text)
        return text.replace("shop_order", "lessons_booking")

    def type(self, step: Step) -> None:
        """Type a command; it has to end with its code."""
        text = self.named(without_comment(step.text))
        word, _, rest = text.partition(" ")
        if word == "cd":
            self.folder = self.folder / rest
        elif word == "export":
            # The page's address is nobody's; this project's own is set already, or is in libpq's variables.
            names = {part.partition("=")[0] for part in rest.split()}
            assert names <= {"DATABASE_URL", "PGHOST", "PGUSER"}, text
            self.env |= psql_env(self.shop.production) if "PGHOST" in names else {}
        elif word == "inv":
            done = replace(self.shop, env=self.env).inv(*confirmed(shlex.split(rest), self.shop))
            assert done.code == step.code, f"{text}\n{done.out}{done.err}"
        else:
            text += " --yes" if word == "generalprobe" else ""
            self.run(text, step.code)

    def run(self, text: str, code: int) -> None:
        """Run a command that is not ``inv`` in a shell."""
        if (program := text.split()[0]) in PROGRAMS and shutil.which(program, path=self.env["PATH"]) is None:
            pytest.skip(f"needs {PROGRAMS[program]}")
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, f"{text}\n{done.stdout}{done.stderr}"


def confirmed(words: list[str], shop: Project) -> list[str]:
    """A call with the name that a person would type at its question."""
    task = next(found for found in namespace.to_contexts() if found.name == words[0])
    if "confirm" not in task.args or "--plan" in words or any(word.startswith("--confirm") for word in words):
        return words
    return [*words, f"--confirm={words[1] if words[0] == 'discard-replaced' else 'shop'}"]


CHAINS = list(chains())


@pytest.mark.slow
@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: f"{chain.page}: {chain.steps[0].text.split(' #')[0][:40]}")
def test_the_commands_of_a_page_run(
    chain: Chain, scene: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.setenv("COLUMNS", "200")
    operator = Operator(chain.state(scene))
    for step in chain.steps:
        if step.before:
            step.before(operator.shop)
        if step.text.startswith("git "):
            # In the application's repository.
            operator.folder = operator.shop.folder / "shop"
        operator.type(step)

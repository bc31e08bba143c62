"""What a call of ``inv`` loads, starts and collects: a person waits for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project

# Slow to load, 20 to 140 ms each.
SLOW = {"apprise", "asyncssh", "cryptography", "django", "fabric", "jinja2", "obstore", "paramiko"}
SLOW |= {"psycopg", "pydantic", "pyrage", "rich", "ruamel"}
# The packages that each call needs of them.
NEEDS = {
    "--list": set(),
    "statsu": set(),
    "status --taregt=shop": set(),
    "release --help": set(),
    "runs": {"pydantic", "ruamel"},
    "backups": {"pydantic", "ruamel"},
    "status": {"psycopg", "pydantic", "ruamel"},
    "": {"psycopg", "pydantic", "ruamel"},
}
# Writes at the very end, since it is registered before everything else is.
AT_THE_END = """
import atexit, gc, json, subprocess, sys

started = []
make = subprocess.Popen.__init__

def record(self, words, *args, **kwargs):
    started.append([str(word) for word in words])
    make(self, words, *args, **kwargs)

def write():
    found = {"modules": sorted(sys.modules), "started": started, "frozen": gc.get_freeze_count(),
             "collections": sum(one["collections"] for one in gc.get_stats())}
    with open(__file__ + ".json", "w") as file:
        json.dump(found, file)

subprocess.Popen.__init__ = record
atexit.register(write)
"""


@dataclass
class Call:
    """What a process of ``inv`` loaded and started, and how often it collected garbage."""

    modules: set[str]
    started: list[list[str]]
    collections: int
    frozen: int

    @property
    def packages(self) -> set[str]:
        return {name.partition(".")[0] for name in self.modules}


@pytest.fixture
def call(tmp_path: Path) -> Callable[[Project, str], Call]:
    """Calls ``inv`` in a process of its own."""
    folder = tmp_path / "at_the_end"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(AT_THE_END)

    def made(shop: Project, words: str) -> Call:
        path = os.pathsep.join([str(folder), shop.env["PYTHONPATH"]])
        done = Project(shop.folder, shop.production, shop.test, shop.env | {"PYTHONPATH": path}).process(*words.split())
        assert done.code in (0, 2), done.out + done.err
        found: dict[str, Any] = json.loads((folder / "sitecustomize.py.json").read_text())
        return Call(set(found.pop("modules")), **found)

    return made


@pytest.mark.parametrize("words", NEEDS)
def test_a_call_loads_only_what_it_needs(
    scene: Callable[..., Project], call: Callable[[Project, str], Call], words: str
) -> None:
    found = call(scene("backed_up"), words)
    assert found.packages & SLOW == NEEDS[words]
    assert "ops.cli.all_actions" not in found.modules
    assert "ops.recovery.salvage.resolve" not in found.modules


def test_a_call_searches_for_garbage_neither_while_it_loads_nor_at_its_end(
    scene: Callable[..., Project], call: Callable[[Project, str], Call]
) -> None:
    found = call(scene("backed_up"), "status")
    # Python and Invoke alone collect 50 times until our first module is loaded, and ours would 90 times more.
    assert found.collections < 90
    assert found.frozen > 10_000


@pytest.mark.parametrize("name", ["backed_up", "released", "interrupted"])
def test_status_starts_no_application_and_queries_each_server_once_for_each_answer(
    scene: Callable[..., Project], call: Callable[[Project, str], Call], name: str
) -> None:
    shop = scene(name)
    started = call(shop, "status").started
    assert [words for words in started if "manage.py" in words] == []
    queries = [(words[-1], Path(words[-2]).name) for words in started if words[0] == "psql"]
    assert len(queries) == len(set(queries)), queries
    assert len(queries) <= (3 if name != "interrupted" else 8), queries

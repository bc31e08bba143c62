"""How the code is cut: names, lengths of files and functions, sizes of folders."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

OPS = Path(__file__).resolve().parents[2] / "ops"
MODULES = sorted(file for file in OPS.rglob("*.py"))

LONGEST_FILE, LONGEST_FUNCTION, LARGEST_FOLDER = 400, 40, 20
# Every feature may have its own.
SHARED_NAMES = {"__init__", "actions", "catalog", "request"}

# Of verbs whose past participle has no ending of its own.
IRREGULAR = {
    "bound",
    "built",
    "chosen",
    "done",
    "fit",
    "found",
    "gone",
    "held",
    "kept",
    "left",
    "made",
    "meant",
    "put",
    "said",
    "seen",
    "sent",
    "set",
    "told",
}


def named(file: Path) -> str:
    return file.relative_to(OPS).as_posix()


def over(found: dict[str, int], limit: int) -> dict[str, int]:
    return {name: size for name, size in found.items() if size > limit}


def test_files_are_short() -> None:
    sizes = {named(file): len(file.read_text("utf-8").splitlines()) for file in MODULES}
    assert over(sizes, LONGEST_FILE) == {}


def test_functions_are_short() -> None:
    sizes = {
        f"{named(file)} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for file in MODULES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert over(sizes, LONGEST_FUNCTION) == {}


def test_folders_are_small() -> None:
    sizes = Counter(file.parent.relative_to(OPS).as_posix() for file in MODULES)
    assert over(dict(sizes), LARGEST_FOLDER) == {}


def test_no_two_modules_have_the_same_name() -> None:
    times = Counter(file.stem for file in MODULES if file.stem not in SHARED_NAMES)
    assert {name for name, count in times.items() if count > 1} == set()


def test_no_module_is_named_by_a_past_participle() -> None:
    names = {file.stem for file in MODULES}
    assert {name for name in names if name.endswith("ed") or name in IRREGULAR} == set()


def test_files_are_written_in_one_way() -> None:
    """What is written by itself is as readable as the umask lets it be, and half of it where it is cut off."""
    own = re.compile(r"\.write_(text|bytes)\(")
    assert [named(file) for file in MODULES if own.search(file.read_text("utf-8"))] == []


def test_only_infra_opens_connections() -> None:
    """It says who we are, what a session begins with, and redacts what a server says; the others are handed one."""
    own = re.compile(r"psycopg\.connect\(")
    found = [named(file) for file in MODULES if own.search(file.read_text("utf-8"))]
    assert [name for name in found if not name.startswith("infra/")] == []


PACKAGES = [file for file in MODULES if file.stem == "__init__"]
TEXTS = {file: ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "" for file in PACKAGES}


def test_every_package_says_what_it_contains_and_where_to_begin() -> None:
    assert [named(file) for file, text in TEXTS.items() if not re.search("Begin with|begin with", text)] == []


def test_where_to_begin_is_there() -> None:
    """Each name is a module or package of that package; a class may come behind it: ``session.Session``."""
    missing = []
    for file, text in TEXTS.items():
        for sentence in re.findall(r"egin with (.*?)(?:[.;](?: |$)|$)", " ".join(text.split())):
            for name in re.findall("``([a-z_.A-Z]+)``", sentence):
                path = file.parent.joinpath(*(part for part in name.split(".") if part.islower()))
                if not (path.with_suffix(".py").is_file() or path.is_dir()):
                    missing.append(f"{named(file)}: {name}")
    assert missing == []

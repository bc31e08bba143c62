"""What is typed, and what stands in the environment: one clear line, a way out, and no way into a shell or into SQL."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from invoke.exceptions import ParseError
from invoke.parser import Parser
from invoke.parser.context import ParserContext
from invoke.program import Program

from ops.cli.namespace.usage_errors import mistake
from ops.cli.options import Options, open_session
from ops.cli.run import start
from ops.cli.runbooks import pages
from ops.core.errors import OpsError, UsageError
from ops.engine.command import Query, Shell, show
from ops.engine.database_names import beside, named
from ops.infra.postgres.client import parts_of, service_file
from ops.infra.session.session import Session
from ops.inventory.load import load
from ops.procedures.catalog import PROCEDURES
from ops.procedures.planning.bind import bind
from ops.procedures.planning.page_inputs import Page, variables
from ops.tasks import namespace
from tests.fuzz.mutated import NASTY, answer, quick, said
from tests.fuzz.test_files import INVENTORY, home  # noqa: F401
from tests.support import tiers
from tests.support.examples import examples

plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
typed = st.sampled_from([word for word in NASTY if "\0" not in word]) | plain
CONTEXTS = namespace.to_contexts()
NAMES = [str(context.name) for context in CONTEXTS]
FLAGS = sorted({flag for context in CONTEXTS for flag in context.flags})


# --- the command line


def parsed(words: list[str]) -> ParseError | None:
    """Invoke's own opinion of a command line."""
    program = Program()
    core = ParserContext(args=[*program.core_args(), *program.task_args()])
    try:
        rest = Parser(initial=core, ignore_unknown=True).parse_argv(list(words)).unparsed
        Parser(initial=core, contexts=CONTEXTS).parse_argv(list(rest))
    except ParseError as error:
        return error
    return None


@settings(quick, max_examples=examples(150))
@given(
    task=st.sampled_from(NAMES) | typed,
    words=st.lists(st.sampled_from(FLAGS) | st.sampled_from(FLAGS).map(lambda flag: f"{flag}=x") | typed, max_size=3),
)
@example(task="release", words=["--target=a", "--target=b"])
@example(task="rollback", words=[])
def test_any_command_line_that_invoke_refuses_has_a_line_and_a_way_out(task: str, words: list[str]) -> None:
    error = parsed([task, *words])
    if error is not None:
        what, hint = mistake(error, [task, *words], NAMES)
        assert what and hint.startswith("inv")
        assert "<Argument" not in what


@pytest.mark.parametrize(
    ("words", "said_so", "hint"),
    [
        (["relaese"], "there is no task 'relaese'", "inv release"),
        (["release", "--targt=x"], "inv release: there is no flag --targt", "inv release --target"),
        (["salvage"], "inv salvage: --backup is missing", "inv salvage --backup=latest"),
        (["release", "--target"], "inv release: --target needs a value", "inv release --target=VALUE"),
        (["release", "--target=a", "--target=b"], "--target was given twice", "inv release --target=VALUE"),
        (["release", "extra"], "'extra' is not the value of a flag", "inv release --help"),
    ],
)
def test_what_was_probably_meant(words: list[str], said_so: str, hint: str) -> None:
    error = parsed(words)
    assert error is not None
    what, way_out = mistake(error, words, NAMES)
    assert said_so in what and way_out.startswith(hint)


@settings(quick, max_examples=examples(20))
@given(target=typed, procedure=typed, backup_id=typed, confirm=typed)
def test_any_value_of_a_flag(home: Path, target: str, procedure: str, backup_id: str, confirm: str) -> None:  # noqa: F811
    options = Options(target=target, confirm=confirm, reason=confirm)
    code, _ = said(lambda given: start("rollback", given, backup_id), options)
    assert code in (2, 4)
    assert said(lambda given: start(procedure, given), options)[0] in (2, 4)
    if procedure and procedure != "inventory.yaml":
        assert said(lambda given: start("backup", given), Options(inventory=procedure))[0] == 2
    assert sorted(os.listdir(home)) == ["inventory.yaml"]


def test_bytes_that_are_no_text(home: Path) -> None:  # noqa: F811
    odd = b"\xff\xfe".decode(errors="surrogateescape")
    for options in (Options(target=odd), Options(inventory=odd), Options(confirm=odd)):
        assert said(lambda given: start("rollback", given, odd), options)[0] in (2, 4)


# --- addresses and the environment

PARTS = st.fixed_dictionaries(
    {"user": typed, "password": typed, "dbname": typed, "host": st.sampled_from(["127.0.0.1", "::1", "/tmp"])}
)


def keyworded(parts: dict[str, str]) -> str:
    """A keyword string as libpq reads it."""
    escaped = {key: value.replace("\\", "\\\\").replace("'", "\\'") for key, value in parts.items()}
    return " ".join(f"{key}='{value}'" for key, value in escaped.items()) + " port='1'"


@quick
@given(url=typed | PARTS.map(keyworded))
@example(url="postgresql://u:%ff@h/d")
@example(url="service=other dbname=x")
@example(url=keyworded({"user": "u", "password": "a\n[shop-test]\nhost=evil", "dbname": "x", "host": "h"}))
def test_any_address_is_used_whole_or_refused(home: Path, url: str) -> None:  # noqa: F811
    session = Session(load(home / "inventory.yaml"), {"FUZZ_URL": url})
    found = answer(lambda: session.url("shop"))
    if isinstance(found, OpsError):
        assert isinstance(found, UsageError)
        return
    parts = parts_of(url)
    first, *rest = service_file({"shop": url}).rstrip("\n").split("\n")
    assert first == "[shop]"
    assert dict(line.split("=", 1) for line in rest) == parts
    password = parts.get("password", "")
    assert len(password) <= 3 or password not in session.redact(f"x {url} {password} y")


ENVIRONMENTS: list[dict[str, str]] = [
    {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
    {"PYTHONIOENCODING": "ascii"},
    {"OPS_INVENTORY": "x" * 5000},
    {"OPS_INVENTORY": "\udcff"},
    {"HOME": "", "PATH": "", "TERM": "", "COLUMNS": "x"},
    {"TMPDIR": "/nowhere"},
    {"FUZZ_URL": "\udcff://"},
    {"FUZZ_URL": "postgresql://u:p@127.0.0.1:1/\udcff"},
]


@pytest.mark.parametrize("env", tiers.quick(ENVIRONMENTS, ENVIRONMENTS[0]))
def test_any_environment(home: Path, env: dict[str, str]) -> None:  # noqa: F811
    import sys

    (home / "tasks.py").write_text("from ops.tasks import namespace\n__all__ = ['namespace']\n")
    root = str(Path(__file__).parents[2])
    for words in (["status"], ["rollback", "--backup=\udcff", "--reason=ü…"]):
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *words],
            cwd=home, env=os.environ | {"PYTHONPATH": root} | env, capture_output=True, timeout=60,
        )  # fmt: skip
        shown = (done.stdout + done.stderr).decode(errors="replace")
        assert "Traceback" not in shown and "an internal error" not in shown, shown
        assert done.returncode in (0, 2, 3, 4), shown


# --- names


@settings(quick, max_examples=examples(200))
@given(name=plain, kind=st.sampled_from(["replaced", "spare", "restored", "before"]), other=plain)
@example(name="x" * 63, kind="replaced", other="x" * 40)
@example(name="é" * 31, kind="replaced", other="")
def test_a_name_beside_any_other_fits_and_is_known_again(name: str, kind: str, other: str) -> None:
    run = "20261124_021500_a1b2"
    made = named(name, kind, run)
    assert len(made.encode()) <= 63 and made.endswith(run)
    assert beside(made, name, kind) and not beside(made, name, "roundtrip")
    assert not beside(other, name, kind) or other.endswith(run[-4:])


# --- what a page shows


def check_words(script: str, folder: Path, env: dict[str, str] | None = None) -> None:
    """bash must read it, and run nothing that is not meant."""
    done = subprocess.run(["bash", "-n"], input=script.encode(), cwd=folder, env=env, capture_output=True)
    assert done.returncode == 0, done.stderr.decode() + script


@settings(max_examples=examples(15), deadline=None, suppress_health_check=list(HealthCheck))
@given(store=typed, folder=typed, word=typed)
@example(store="a b; touch pwned", folder="-", word="$(touch pwned)")
@example(store="|touch pwned", folder="`touch pwned`", word="'; touch pwned; '")
def test_a_page_of_any_inventory_can_be_pasted(home: Path, store: str, folder: str, word: str) -> None:  # noqa: F811
    import json

    target = {
        "database": "env:FUZZ_URL", "store": store, "test": "shop-test", "checks": [[word]], "deploy": ["echo", word],
        "app": {"dir": folder, "manage": ["python", word], "env": {"X": word}},
    }  # fmt: skip
    tests = {"shop-test": {"database": "env:FUZZ_TEST_URL"}}
    content = {"all": {"children": {"production": {"hosts": {"shop": target}}, "test": {"hosts": tests}}}}
    (home / "inventory.yaml").write_text(json.dumps(content))
    session = answer(lambda: open_session(Options()))
    if isinstance(session, OpsError):
        return
    for page in pages(session, "shop").values():
        blocks = re.findall(r"^```bash(?: undo)?\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        check_words("\n".join(blocks), home)
    # The lines that set variables run as they stand, with nothing there to list.
    for made in PROCEDURES.values():
        lines = variables(bind(Page(session, "shop"), made), made)
        script = "\n".join(lines).replace("git rev-parse HEAD", "true")
        subprocess.run(["bash"], input=script.encode(), cwd=home, capture_output=True, timeout=20)
    assert not list(home.rglob("pwned")) and not Path("pwned").exists()


@quick
@given(name=typed)
def test_a_query_on_a_database_of_any_name_is_one_word(name: str) -> None:
    shell = Query("swap.sql", "shop", name, {"live": name, "aside": name}).shell()
    shown = show(Shell(("printf", "%s\\n", *shell.words), ""))
    if "\ue000" in name:
        return
    done = subprocess.run(["bash", "-c", shown], capture_output=True, env={"OPS_SQL": "x", "PATH": os.environ["PATH"]})
    words: list[Any] = [word.replace("\ue000OPS_SQL\ue001", "x") for word in map(str, shell.words)]
    assert done.stdout.decode() == "".join(f"{word}\n" for word in words)

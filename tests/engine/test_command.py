"""Commands: what is shown is pasted into a real bash, and what arrives there is compared with what was meant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from ops.engine.command import (
    Fact,
    Query,
    Secret,
    Shell,
    Tool,
    Word,
    conninfo,
    facts,
    fill,
    placeholder,
    quote,
    reveal,
    show,
    targets,
)
from tests.support.examples import examples

SEES = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]))"
PYTHON: tuple[Word, ...] = (sys.executable, "-ISc", SEES)
PLACEHOLDERS = "\ue000\ue001"
NASTY = ["", "-n", "~", "*", "a b", "$HOME", "`id`", "'", '"', "\\", "\n", "!", "#", "é", "$(id)", "${X}", "a=b", "\r"]

text = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_characters="\0" + PLACEHOLDERS, exclude_categories=["Cs"]), max_size=12),
)
names = st.from_regex(r"OPS_[A-Z]{1,5}", fullmatch=True)
quick = settings(max_examples=examples(40), deadline=None)


def bash(script: str, env: Mapping[str, str] | None = None, folder: Path | None = None) -> str:
    done = subprocess.run(
        ["bash", "-c", script], env={"PATH": os.environ["PATH"], **(env or {})}, cwd=folder, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@quick
@given(words=st.lists(text, max_size=30), env=st.dictionaries(names, text, max_size=4))
@example(words=NASTY, env={})
def test_words_and_environment_arrive_unchanged(words: list[str], env: dict[str, str]) -> None:
    argv, _, environ = json.loads(bash(show(Shell((*PYTHON, *words), "", env=env))))
    assert argv == words
    assert {name: environ[name] for name in env} == env


@settings(quick, max_examples=examples(25))
@given(folder=text, file=text)
@example(folder="a 'b' \"c\" $d `e` \\ !", file="&1")
def test_folder_and_output_are_taken_literally(
    tmp_path_factory: pytest.TempPathFactory, folder: str, file: str
) -> None:
    root = tmp_path_factory.mktemp("root")
    folder, file = (kind + name.replace("/", "_") for kind, name in (("d", folder), ("f", file)))
    (root / folder).mkdir()
    assert bash(show(Shell(PYTHON, "", folder=folder, output=file)), folder=root) == ""
    assert json.loads((root / file).read_text())[1] == str(root / folder)


@quick
@given(words=st.lists(st.tuples(text, st.none() | names, text), max_size=12), value=text)
@example(words=[(word, "OPS_X", word) for word in NASTY], value="* $HOME `id` \\ \"'\n")
def test_the_page_and_the_program_fill_in_the_same_words(words: list[tuple[str, str | None, str]], value: str) -> None:
    meant = [before + (placeholder(name) if name else "") + after for before, name, after in words]
    known = {name: value for _, name, _ in words if name}
    shell = Shell((*PYTHON, *meant), "", env={"OPS": "".join(meant)})
    argv, _, environ = json.loads(bash(show(shell), known))
    expected = [before + (value if name else "") + after for before, name, after in words]
    assert argv == expected
    assert environ["OPS"] == "".join(expected)
    filled = fill(shell, known)
    assert list(filled.words[len(PYTHON) :]) == expected
    assert filled.env == {"OPS": "".join(expected)}


@settings(quick, max_examples=examples(15))
@given(value=text)
@example(value="two words * $HOME")
def test_a_fact_is_a_whole_word(value: str) -> None:
    shell = Shell((*PYTHON, "a", Fact("ROWS"), "b"), "", env={"OPS_ROWS": Fact("ROWS")})
    argv, _, environ = json.loads(bash(show(shell), {"ROWS": value}))
    assert argv == ["a", value, "b"] == list(fill(shell, {"ROWS": value}).words[len(PYTHON) :])
    assert environ["OPS_ROWS"] == value


def test_a_word_is_quoted_once_and_only_where_it_must_be() -> None:
    assert show(Shell(("git", "log", "--format=%H"), "")) == "git log --format=%H"
    assert show(Shell(("ls", "it's"), "", folder="a b", output="c d")) == """(cd 'a b' && ls 'it'"'"'s') > 'c d'"""
    assert quote(Fact("ROWS")) == '"$ROWS"'
    assert quote(f"a$ {placeholder('RUN')}") == '"a\\$ ${RUN}"'
    assert reveal(f"in {placeholder('RUN')}") == "in $RUN"


# --- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "leak",
    [
        str,
        "{}".format,
        lambda s: f"{s}",
        lambda s: f"{s:>9}",
        lambda s: "%s" % s,  # noqa: UP031
        lambda s: s + "x",
        lambda s: "x" + s,
        lambda s: "".join([s]),
        lambda s: "".join(s),
        json.dumps,
        lambda s: json.dumps({"url": s}),
        list,
        "x".__contains__,
        bytes,
    ],
)
def test_a_secret_is_never_text(leak) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError):
        leak(Secret("shop"))


def test_a_secret_shows_its_target_and_holds_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_URL", "postgresql://user:hunter2@host/shop")
    secret = Secret("shop")
    assert repr(secret) == f"{secret!r}" == "Secret('shop')"
    assert not hasattr(secret, "__dict__")
    assert secret == Secret("shop") != Secret("other")
    assert len({secret, Secret("shop")}) == 1


def test_a_secret_travels_by_environment_only() -> None:
    shell = Shell(PYTHON, "shop", env={"DATABASE_URL": Secret("lessons-test.eu")})
    assert 'DATABASE_URL="$LESSONS_TEST_EU_URL"' in show(shell)
    value = "postgresql://user:a b*$HOME'\"@host/db"
    argv, _, environ = json.loads(bash(show(shell), {"LESSONS_TEST_EU_URL": value}))
    assert (argv, environ["DATABASE_URL"]) == ([], value)
    assert fill(shell, {}).env == {"DATABASE_URL": Secret("lessons-test.eu")}


# --- queries, tools --------------------------------------------------------------------------------------------------


def test_a_query_is_a_call_of_psql() -> None:
    query = Query("swap.sql", "shop", "it's", {"live": "a b", "aside": ""}, output="rows.txt")
    assert fill(query.shell(), {"OPS_SQL": "/sql"}) == Shell(
        (
            "psql",
            "-XqAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-v",
            "live=a b",
            "-v",
            "aside=",
            "-f",
            "/sql/swap.sql",
            "service=shop dbname='it\\'s'",
        ),
        "shop",
        output="rows.txt",
    )
    assert Query("swap.sql", "shop").shell().words[-1] == "service=shop"
    assert '-f "${OPS_SQL}/swap.sql"' in show(query)


@given(text)
@example("it's")
@example("back\\slash' x=y")
def test_conninfo_is_read_back_by_libpq(value: str) -> None:
    assert conninfo_to_dict(f"host=h dbname={conninfo(value)} port=1") == {"host": "h", "dbname": value, "port": "1"}
    connection = Query("swap.sql", "shop", value).shell().words[-1]
    assert conninfo_to_dict(str(connection)).get("dbname", "") == value


def test_a_tool_is_shown_as_the_task_that_does_the_same() -> None:
    assert show(Tool("check-app", {"database_of": "a b"})) == "inv tool.check-app '--database-of=a b'"
    assert list(targets(Tool("check-app"))) == []


def test_facts_and_targets_of_a_command() -> None:
    shell = Shell(("a", Fact("ROWS")), "shop", env={"X": Fact("SIZE"), "URL": Secret("other")})
    assert list(facts(shell)) == ["ROWS", "SIZE"]
    assert list(targets(shell)) == ["shop", "other"]
    assert list(targets(Query("swap.sql", "shop"))) == ["shop"]

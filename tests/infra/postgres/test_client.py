"""PostgreSQL: which tools are taken, what libpq reads in a service file, and what the tools' own errors say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from string import whitespace
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from ops.core.errors import UsageError
from ops.infra.postgres.client import (
    Tools,
    choose,
    installed,
    json_lines,
    said_error,
    service_file,
    unreached,
    without_values,
    write_services,
)
from ops.infra.postgres.embedded_server import Server
from ops.infra.postgres.session_settings import Pins
from tests.support.examples import examples


def tools(*majors: int) -> list[Tools]:
    return [Tools(major, Path(f"/pg/{major}/bin")) for major in majors]


# --- tools -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("have", "source", "destination", "taken"),
    [
        ([17], 17, 17, 17),
        ([14, 16, 17], 14, 17, 14),
        ([17, 14, 16], 15, 16, 16),
        ([14, 16, 17], 13, 14, 14),
        ([16, 18], 16, 17, 16),
        ([18], 12, 18, 18),
    ],
)
def test_the_oldest_tools_that_read_the_source_are_taken(
    have: list[int], source: int, destination: int, taken: int
) -> None:
    assert choose(tools(*have), source, destination, "shop").major == taken


@pytest.mark.parametrize(
    ("have", "source", "destination", "message", "hint"),
    [
        (
            [],
            17,
            17,
            "shop: the server is PostgreSQL 17, and pg_dump must not be older; installed versions: none",
            "apt-get install postgresql-client-17",
        ),
        ([16, 14], 17, 17, "installed versions: 14, 16", "apt-get install postgresql-client-17"),
        ([14, 17], 15, 16, "shop: the dump needs tools of version 17,", "apt-get install postgresql-client-15"),
        ([16, 17], 17, 16, "cannot restore to a server of version 16", "a test server of PostgreSQL 17 or newer"),
    ],
)
def test_tools_that_do_not_fit_are_refused_with_a_way_out(
    have: list[int], source: int, destination: int, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        choose(tools(*have), source, destination, "shop")
    assert message in caught.value.message
    assert caught.value.hint.startswith(hint)


def program(major: int) -> str:
    return f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {major}.3 (Debian {major}.3-1)'\n"


def test_only_complete_sets_of_tools_count(tmp_path: Path) -> None:
    for name, major, programs in (("a", 98, 3), ("b", 97, 3), ("c", 96, 2), ("d", 98, 3)):
        (tmp_path / name).mkdir()
        for file in ("psql", "pg_dump", "pg_restore")[:programs]:
            (tmp_path / name / file).write_text(program(major))
            (tmp_path / name / file).chmod(0o755)
    found = installed(":".join(str(tmp_path / name) for name in ("a", "b", "c", "d", "nowhere")) + ":")
    assert [tool.major for tool in found] == sorted(tool.major for tool in found)
    assert found[-2:] == [Tools(97, tmp_path / "b"), Tools(98, tmp_path / "a")]
    assert 96 not in [tool.major for tool in found]


# --- services --------------------------------------------------------------------------------------------------------


def libpq(path: Path, service: str) -> dict[str, str]:
    """What libpq itself reads of a service."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGSERVICEFILE", str(path))
        patch.setenv("PGSERVICE", service)
        return {option.keyword.decode(): option.val.decode() for option in pq.Conninfo.get_defaults() if option.val}


# A service file knows no line breaks (such addresses are refused), and libpq cuts off white space at the end of a line.
passwords = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(passwords.filter(lambda password: password == password.rstrip(whitespace)))
@settings(max_examples=examples(60), deadline=None)
@example("p@ss:w/ord?#[]%25")
@example("  'quoted' \\ back=slash # no comment; [section]")
@example("ünïcode€")
def test_libpq_reads_in_a_service_what_stood_in_the_url(
    tmp_path_factory: pytest.TempPathFactory, password: str
) -> None:
    url = f"postgresql://us%40er:{quote(password, safe='')}@db.example.com:6543/my%20shop?sslmode=require"
    path = tmp_path_factory.getbasetemp() / "services"
    path.write_text(service_file({"other": "host=elsewhere", "shop": url, "last": "dbname=x"}))
    found = libpq(path, "shop")
    assert found["password"] == password
    assert {key: found[key] for key in conninfo_to_dict(url)} == conninfo_to_dict(url)
    assert (found["user"], found["dbname"], found["port"]) == ("us@er", "my shop", "6543")


def test_each_target_has_its_own_service(tmp_path: Path) -> None:
    path = tmp_path / "services"
    path.write_text(service_file({"shop": "host=a dbname=shop", "shop-test": "postgresql:///test?host=/run/pg"}))
    assert libpq(path, "shop")["host"] == "a"
    assert (libpq(path, "shop-test")["host"], libpq(path, "shop-test")["dbname"]) == ("/run/pg", "test")


def test_a_password_that_is_too_long_for_a_line_stands_in_a_file_of_its_own(tmp_path: Path) -> None:
    password = "a:\\b" * 375
    given = {"shop": f"host=127.0.0.1 port=1 user=u dbname=d password='{password.replace(chr(92), chr(92) * 2)}'"}
    write_services(tmp_path, given, {"shop": Pins()})
    lines = (tmp_path / "services").read_text().splitlines()
    assert max(map(len, lines)) < 1000 and password not in lines
    found = libpq(tmp_path / "services", "shop")
    assert found["passfile"] == str(tmp_path / "password-0")
    assert (tmp_path / "password-0").stat().st_mode & 0o077 == 0
    # libpq looks a password up in its file when a connection begins, and then says which it would use.
    started = pq.PGconn.connect_start(f"host=127.0.0.1 port=1 user=u dbname=d passfile='{found['passfile']}'".encode())
    assert started.password.decode() == password


# --- what programs print ---------------------------------------------------------------------------------------------

LOCKED = "canceling statement due to lock timeout"
NULLS = 'column "x" of relation "y" contains null values'
CHAINED = (
    "\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n"
)
REFUSED = 'connection to server at "127.0.0.1", port 1 failed: Connection refused'
SAID = [
    ('database "shop" does not exist', "psql:/ops/sql/swap.sql:7: ERROR:  {}\nCONTEXT:  SQL statement\n"),
    (
        'password authentication failed for user "shop"',
        'psql: error: connection to server at "10.0.0.1", port 5432 failed: FATAL:  {}\n',
    ),
    (REFUSED, "psql: error: {}\n\tIs the server running on that host and accepting TCP/IP connections?\n"),
    (LOCKED, "NOTICE:  table does not exist, skipping\npsql:a.sql:1: ERROR:  {}\n"),
    ("could not write to file", "psql: error: connection to server failed: PANIC:  {}\n"),
    ("aborting because of server version mismatch", "pg_dump: error: {}\npg_dump: detail: server version: 18.0\n"),
    (
        "permission denied for table orders",
        "pg_dump: error: query failed: ERROR:  {}\npg_dump: detail: Query was: LOCK TABLE public.orders\n",
    ),
    (
        'relation "orders" already exists',
        "pg_restore: while PROCESSING TOC:\npg_restore: from TOC entry 215; 1259 16386 TABLE orders shop\n"
        "pg_restore: error: could not execute query: ERROR:  {}\nCommand was: CREATE TABLE public.orders (\n",
    ),
    (LOCKED, f"psycopg.errors.LockNotAvailable: {{}}{CHAINED}django.db.utils.OperationalError: {{}}\n"),
    (NULLS, f"psycopg.errors.NotNullViolation: {{}}{CHAINED}django.db.utils.IntegrityError: {{}}\nDETAIL:  …\n"),
    ("Conflicting migrations detected; multiple leaf nodes", "CommandError: {}\n"),
    ("No module named 'django'", '  File "manage.py", line 3, in <module>\nModuleNotFoundError: {}\n'),
    ("django.core.exceptions.ImproperlyConfigured: no settings", "Traceback (most recent call last):\n{}\n"),
    ("sh: 1: deploy: not found", "{}\n\n"),
    ("", ""),
    ("", "\n \n"),
]


@pytest.mark.parametrize(("said", "stderr"), SAID)
def test_the_line_that_says_what_went_wrong_is_found(said: str, stderr: str) -> None:
    assert said_error(stderr.replace("{}", said)) == said


def test_a_real_psql_that_reaches_nobody_says_so() -> None:
    psql = str(installed("")[-1].folder / "psql")
    done = subprocess.run([psql, "host=127.0.0.1 port=1"], capture_output=True, text=True, env={"LC_ALL": "C"})
    assert said_error(done.stderr) == REFUSED


def test_a_real_traceback_says_so() -> None:
    done = subprocess.run([sys.executable, "-c", "raise ValueError('no such lesson')"], capture_output=True, text=True)
    assert said_error(done.stderr) == "no such lesson"


def test_json_lines_are_picked_from_what_psql_printed() -> None:
    assert json_lines('BEGIN\n{"a" : 1}\n\n[1]\n{"b" : "ü", "c" : null}\nCOMMIT\n') == [{"a": 1}, {"b": "ü", "c": None}]
    assert json_lines("") == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("DETAIL:  Key (session_key)=(abc(1)) already exists.", "DETAIL:  Key (session_key)=(…) already exists."),
        ("DETAIL:  Key (id, at)=(5, 2024-01-02) exists.", "DETAIL:  Key (id, at)=(5, 2024-01-02) exists."),
        (
            "DETAIL:  Key (id)=(0e1b6e52-5c1f-4b5f-8b52-3a53aa0ba3ad) is not present.",
            "DETAIL:  Key (id)=(0e1b6e52-5c1f-4b5f-8b52-3a53aa0ba3ad) is not present.",
        ),
        ("ERROR:  x\nDETAIL:  Failing row contains (1, a (b), c).", "ERROR:  x\nDETAIL:  Failing row contains (…)."),
        ('CONTEXT:  COPY t, line 3, column v: "a "b""', "CONTEXT:  COPY t, line 3, column v: …"),
        ("nothing of the kind (1)=(a)", "nothing of the kind (1)=(a)"),
    ],
)
def test_values_of_rows_are_taken_out_of_what_a_server_says(said: str, kept: str) -> None:
    assert without_values(said) == kept


def test_a_restore_has_the_pins_and_what_makes_it_quick(tmp_path: Path) -> None:
    """By a service of its own: libpq hears no PGOPTIONS where the service has options."""
    pins = Pins()
    text = service_file({"shop": "host=a options='-c endpoint=b'"}, {"shop": pins})
    usual, restoring = (part.split("options=")[1].strip() for part in text.split("[shop")[1:])
    assert restoring.startswith(f"{usual} -c synchronous_commit=off") and usual.startswith("-c endpoint=b -c ")
    pins.kept.clear()
    bare = service_file({"shop": "host=a"}, {"shop": pins})
    assert "options" not in bare and "[shop.restore]" in bare


@pytest.mark.parametrize(
    ("role", "statement", "how"),
    [
        ("", "SELECT 1/0;", "reports an error: division by zero"),
        ("", "SELECT pg_terminate_backend(pg_backend_pid());", "does not answer: "),
        ("nobody_here", "SELECT 1;", "refuses the connection: "),
    ],
)
def test_a_server_that_answers_with_an_error_is_not_said_to_be_away(
    server: Server, tmp_path: Path, role: str, statement: str, how: str
) -> None:
    (tmp_path / "asked.sql").write_text(statement)
    url = server.url("postgres").replace("//postgres", f"//{role or 'postgres'}", 1)
    words = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", str(tmp_path / "asked.sql"), url]
    done = subprocess.run(words, env={"PATH": str(server.bin), "LC_ALL": "C"}, capture_output=True, text=True)
    assert unreached(done.stderr)[0].startswith(how), done.stderr

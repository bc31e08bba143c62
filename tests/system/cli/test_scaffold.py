"""`inv scaffold-rename` on real applications: its files are released, keep every row, and can be taken back."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ops.core.errors import Refused
from ops.core.new_files import NewFile, write_new
from ops.infra.postgres.embedded_server import Server
from tests.conftest import Project, project_env
from tests.renames import KINDS, LINKS, MANY, NAMES, Shape, asked_now, edit_models, write_rename

pytestmark = pytest.mark.slow

Make = Callable[[Shape], Project]
TABLE = {'"Alte Stunden"': "lessons_session"}
NO_TABLE = {'        db_table = "Alte Stunden"\n': ""}


@pytest.fixture
def school(tmp_path: Path, server: Server, make_database: Callable[..., str]) -> Make:
    """Makes a project of a shape whose production is filled and at its first migrations."""

    def make(shape: Shape) -> Project:
        folder = tmp_path / "project"
        production = make_database("shop")
        test = production.replace("_shop", "_test")
        write_rename(folder, shape)
        shop = Project(folder, production, test, project_env(server, production, test))
        shop.manage("makemigrations", "--verbosity=0")
        shop.manage("migrate", "--verbosity=0")
        shop.query(shape.fill)
        return shop

    return make


def answers(shop: Project, asks: list[str]) -> list[list[tuple[Any, ...]]]:
    return [shop.query(ask) for ask in asks]


def scaffold(shop: Project, *words: str) -> str:
    done = shop.inv("scaffold-rename", "lessons", "Lesson", "Session", *words)
    assert done.code == 0, done.out + done.err
    return done.out


def migrations(shop: Project, app: str = "lessons") -> list[str]:
    return sorted(path.stem for path in (shop.folder / f"shop/{app}/migrations").glob("0*.py"))


def release(shop: Project) -> None:
    shop.manage("makemigrations", "--check", "--dry-run")
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 0, done.outcome


def copy_of(shop: Project, make_database: Callable[..., str]) -> Project:
    """The project on a copy of its production."""
    url = make_database("copy", shop.production.rsplit("/", 1)[1].split("?")[0])
    return replace(shop, production=url, env=shop.env | {"DATABASE_URL": url})


def manage_fails(shop: Project, *words: str) -> str:
    done = subprocess.run(
        ["python", "manage.py", *words], cwd=shop.folder / "shop", env=shop.env, capture_output=True, text=True
    )
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr


# Fields whose names were changed with the model's, before the tool was called.
FIELDS = {"    lesson = ": "    session = ", '("lesson", "course")': '("session", "course")'}
COLUMNS = {"lesson_id": "session_id"}


@dataclass(frozen=True)
class Case:
    """One way to rename: what the models say besides, and what that changes in a query."""

    shape: Shape
    words: tuple[str, ...]
    edits: dict[str, str] = field(default_factory=dict)
    asks: dict[str, str] = field(default_factory=dict)
    edited_first: bool = False


CASES = {
    "copy-links": Case(LINKS, ("--copy",), FIELDS, COLUMNS, edited_first=True),
    "copy-names": Case(NAMES, ("--copy",), NO_TABLE, TABLE),
    "copy-many": Case(MANY, ("--copy",)),
    "copy-kinds": Case(KINDS, ("--copy",)),
    "rename-links": Case(LINKS, (), FIELDS, COLUMNS, edited_first=True),
    "rename-names": Case(NAMES, ()),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_released_and_taken_back(school: Make, make_database: Callable[..., str], name: str) -> None:
    case = CASES[name]
    shop = school(case.shape)
    before = answers(shop, list(case.shape.asks))
    if case.edited_first:
        edit_models(shop.folder, case.shape, case.edits)
        assert "In the models" not in scaffold(shop, *case.words)
    else:
        assert "class Lesson becomes class Session" in scaffold(shop, *case.words)
        edit_models(shop.folder, case.shape, case.edits)
    release(shop)
    copy = copy_of(shop, make_database)
    assert advanced(answers(shop, asked_now(case.shape, case.asks))) == before
    copy.manage("migrate", "lessons", "0001")
    assert advanced(answers(copy, list(case.shape.asks))) == before


@pytest.mark.parametrize("words", [("--copy",), ()], ids=["copy", "rename"])
def test_a_new_database_takes_them(school: Make, make_database: Callable[..., str], words: tuple[str, ...]) -> None:
    """As the application's own tests do: all migrations of all apps, in an order that is Django's to choose."""
    shop = school(LINKS)
    scaffold(shop, *words)
    edit_models(shop.folder, LINKS)
    replace(shop, env=shop.env | {"DATABASE_URL": make_database("empty")}).manage("migrate", "--verbosity=0")
    shop.manage("makemigrations", "--check", "--dry-run")


def advanced(found: list[list[tuple[Any, ...]]]) -> list[list[tuple[Any, ...]]]:
    """A sequence that was asked is one further: take that away."""
    return [[(rows[0][0] - 1,)] if len(rows) == 1 and len(rows[0]) == 1 else rows for rows in found]


def written(shop: Project, shape: Shape) -> None:
    """The four migrations, with the models edited."""
    scaffold(shop, "--copy")
    edit_models(shop.folder, shape)


def test_a_copy_that_was_killed_goes_on(school: Make) -> None:
    shop = school(MANY)
    before = answers(shop, list(MANY.asks))
    written(shop, MANY)
    shop.manage("migrate", "lessons", "0002")
    shop.query(
        "create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(3); return null; end $$;"
        "create trigger slow before insert on lessons_session for each statement execute function slow()"
    )
    words = ["python", "manage.py", "migrate", "lessons", "0003"]
    process = subprocess.Popen(words, cwd=shop.folder / "shop", env=shop.env)
    deadline = time.monotonic() + 60
    while not shop.query("select 1 from lessons_session limit 1"):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert shop.query("select count(*) from lessons_session") == [(10_000,)]
    shop.query("select pg_terminate_backend(pid) from pg_stat_activity where query like 'INSERT%'")
    shop.query("drop trigger slow on lessons_session")
    assert "[ ] 0003" in shop.manage("showmigrations", "lessons")
    shop.manage("migrate")
    assert advanced(answers(shop, asked_now(MANY))) == before


FEW = replace(MANY, fill=MANY.fill.replace("26000", "52"))


def test_the_guard_refuses_what_would_be_lost_and_the_way_back_loses_nothing(school: Make) -> None:
    shop = school(FEW)
    before = answers(shop, list(FEW.asks))
    written(shop, FEW)
    shop.manage("migrate", "lessons", "0004")
    shop.query("update lessons_booking set lesson_id = null where lesson_id = 7")
    for damage, said, mended in [
        ("delete from lessons_session where id = 7", "1 rows of lessons_lesson have no equal row in lessons_session "
         "(keys: 7)", "insert into lessons_session select * from lessons_lesson where id = 7"),
        ("update lessons_lesson set title = '' where id < 3", "2 rows of lessons_lesson have no equal row in "
         "lessons_session (keys: 1, 2)", "update lessons_lesson set title = 'Stunde ' || id where id < 3"),
        ("create table extra(id bigint constraint leads references lessons_lesson)", "leads of extra",
         "drop table extra"),
        ("create view seen as select title from lessons_lesson", "view seen", "drop view seen"),
    ]:  # fmt: skip
        shop.query(damage)
        error = manage_fails(shop, "migrate", "lessons")
        assert "CommandError: Lesson is not deleted" in error and said in error, error
        assert shop.query("select count(*) from lessons_lesson") == [(50,)]
        shop.query(mended)
    shop.query("delete from lessons_session where id = 7")
    # What the message tells to type.
    shop.manage("migrate", "lessons", "0002_create_session")
    shop.manage("migrate", "lessons")
    assert answers(shop, asked_now(FEW))[0] == before[0]
    # On the way back, what the new release has written comes along, whether Lesson was deleted or not.
    row = "with new as (insert into lessons_session(title) values ('neu') returning id)"
    row += " insert into lessons_booking(lesson_id) select id from new returning lesson_id"
    fresh = [shop.query(row)[0][0]]
    shop.manage("migrate", "lessons", "0004")
    fresh.append(shop.query(row)[0][0])
    shop.manage("migrate", "lessons", "0003")
    shop.manage("migrate", "lessons", "0001")
    assert shop.query("select id, title from lessons_lesson order by id") == before[0] + [(id, "neu") for id in fresh]
    assert shop.query("select lesson_id from lessons_booking order by id desc limit 2") == [(fresh[1],), (fresh[0],)]
    assert shop.query("insert into lessons_lesson(title) values ('') returning id")[0][0] > fresh[1]


REFUSED = """
from django.db import models
class Lesson(models.Model):
    title = models.CharField(max_length=100)
class Session(models.Model):
    pass
class Person(models.Model):
    pass
class Pupil(Person):
    pass
class Shadow(Pupil):
    class Meta:
        proxy = True
class Seen(models.Model):
    class Meta:
        managed = False
class Old(models.Model):
    class Meta:
        db_table = "lessons_new"
"""


def test_what_is_refused(tmp_path: Path, server: Server) -> None:
    nowhere = "postgresql://nobody:hidden-word@127.0.0.1:1/shop"
    shop = Project(tmp_path / "project", nowhere, nowhere, project_env(server, nowhere, nowhere))
    write_rename(shop.folder, Shape({"lessons": REFUSED}, "", ()))
    shop.manage("makemigrations", "--verbosity=0")
    for words, code, said, hint in [
        (("lesons", "Lesson", "Hour"), 2, "there is no app 'lesons'; near: lessons", "inv scaffold-rename APP"),
        (("lessons", "Leson", "Hour"), 2, "have no model 'Leson'; near: Lesson", "lessons OLD Hour"),
        (("lessons", "Lesson", "Session"), 2, "Lesson and Session both exist in the migrations", "lessons Lesson NEW"),
        (("lessons", "Lesson", "lesson"), 2, "differ only in upper and lower case", "lessons Lesson NEW"),
        (("lessons", "Lesson", "class"), 2, "'class' is no valid model name", "lessons Lesson NEW"),
        (("lessons", "Shadow", "Hour"), 3, "lessons.Shadow is a proxy", "rename it in models.py"),
        (("lessons", "Seen", "Hour"), 3, "not managed by Django", "rename it in models.py"),
        (("lessons", "Person", "Human"), 3, "lessons.Pupil inherits from lessons.Person", "OneToOneField"),
        (("lessons", "Old", "New", "--copy"), 3, "the table lessons_new, which is the table of Old", "Meta.db_table"),
        (("auth", "Group", "Band", "--plan"), 3, "auth needs a new migration, and the", "an app of your project"),
    ]:  # fmt: skip
        done = shop.inv("scaffold-rename", *words)
        assert done.code == code, (words, done.out, done.err)
        assert said in done.out and hint in done.out.split("Try: ")[1], (words, done.out)
        assert "Traceback" not in done.out + done.err and "hidden-word" not in done.out + done.err
        assert migrations(shop) == ["0001_initial"]


def test_a_plan_writes_nothing_and_a_second_call_neither(tmp_path: Path, server: Server) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/shop"
    shop = Project(tmp_path / "project", nowhere, nowhere, project_env(server, nowhere, nowhere))
    write_rename(shop.folder, MANY)
    shop.manage("makemigrations", "--verbosity=0")
    assert "migrations.RenameModel(" in scaffold(shop, "--plan")
    assert migrations(shop) == ["0001_initial"]
    done = shop.inv("scaffold-rename", "lessons", "Lesson", "Session", "--copy", "--plan", "--json")
    assert [event["event"] for event in done.events] == ["scaffold", "outcome"]
    assert len(done.events[0]["files"]) == 4 and "refuse_unless_copied" in done.events[0]["files"][3]["text"]
    assert migrations(shop) == ["0001_initial"]
    scaffold(shop)
    again = shop.inv("scaffold-rename", "lessons", "Lesson", "Session")
    assert again.code == 2 and "no model 'Lesson'" in again.out and "Session exists" in again.out, again.out
    assert migrations(shop) == ["0001_initial", "0002_rename_lesson_session"]


@pytest.mark.parametrize("there", [0, 1, 2])
@pytest.mark.parametrize("seen", [True, False])
def test_all_files_or_none(tmp_path: Path, there: int, seen: bool) -> None:
    """Also where the one in the way came after the first look, as a dangling link does."""
    files = [NewFile(tmp_path / f"{n}.py", f"text {n}") for n in range(3)]
    if seen:
        files[there].path.write_text("mine")
    else:
        files[there].path.symlink_to("nowhere")
    with pytest.raises(Refused, match="exists already"):
        write_new("shop", files)
    assert [path.name for path in tmp_path.iterdir()] == [f"{there}.py"]
    assert not seen or files[there].path.read_text() == "mine"

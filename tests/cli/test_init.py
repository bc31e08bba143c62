"""`generalprobe init`: what it finds in projects of several shapes, what it writes, and what it never does."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from ops.cli.init.discovery import in_words
from ops.cli.init.entry import run
from ops.cli.init.manage_file import find_manage
from ops.cli.init.project_python import find_python
from ops.cli.init.settings_probe import ask_settings
from ops.core.errors import Refused, UsageError
from ops.engine.render import template
from ops.inventory.load import load
from ops.inventory.targets import Inventory
from tests.cli.made_up_projects import SHAPES, write_classes, write_project
from tests.support.fork_server import launcher

# Nothing listens there, so the doctor fails at once, and says so.
SEPARATE = SHAPES["separate"].partition('"default": ')[2].rpartition("}")[0]
NOWHERE = "postgresql://keeper:hunter2word@127.0.0.1:9/shop"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new user's folder: no variable of a database is set, and nothing is known in the home."""
    for name in [name for name in os.environ if name.startswith(("DATABASE", "TEST_DATABASE", "RAILWAY", "DJANGO"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    # An active environment, whose Python starts quickly.
    quick = tmp_path / "environment/bin/python"
    quick.parent.mkdir(parents=True)
    quick.symlink_to(launcher().folder / "python")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "environment"))
    made = tmp_path / "shop"
    made.mkdir()
    monkeypatch.chdir(made)
    return made


def files(folder: Path) -> set[str]:
    found = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(folder)) for path in found}


def printed(folder: Path, out: str) -> Inventory:
    """The inventory that was printed."""
    (folder / "printed.yaml").write_text(out.split("# inventory.yaml\n")[1].split("# tasks.py\n")[0])
    return load(folder / "printed.yaml")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_project_with_an_address_in_a_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_project(folder, "url")
    before = files(folder)
    monkeypatch.setenv("DATABASE_URL", NOWHERE)
    assert run(["init", "--yes"], folder) == 4
    assert files(folder) - before == {"tasks.py", "inventory.yaml", ".gitignore"}
    found = load(folder / "inventory.yaml")
    shop, test = found.target("shop"), found.test_of(found.target("shop"))
    assert shop.app is not None
    assert (str(shop.database), shop.app.dir, shop.app.database_env) == ("env:DATABASE_URL", ".", "DATABASE_URL")
    assert shop.app.env == {}
    # No test database is known: one beside production is proposed, and its address is nobody else's to read.
    assert str(test.database) == "file:~/.config/generalprobe/shop-test-url"
    address = found.path(test.database.value)
    assert address.read_text() == NOWHERE.replace("/shop", "/shop_test") + "\n"
    assert (mode(address), mode(address.parent)) == (0o600, 0o700)
    assert (folder / ".gitignore").read_text() == "/backups/\n"
    out = capsys.readouterr().out
    assert "the settings read its address from DATABASE_URL" in out
    assert "127.0.0.1:9" in out and out.rstrip().splitlines()[-1].startswith("Next: ")
    assert "hunter2word" not in out + (folder / "inventory.yaml").read_text()


@pytest.mark.parametrize(
    ("shape", "variable"), [("url", "DATABASE_URL"), ("other name", "SHOP_DB_URL"), ("broken", "SHOP_DB_URL")]
)
def test_the_variable_of_the_settings_is_found(
    folder: Path, capsys: pytest.CaptureFixture[str], shape: str, variable: str
) -> None:
    write_project(folder, shape)
    assert run(["init", "--yes", "--stdout"], folder) == 0
    said = capsys.readouterr()
    assert f"database_env: {variable}" in said.out
    assert f"database: env:{variable}" in said.out and "database: env:TEST_DATABASE_URL" in said.out
    assert ("the settings do not load (" in said.err) is (shape == "broken")


@pytest.mark.parametrize("shape", ["separate", "guarded", "sqlite"])
def test_settings_that_take_no_address_get_a_module_that_does(
    folder: Path, capsys: pytest.CaptureFixture[str], shape: str
) -> None:
    write_project(folder, shape)
    assert run(["init", "--yes", "--stdout"], folder) == 0
    out = capsys.readouterr().out
    app = printed(folder, out).target("shop").app
    assert app is not None and app.database_env == "GENERALPROBE_DATABASE_URL"
    assert app.env == {"DJANGO_SETTINGS_MODULE": "generalprobe_settings"}
    assert "# generalprobe_settings.py\n" in out and "p@ss" not in out
    assert files(folder) == {"manage.py", "shop/settings.py", "printed.yaml"}


@pytest.mark.parametrize("named", ["", "Production"])
@pytest.mark.parametrize("database", ["dj_database_url.config()", SEPARATE])
def test_settings_that_are_classes(
    folder: Path, capsys: pytest.CaptureFixture[str], named: str, database: str
) -> None:
    write_classes(folder, database, named)
    assert run(["init", "--yes", "--database=env:NONE_YET", "--test-database=env:NONE_EITHER"], folder) == 4
    assert "settings shop.settings:Production\n" in capsys.readouterr().out
    app = load(folder / "inventory.yaml").target("shop").app
    own = database == SEPARATE
    env = {"DJANGO_SETTINGS_MODULE": "generalprobe_settings"} if own else {}
    env |= {} if named else {"DJANGO_CONFIGURATION": "Production"}
    variable = "GENERALPROBE_DATABASE_URL" if own else "DATABASE_URL"
    assert app is not None and (app.env, app.database_env) == (env, variable)
    found = ask_settings(Path(sys.executable), folder / "manage.py", {**os.environ, **env, variable: NOWHERE})
    assert (found.parts["dbname"], found.parts["port"], found.error) == ("shop", "9", "")


def test_a_class_of_the_settings_is_chosen(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_classes(folder, "dj_database_url.config()")
    assert run(["init", "--yes", "--stdout", "--configuration=Dev"], folder) == 0
    assert "settings shop.settings:Dev\n" in capsys.readouterr().err
    with pytest.raises(UsageError, match="--configuration: it should be the name of a class"):
        run(["init", "--yes", "--stdout", "--configuration=a b"], folder)


def test_an_address_that_only_the_application_understands(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With libpq's scheme the settings would take another engine, so the variable can't be used."""
    write_project(folder, "by scheme")
    monkeypatch.setenv("DATABASE_URL", NOWHERE.replace("postgresql:", "postgis:"))
    assert run(["init", "--yes", "--stdout"], folder) == 0
    target = printed(folder, capsys.readouterr().out).target("shop")
    assert target.app is not None and target.app.database_env == "GENERALPROBE_DATABASE_URL"
    assert str(target.database) == "file:~/.config/generalprobe/shop-url"


def test_the_module_changes_the_database_and_nothing_else(folder: Path) -> None:
    write_project(folder, "separate")
    given = {"module": "shop.settings", "configuration": "", "variable": "GENERALPROBE_DATABASE_URL"}
    text = template("settings.py.j2").render(given)
    (folder / "generalprobe_settings.py").write_text(text)
    address = "postgresql://a%40b:c%2Fd@copy.invalid:6000/the%20copy?application_name=x&sslmode=disable"
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "generalprobe_settings", "GENERALPROBE_DATABASE_URL": address}
    found = ask_settings(Path(launcher().python), folder / "manage.py", env)
    assert found.error == "" and found.engine == "django.db.backends.postgresql"
    assert found.parts == {
        **{"dbname": "the copy", "user": "a@b", "password": "c/d", "host": "copy.invalid", "port": "6000"},
        "sslmode": "disable",
    }


def test_what_is_to_be_committed_is_told_by_repository(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beside = write_project(folder.parent / "code", "sqlite")
    for place in (folder, beside):
        (place / ".git").mkdir()
    run(["init", "--yes"], folder)
    told = [line.split(maxsplit=2)[2] for line in capsys.readouterr().out.splitlines() if "to commit" in line]
    assert told == ["git -C ../code add generalprobe_settings.py", "git add inventory.yaml tasks.py .gitignore"]


def test_the_database_of_the_settings_is_kept_in_a_private_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_project(folder, "separate")
    run(["init", "--yes"], folder)
    found = load(folder / "inventory.yaml")
    production, test = found.target("shop"), found.target("shop-test")
    assert found.path(production.database.value).read_text() == (
        "postgresql://keeper:p%40ss%3Aw%2Frd@db.invalid:5433/shop?sslmode=require\n"
    )
    assert "/shop_test?sslmode=require" in found.path(test.database.value).read_text()
    assert mode(found.path(production.database.value)) == 0o600
    said = capsys.readouterr()
    written = "".join((folder / name).read_text() for name in files(folder) if not name.startswith("shop/"))
    assert "w/rd" not in said.out + said.err + written and "w%2Frd" not in said.out + said.err + written


def test_another_project_with_the_same_name_keeps_its_address(folder: Path) -> None:
    write_project(folder, "separate")
    other = folder.parent / "home/.config/generalprobe/shop-url"
    other.parent.mkdir(parents=True)
    other.write_text("postgresql://other/db\n")
    run(["init", "--yes"], folder)
    assert other.read_text() == "postgresql://other/db\n"
    assert str(load(folder / "inventory.yaml").target("shop").database) == "file:~/.config/generalprobe/shop-url-2"


@pytest.mark.parametrize("place", ["src", "../code", ".."])
def test_manage_is_found_in_and_beside_the_folder(folder: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    at = (folder / place).resolve()
    write_project(at, "url", "config.settings")
    (folder / ".venv/lib").mkdir(parents=True)
    (folder / ".venv/pyvenv.cfg").touch()
    (folder / ".venv/lib/manage.py").write_text("execute_from_command_line")
    assert run(["init", "--yes", "--stdout"], folder) == 0
    assert f"dir: {place} " in capsys.readouterr().out


def test_a_virtual_environment_is_found(folder: Path) -> None:
    own = folder / "venv/bin/python"
    own.parent.mkdir(parents=True)
    own.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    own.chmod(0o755)
    found = find_python(folder, {"PATH": os.environ["PATH"]})
    assert found is not None and found[0] == own
    assert in_words(own, folder, folder) == "venv/bin/python"
    assert in_words(Path("/opt/python"), folder, folder) == "/opt/python"


def test_nothing_is_overwritten(folder: Path) -> None:
    write_project(folder, "url")
    (folder / "tasks.py").write_text("mine\n")
    with pytest.raises(Refused, match="is not Generalprobe's"):
        run(["init", "--yes"], folder)
    (folder / "tasks.py").unlink()
    (folder / ".gitignore").write_text("*.pyc")
    (folder / ".gitignore").chmod(0o640)
    run(["init", "--yes"], folder)
    assert (folder / ".gitignore").read_text() == "*.pyc\n/backups/\n"
    assert mode(folder / ".gitignore") == 0o640
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    with pytest.raises(Refused, match="exist already"):
        run(["init", "--yes"], folder)
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before


def test_only_what_is_missing_is_added(folder: Path) -> None:
    write_project(folder, "url")
    run(["init", "--yes"], folder)
    (folder / "tasks.py").unlink()
    (folder / "inventory.yaml").write_text((folder / "inventory.yaml").read_text() + "# mine\n")
    assert run(["init"], folder) == 4
    assert (folder / "inventory.yaml").read_text().endswith("# mine\n")
    assert "from ops.tasks import namespace" in (folder / "tasks.py").read_text()


def test_a_package_of_the_project_that_would_hide_ours(folder: Path) -> None:
    write_project(folder, "url")
    (folder / "ops").mkdir()
    (folder / "ops/__init__.py").touch()
    with pytest.raises(Refused, match="would hide") as refused:
        run(["init", "--yes"], folder)
    assert refused.value.hint == "mkdir shop-ops && cd shop-ops && generalprobe init"


def test_a_failure_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(folder, "separate")
    before = files(folder.parent)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder.parent / "config"))
    real = os.link

    def full(source: str, path: str) -> None:
        if str(path).endswith("tasks.py"):
            raise OSError(28, "No space left on device")
        real(source, path)

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(OSError, match="No space"):
        run(["init", "--yes"], folder)
    assert files(folder.parent) == before


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (["plan"], "no such command: generalprobe plan", "inv plan"),
        (["init", "--bogus"], "unrecognized arguments: --bogus", "generalprobe init --help"),
        (["init"], "there is no terminal", "generalprobe init --yes"),
        (["init", "--yes", "--manage=nowhere"], "--manage: /", "--manage=../shop/manage.py"),
        (["init", "--yes", "--database=postgresql://u:hunter2word@h/d"], "--database: a password", "--database=env:"),
        (["init", "--yes", "--test-database=nonsense"], "--test-database: should be", "--test-database=env:"),
        (["init", "--yes", "--store=s3://"], "--store: ", "--store=s3://bucket"),
        (["init", "--yes", "--target=a b"], "--target: a target's name", "--target=shop"),
        (["init", "--yes", "--host=-oProxyCommand=x"], "--host: the host should be", "--host=shop.example.com"),
    ],
)
def test_bad_input_is_one_line_and_what_to_type(folder: Path, words: list[str], said: str, hint: str) -> None:
    write_project(folder, "url")
    before = files(folder.parent)
    with pytest.raises(UsageError) as refused:
        run(words, folder)
    assert refused.value.message.startswith(said) and hint in refused.value.hint
    assert "\n" not in refused.value.message + refused.value.hint and "hunter2word" not in refused.value.message
    assert files(folder.parent) == before


def test_a_project_that_nobody_named_is_not_taken(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"no manage\.py in"):
        run(["init", "--yes"], folder)
    for name in ("one", "two"):
        write_project(folder.parent / name, "url")
    with pytest.raises(UsageError, match=r"several manage\.py: \.\./one/manage\.py, \.\./two/manage\.py") as refused:
        run(["init", "--yes"], folder)
    assert refused.value.hint == "generalprobe init --manage=../one/manage.py"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to somebody else")
def test_what_somebody_else_put_there_is_not_run(folder: Path) -> None:
    manage = write_project(folder.parent / "beside", "url") / "manage.py"
    python = folder.parent / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    assert find_manage(folder) == [manage]
    assert (find_python(folder, {"PATH": ""}) or [None])[0] == python
    for path in (manage, python):
        os.chown(path, 65534, 65534)
    assert find_manage(folder) == []
    assert (find_python(folder, {"PATH": ""}) or [None])[0] != python


def test_a_host_behind_ssh(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ssh = folder.parent / "home/.ssh"
    ssh.mkdir(parents=True)
    (ssh / "config").write_text("Include hosts/*\nHost *\n  Compression yes\nHost web-?\n  User deploy\n")
    (ssh / "hosts").mkdir()
    (ssh / "hosts/shop").write_text("Host shop-host\n  User deploy\nHost github.com\n")
    assert run(["init", "--yes", "--stdout", "--host=shop-host", "--app-dir=/srv/shop/current"], folder) == 0
    said = capsys.readouterr()
    assert "SSH hosts   shop-host\n" in said.err
    found = printed(folder, said.out)
    for target in found.targets.values():
        assert (target.connection.kind, target.connection.host) == ("ssh", "shop-host")
    app = found.target("shop").app
    assert app is not None and (app.dir, app.manage) == ("/srv/shop/current", ("venv/bin/python", "manage.py"))


def test_a_folder_that_is_linked_to_railway(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(folder, "url")
    home = folder.parent / "home/.railway"
    home.mkdir(parents=True)
    link = {"projectPath": str(folder.parent), "project": "prj-1", "environment": "env-p", "service": "svc-web"}
    links = {"projects": {link["projectPath"]: {**link, "environmentName": "production"}}, "user": {"token": "tok-1"}}
    (home / "config.json").write_text(json.dumps(links))
    assert run(["init", "--yes", "--stdout"], folder) == 0
    said = capsys.readouterr()
    target = printed(folder, said.out).target("shop")
    assert str(target.database) == "railway:Postgres/DATABASE_PUBLIC_URL"
    assert target.railway is not None
    assert (target.railway.project, target.railway.environment, target.railway.service) == (
        *("prj-1", "production"),
        "svc-web",
    )
    assert "tok-1" not in said.out + said.err


@pytest.mark.parametrize("name", ["2048", "true", "shop.v2"])
def test_any_name_makes_an_inventory_that_can_be_read(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    run(["init", "--yes", "--stdout", "--host=web", f"--target={name}", "--store=my backups/day"], folder)
    found = printed(folder, capsys.readouterr().out)
    assert found.test_of(found.target(name)).name == f"{name}-test"
    assert found.target(name).store == "my backups/day"

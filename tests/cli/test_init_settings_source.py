"""Which variables the source of a settings module names, without running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.cli.init.manage_file import find_manage, overrules, setting_named
from ops.cli.init.settings_source import read_source
from ops.infra.railway.project_link import names_in


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("DATABASES = {'default': dj_database_url.config(conn_max_age=600)}", "DATABASE_URL"),
        ("DATABASES = {'default': dj_database_url.config(env='SHOP_DB')}", "SHOP_DB"),
        ("DATABASES = {'default': dj_database_url.parse(os.environ['PG_URL'])}", "PG_URL"),
        ("DATABASES = {'default': env.db()}", "DATABASE_URL"),
        ("DATABASES = {'default': env.db_url('MAIN_URL', default='sqlite:///x')}", "MAIN_URL"),
        ("DATABASES = {'default': env.dj_db_url('SHOP_DATABASE_URL')}", "SHOP_DATABASE_URL"),
        ("DATABASES = {'default': {'NAME': os.getenv('DB_NAME')}}", ""),
        ("DATABASES = {", ""),
    ],
)
def test_calls_that_make_a_database_of_an_address(tmp_path: Path, text: str, parsed: str) -> None:
    (tmp_path / "settings.py").write_text(f"import os\n{text}\n")
    found = read_source(tmp_path, "settings")
    assert found.parsed == parsed
    assert "DATABASE_URL" in found.candidates and "DB_NAME" not in found.candidates


def test_imports_of_the_project_are_followed(tmp_path: Path) -> None:
    package = tmp_path / "config/settings"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "local.py").write_text("from .base import *\nfrom config import extra\nimport django\n")
    (package / "base.py").write_text("from .local import DEBUG\nURL = config('POSTGRES_URL', default=None)\n")
    (tmp_path / "config/extra.py").write_text("DSN = os.environ['READ_DB_DSN']\nKEY = os.environ['API_URL']\n")
    found = read_source(tmp_path, "config.settings.local")
    assert found.candidates == ("POSTGRES_URL", "READ_DB_DSN", "DATABASE_URL")


def test_the_settings_that_manage_names(tmp_path: Path) -> None:
    file = tmp_path / "manage.py"
    file.write_text('os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")')
    assert (setting_named(file, {}), overrules(file)) == ("shop.settings", False)
    assert setting_named(file, {"DJANGO_SETTINGS_MODULE": "shop.live"}) == "shop.live"
    file.write_text("os.environ['DJANGO_SETTINGS_MODULE'] = 'shop.settings'")
    assert setting_named(file, {"DJANGO_SETTINGS_MODULE": "shop.live"}) == "shop.settings"
    assert overrules(file)


def test_the_nearest_place_with_projects_is_searched(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for name in ("manage.py", "one/manage.py", "two/deep/manage.py", "node_modules/x/manage.py", ".hidden/manage.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("execute_from_command_line(sys.argv)")
    (tmp_path / "two/manage.py").write_text("print('another tool')")
    assert find_manage(tmp_path) == [tmp_path / "manage.py"]
    assert find_manage(tmp_path / "two") == [tmp_path / "two/deep/manage.py"]
    (tmp_path / "three/inner").mkdir(parents=True)
    assert find_manage(tmp_path / "three/inner") == [tmp_path / "manage.py"]
    (tmp_path / "manage.py").unlink()
    assert find_manage(tmp_path) == [tmp_path / "one/manage.py", tmp_path / "two/deep/manage.py"]
    assert find_manage(tmp_path / "three") == [tmp_path / "one/manage.py", tmp_path / "two/deep/manage.py"]


@pytest.mark.parametrize("said", ["", "no json", "[]", '{"services": {"edges": [{}]}, "environments": {"edges": []}}'])
def test_what_the_railway_cli_prints_may_be_anything(said: str) -> None:
    assert names_in(said) == ([], [])

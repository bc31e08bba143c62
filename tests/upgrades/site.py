"""The project around an application: settings, ``manage.py``, and the inventory of its operator."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from tests.upgrades.case import Case

SETTINGS = """
import os
from urllib.parse import unquote, urlsplit
BASE_DIR = os.path.dirname(os.path.abspath(__file__))
url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": unquote(url.path[1:]), "HOST": url.hostname,
    "PORT": url.port, "USER": unquote(url.username), "PASSWORD": unquote(url.password or "")}}
INSTALLED_APPS = ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.sessions", "django.contrib.messages", "django.contrib.sites", "django.contrib.staticfiles"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware", "django.contrib.messages.middleware.MessageMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
    "context_processors": ["django.template.context_processors.request", "django.template.context_processors.debug",
        "django.contrib.auth.context_processors.auth", "django.contrib.messages.context_processors.messages"]}}]
ROOT_URLCONF = "urls"
SECRET_KEY = "only for tests, and long enough for every check of it"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
SILENCED_SYSTEM_CHECKS = ["fields.E210"]
SITE_ID = 1
USE_TZ = True
LANGUAGE_CODE = "en"
STATIC_URL = "/static/"
MEDIA_ROOT = os.path.join(BASE_DIR, "media")
DEBUG = False
ALLOWED_HOSTS = ["*"]
"""

SABOTAGE = """
import os
from django.apps import AppConfig
from django.db import connection
from django.db.models.signals import post_migrate
class Sabotage(AppConfig):
    name = "sabotage"
    def ready(self):
        post_migrate.connect(harm, sender=self)
def harm(**kwargs):
    with connection.cursor() as cursor:
        cursor.execute(open(os.path.join(os.path.dirname(__file__), "harm.sql")).read())
"""

MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""


def write_site(case: Case, folder: Path, new: bool, migrations: Path | None = None) -> None:
    """Write one release of the project.

    Args:
        case: what is upgraded.
        folder: where to; what is there is replaced.
        new: the new release or the old one.
        migrations: the old release's folder, whose migrations of the project's own applications are taken along.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in ["own", *(["own_new"] if new else [])]:
        if (case.folder / part).exists():
            shutil.copytree(case.folder / part, folder, dirs_exist_ok=True)
    for app in case.makemigrations if migrations else ():
        shutil.copytree(migrations / app / "migrations", folder / app / "migrations", dirs_exist_ok=True)
    apps = case.apps_new if new and case.apps_new else case.apps
    settings = SETTINGS + f"INSTALLED_APPS += {list(apps)!r}\n" + case.settings
    (folder / "settings.py").write_text(settings + (case.settings_new if new else case.settings_old))
    (folder / "manage.py").write_text(MANAGE)
    for helper in ("seeding.py", "autofill.py"):
        shutil.copy(Path(__file__).with_name(helper), folder)
    if not (folder / "urls.py").exists():
        (folder / "urls.py").write_text("urlpatterns = []\n")


def add_sabotage(folder: Path, sql: str) -> None:
    """Let the release harm the data once its migrations are through, as a wrong data migration would."""
    app = folder / "sabotage"
    app.mkdir(exist_ok=True)
    (app / "__init__.py").write_text("default_app_config = 'sabotage.apps.Sabotage'\n")
    (app / "apps.py").write_text(SABOTAGE)
    (app / "models.py").write_text("")
    (app / "harm.sql").write_text(sql)
    with (folder / "settings.py").open("a") as file:
        file.write("INSTALLED_APPS += ['sabotage.apps.Sabotage']\n")


def write_inventory(folder: Path, target: str, site: Path, python: str) -> None:
    """Write the operator's ``tasks.py`` and ``inventory.yaml``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.py").write_text("from ops.tasks import namespace\n\n__all__ = ['namespace']\n")
    production = {
        "database": "env:DATABASE_URL",
        "app": {"dir": str(site), "manage": [python, "manage.py"], "database_env": "DATABASE_URL"},
        "test": f"{target}-test",
    }
    told = {
        "all": {
            "vars": {"store": "backups"},
            "children": {
                "production": {"hosts": {target: production}},
                "test": {"hosts": {f"{target}-test": {"database": "env:TEST_DATABASE_URL"}}},
            },
        }
    }
    (folder / "inventory.yaml").write_text(yaml.safe_dump(told))

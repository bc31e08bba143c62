"""Small Django projects whose settings take their database in different ways. They are started, never migrated."""

from __future__ import annotations

from pathlib import Path

MANAGE = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{module}")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
HEAD = 'import os\nSECRET_KEY = "only for tests"\nINSTALLED_APPS = []\nUSE_TZ = True\n'
# A parser of addresses, by the name of a library's and with its result.
PARSER = """
from urllib.parse import urlsplit, unquote
def config(env="DATABASE_URL", default="", engine="django.db.backends.postgresql", **more):
    value = os.environ.get(env, default)
    if not value:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}
    url = urlsplit(value)
    return {"ENGINE": engine, "NAME": url.path[1:], "HOST": url.hostname or "", "PORT": url.port or "",
            "USER": unquote(url.username or ""), "PASSWORD": unquote(url.password or "")}
class dj_database_url:
    config = staticmethod(config)
"""
SHAPES = {
    "url": PARSER + 'DATABASES = {"default": dj_database_url.config(conn_max_age=600)}\n',
    "other name": PARSER + 'DATABASES = {"default": dj_database_url.config(env="SHOP_DB_URL")}\n',
    "guarded": PARSER
    + 'DATABASES = {"default": dj_database_url.config() if "DYNO" in os.environ else '
    '{"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}\n',
    "by scheme": PARSER
    + 'gis = os.environ["DATABASE_URL"].startswith("postgis:")\n'
    'DATABASES = {"default": config(engine="django.contrib.gis.db.backends.postgis" if gis else "x.postgres")}\n',
    "separate": """
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.getenv("POSTGRES_DB", "shop"),
    "USER": os.getenv("POSTGRES_USER", "keeper"), "PASSWORD": os.getenv("POSTGRES_PASSWORD", "p@ss:w/rd"),
    "HOST": os.getenv("POSTGRES_HOST", "db.invalid"), "PORT": os.getenv("POSTGRES_PORT", "5433"),
    "OPTIONS": {"sslmode": "require", "pool": False, "target_session_attrs": "read-write"}}}
""",
    "sqlite": 'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}\n',
    "broken": PARSER + 'SECRET_KEY = os.environ["SHOP_SECRET"]\n'
    'DATABASES = {"default": dj_database_url.config(env="SHOP_DB_URL")}\n',
}


# django-configurations, as far as settings need it.
CONFIGURATIONS = {
    "configurations/__init__.py": "class Configuration:\n    pass\n",
    "configurations/management.py": """
import importlib, os
from django.core import management
def execute_from_command_line(argv):
    module = importlib.import_module(os.environ["DJANGO_SETTINGS_MODULE"])
    chosen = getattr(module, os.environ["DJANGO_CONFIGURATION"])
    for name in filter(str.isupper, dir(chosen)):
        setattr(module, name, getattr(chosen, name))
    management.execute_from_command_line(argv)
""",
}


def write_classes(folder: Path, database: str, named: str = "") -> Path:
    """Write a project whose settings are classes; gives its folder.

    Args:
        database: the database of the class ``Production``, as source.
        named: the class that ``manage.py`` names; empty where it names none.
    """
    common = HEAD.replace("import os\n", "").replace("\n", "\n    ").strip()
    settings = f"{PARSER}\nclass Common(Configuration):\n    {common}\n"
    settings += 'class Dev(Common):\n    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3"}}\n'
    settings += f'class Production(Common):\n    DATABASES = {{"default": {database}}}\n'
    manage = MANAGE.format(module="shop.settings").replace("django.core.management", "configurations.management")
    names = f'os.environ.setdefault("DJANGO_CONFIGURATION", "{named}")\n' if named else ""
    files = {
        "manage.py": manage.replace("from conf", f"{names}from conf"),
        "shop/settings.py": f"import os\nfrom configurations import Configuration\n{settings}",
        **CONFIGURATIONS,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def write_project(folder: Path, shape: str, module: str = "shop.settings") -> Path:
    """Write a project; gives its folder."""
    package, _, name = module.rpartition(".")
    (folder / package.replace(".", "/")).mkdir(parents=True)
    (folder / "manage.py").write_text(MANAGE.format(module=module))
    (folder / package.replace(".", "/") / f"{name}.py").write_text(HEAD + SHAPES[shape])
    return folder

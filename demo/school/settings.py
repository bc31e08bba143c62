"""Settings of the music school, the same in every release; the database comes from DATABASE_URL alone."""

import os
import re
from typing import Any
from urllib.parse import unquote

from django.core.exceptions import ImproperlyConfigured

# Not urlsplit(): it lower-cases the host, which breaks a socket folder such as %2Ftmp%2FPg.
DATABASE_URL = re.compile(
    r"postgres(?:ql)?://"
    r"(?:(?P<user>[^:@/]*)(?::(?P<password>[^@/]*))?@)?"
    r"(?P<host>\[[^]]+\]|[^:@/?]*)(?::(?P<port>\d*))?"
    r"/(?P<dbname>[^?/]*)"
    r"(?:\?(?P<query>.*))?"
)


def parse_query(query: str) -> dict[str, str]:
    """Return the parameters after the `?`; a `+` stays a plus, as in libpq."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return {unquote(key): unquote(value) for key, _, value in pairs}


def parse_database_url(url: str) -> dict[str, Any]:
    """Return Django's database settings for a libpq URL; what Django has no name for goes to OPTIONS.

    The errors never quote the URL, because it holds the password.
    """
    match = DATABASE_URL.fullmatch(url)
    if match is None:
        raise ImproperlyConfigured("DATABASE_URL must read postgresql://user:password@host:port/name")
    parts = {key: unquote(value).strip("[]") if key == "host" else unquote(value)
             for key, value in match.groupdict(default="").items() if key != "query"}
    parts |= parse_query(match["query"] or "")
    if not parts["dbname"]:
        raise ImproperlyConfigured("DATABASE_URL names no database")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname"),
        "USER": parts.pop("user"),
        "PASSWORD": parts.pop("password"),
        "HOST": parts.pop("host"),
        "PORT": parts.pop("port"),
        "OPTIONS": parts,
    }


def database_from_environment() -> dict[str, Any]:
    """Return the settings of the one database, or say in one line that DATABASE_URL is missing."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        raise ImproperlyConfigured("DATABASE_URL is not set, e.g. postgresql://user:password@host:5432/name")
    return parse_database_url(url)


SECRET_KEY = os.environ.get("SECRET_KEY", "demo-only")
DATABASES = {"default": database_from_environment()}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "lessons"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

"""Scenes: a project in the state that many tests begin with, made once per worker, and put back for each test.

A scene is kept as databases that nobody connects to and a copy of the project's folder (with its store). It is put
back under the same database names, since journals and manifests hold them.
"""

from __future__ import annotations

import itertools
import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ops.infra.postgres.embedded_server import Server
from tests.projects import write_project
from tests.support.project import Project, admin, begin, drop_databases, ended

# Where a promotion is killed: production is frozen and backed up, and not migrated.
INTERRUPTED_IN = "promote.fingerprint_before"


def _inv(*words: str) -> Callable[[Project], None]:
    """What brings a project to a scene by one call of ``inv``."""

    def do(shop: Project) -> None:
        done = shop.inv(*words)
        assert done.code == 0, done.out + done.err

    return do


def _write(shop: Project) -> None:
    """Users write after the release."""
    shop.query("INSERT INTO lessons_teacher (name) VALUES ('written since')")
    shop.query("DELETE FROM lessons_booking WHERE id <= 5")


def _interrupt(shop: Project) -> None:
    process = begin(shop, INTERRUPTED_IN, "promote", "--confirm=shop")
    process.kill()
    ended(process)


def _replace(shop: Project) -> None:
    """Something is written to the old release, and rolled back; ``replaced.json`` has what was live before."""
    shop.query("INSERT INTO lessons_teacher (name) VALUES ('Neu')")
    (shop.folder / "replaced.json").write_text(json.dumps(shop.fingerprint()))
    _inv("rollback", "--backup=latest", "--confirm=shop")(shop)


# Each scene with the scene that it stands on, and what is done there.
SCENES: dict[str, tuple[str, Callable[[Project], None]]] = {
    "backed_up": ("filled", _inv("backup")),
    "cloned": ("filled", _inv("clone-prod-to-test")),
    "rehearsed": ("cloned", _inv("migrate-test")),
    "certified": ("rehearsed", _inv("verify")),
    "released": ("filled", _inv("release", "--confirm=shop")),
    "written": ("released", _write),
    "rolled_back": ("written", _inv("rollback", "--backup=latest", "--confirm=shop")),
    "replaced": ("backed_up", _replace),
    "interrupted": ("certified", _interrupt),
}


@dataclass(frozen=True)
class Kept:
    """A database that is put back: its name, the one that holds its content, and what a copy does not take along."""

    name: str
    content: str
    about: dict[str, Any]


@dataclass
class Scene:
    """One state of one project."""

    folder: Path
    stem: str
    databases: list[Kept] = field(default_factory=list)


class Scenes:
    """All scenes of a worker.

    Args:
        server: where their databases are.
        folder: where their folders are kept.
        old_release: the database that each project's production is a copy of.
    """

    def __init__(self, server: Server, folder: Path, old_release: str) -> None:
        self.server, self.folder, self.old_release = server, folder, old_release
        self.kept: dict[tuple[str, str], Scene] = {}
        self.own = f"k{uuid.uuid4().hex[:8]}"
        self.numbers = itertools.count()

    def at(self, name: str, variant: str, folder: Path, stem: str = "") -> Project:
        """The project as it is in a scene, in a folder that does not exist yet.

        Args:
            name: one of ``SCENES``.
            variant: its pending migration (``tests.projects.VARIANTS``), or that migration's operations.
            folder: takes the project.
            stem: what the databases of ``filled`` begin with; every other scene has a stem of its own.
        """
        if name == "filled":
            return self._filled(variant, folder, stem or f"t{uuid.uuid4().hex[:8]}")
        found = self._scene(name, variant)
        drop_databases(self.server, found.stem)
        self._put_back(found)
        shutil.copytree(found.folder, folder, symlinks=True)
        return Project.at(folder, self.server, found.stem)

    def _filled(self, variant: str, folder: Path, stem: str) -> Project:
        write_project(folder, variant, {})
        with admin(self.server) as c:
            c.execute(_words("CREATE DATABASE {} TEMPLATE {}", f"{stem}_shop", self.old_release))
        return Project.at(folder, self.server, stem)

    def _scene(self, name: str, variant: str) -> Scene:
        if (name, variant) not in self.kept:
            self.kept[name, variant] = self._made(name, variant)
        return self.kept[name, variant]

    def _made(self, name: str, variant: str) -> Scene:
        before, what = SCENES[name]
        number = next(self.numbers)
        folder = self.folder / f"{number}-{name}"
        shop = self.at(before, variant, folder)
        what(shop)
        scene = Scene(folder, shop.production.rsplit("/", 1)[1].removesuffix("_shop"))
        self._keep(scene, number)
        return scene

    def _keep(self, scene: Scene, number: int) -> None:
        """Take the databases away under names of our own: nothing has to be copied now."""
        with admin(self.server) as c:
            for index, about in enumerate(_databases(c, scene.stem)):
                content = f"{self.own}_{number}_{index}"
                _take_away(c, about["name"], content)
                scene.databases.append(Kept(about["name"], content, about))

    def _put_back(self, scene: Scene) -> None:
        with admin(self.server) as c:
            for one in scene.databases:
                c.execute(_words("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", one.name, one.content))
                _dress(c, one)

    def close(self) -> None:
        """Drop every database of the scenes."""
        drop_databases(self.server, self.own)


def _take_away(c: psycopg.Connection[Any], name: str, content: str) -> None:
    """Rename a database, whoever comes back to it: what was killed in the middle may have left a process."""
    c.execute(_words("ALTER DATABASE {} ALLOW_CONNECTIONS false", name))
    c.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [name])
    c.execute(_words("ALTER DATABASE {} RENAME TO {}", name, content))
    c.execute(_words("ALTER DATABASE {} ALLOW_CONNECTIONS true", content))


def _databases(c: psycopg.Connection[Any], stem: str) -> list[dict[str, Any]]:
    """Every database of a stem, with what ``CREATE DATABASE … TEMPLATE`` leaves behind."""
    found = c.execute(
        "SELECT datname, datallowconn, datconnlimit, shobj_description(d.oid, 'pg_database'), "
        "coalesce((SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid AND setrole = 0), '{}') "
        "FROM pg_database d WHERE starts_with(datname, %s) ORDER BY datname",
        [stem],
    ).fetchall()
    return [dict(zip(("name", "open", "limit", "comment", "settings"), row, strict=True)) for row in found]


def _dress(c: psycopg.Connection[Any], one: Kept) -> None:
    about = one.about
    if about["comment"]:
        c.execute(_words("COMMENT ON DATABASE {} IS ", one.name) + sql.Literal(about["comment"]))
    for setting in about["settings"]:
        name, _, value = setting.partition("=")
        c.execute(_words("ALTER DATABASE {} SET {} = ", one.name, name) + sql.Literal(value))
    if about["limit"] != -1:
        c.execute(_words("ALTER DATABASE {} CONNECTION LIMIT ", one.name) + sql.Literal(about["limit"]))
    if not about["open"]:
        c.execute(_words("ALTER DATABASE {} ALLOW_CONNECTIONS false", one.name))


def _words(text: str, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))  # type: ignore[arg-type]

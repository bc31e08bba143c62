"""Projects whose store is a bucket, each brought to a state once in a worker and given out as a copy of that."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyrage
from psycopg import sql

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Done, Project, admin, drop_databases
from tests.projects import write_project
from tests.support.scenes import Scene, Scenes
from tests.support.stores import s3

# Rows whose dump is large enough to be cut in the middle.
ROWS = 50_000
BALLAST = f"CREATE TABLE ballast AS SELECT gen_random_uuid() a, gen_random_uuid() b FROM generate_series(1, {ROWS})"


def _back_up(shop: Project) -> Done:
    return _well(shop.inv("backup"))


def _back_up_much(shop: Project) -> Done:
    shop.query(BALLAST)
    return _well(shop.inv("backup"))


def _kill(shop: Project) -> Done:
    """A release is killed when production is about to be frozen."""
    pipe = subprocess.DEVNULL
    words = shop.command("release", "--confirm=shop")
    with subprocess.Popen(words, cwd=shop.folder, env=shop.env, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        while process.poll() is None and not any(KILLED_IN in path.read_text() for path in _journals(shop)):
            time.sleep(0.005)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    return Done(process.returncode, "", "")


def _journals(shop: Project) -> list[Path]:
    return list((shop.folder / ".store").glob("*/*/kept/shop/runs/*/journal.jsonl"))


def _resume(shop: Project) -> Done:
    return _well(shop.inv("resume", "--confirm=shop"))


def _well(done: Done) -> Done:
    assert done.code == 0, done.out + done.err
    return done


KILLED_IN = '"step": "promote.freeze", "status": "begun"'
# Each state with the one that it begins with, what is done there, and whether backups are encrypted.
STATES: dict[str, tuple[str, Callable[[Project], Done], bool]] = {
    "backed_up": ("", _back_up, False),
    "sealed": ("", _back_up_much, True),
    "sealed_and_killed": ("", _kill, True),
    "sealed_and_released": ("sealed_and_killed", _resume, True),
}


@dataclass
class Made:
    """A state that a project was brought to."""

    scene: Scene
    bucket: str
    objects: dict[str, bytes]
    said: Done


class Buckets(Scenes):
    """All such states of a worker.

    Args:
        endpoint: the S3 server.
    """

    def __init__(self, server: Server, folder: Path, old_release: str, endpoint: str) -> None:
        super().__init__(server, folder, old_release)
        self.env = s3.keys(endpoint)
        self.made: dict[str, Made] = {}
        self.key = folder / "age.key"
        identity = pyrage.x25519.Identity.generate()
        self.key.write_text(f"# created by a test\n{identity}\n")
        self.key.chmod(0o600)
        self.recipient = str(identity.to_public())

    def state(self, name: str) -> Made:
        """One of them, and what it said when it was made."""
        if name not in self.made:
            before, do, seals = STATES[name]
            number = next(self.numbers)
            folder = self.folder / f"{number}-{name}"
            shop, bucket = self._put_back_in(before, folder) if before else self._new(folder, seals)
            said = do(shop)
            scene = Scene(folder, shop.production.rsplit("/", 1)[1].removesuffix("_shop"))
            self._keep(scene, number)
            self.made[name] = Made(scene, bucket, s3.dug_up(bucket), said)
        return self.made[name]

    def give(self, name: str, folder: Path) -> Project:
        """A copy of the project; databases and bucket have the names that they had, so there is one at a time.

        Args:
            folder: takes the project; it does not exist yet.
        """
        return self._put_back_in(name, folder)[0]

    def _put_back_in(self, name: str, folder: Path) -> tuple[Project, str]:
        found = self.state(name)
        drop_databases(self.server, found.scene.stem)
        self._put_back(found.scene)
        s3.clear(found.bucket)
        s3.plant(found.bucket, found.objects)
        shutil.copytree(found.scene.folder, folder, symlinks=True)
        return self._project(folder, found.scene.stem), found.bucket

    def _new(self, folder: Path, seals: bool) -> tuple[Project, str]:
        stem, bucket = f"t{uuid.uuid4().hex[:8]}", s3.make_bucket()
        encrypt = {"encrypt": {"recipients": [self.recipient], "identity": f"file:{self.key}"}} if seals else {}
        write_project(folder, "b", {"store": f"s3://{bucket}/kept", **encrypt})
        with admin(self.server) as c:
            names = sql.Identifier(f"{stem}_shop"), sql.Identifier(self.old_release)
            c.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        return self._project(folder, stem), bucket

    def _project(self, folder: Path, stem: str) -> Project:
        shop = Project.at(folder, self.server, stem)
        shop.env |= self.env
        return shop

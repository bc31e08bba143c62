"""A server, a project and a store of the tests' own, and what state they are in: kept whole, and put back whole."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ops.infra.postgres.embedded_server import Server
from ops.infra.stores.object_store import Store
from ops.inventory.store_kinds import store_folder
from ops.procedures.catalog import PROCEDURES
from ops.tasks import namespace
from tests import projects
from tests.conftest import ROOT, Done, Project, project_env
from tests.faults.draw import drawn
from tests.faults.kinds import MORE, PLAIN, Kind
from tests.faults.striker import mend

# What has to have happened before a procedure makes sense; where nothing is said, a release.
COMES_AFTER: dict[str, tuple[str, ...]] = {
    "release": (),
    "backup": (),
    "clone-prod-to-test": (),
    "migrate-test": ("clone-prod-to-test",),
    "verify": ("clone-prod-to-test", "migrate-test"),
    "promote": ("clone-prod-to-test", "migrate-test", "verify"),
    "freeze": (),
    "unfreeze": ("freeze",),
}
COMES_AFTER |= {
    "auto-rollback": ("failed",),
    "rollback-to-replaced": ("release", "written", "rollback"),
    "discard-replaced": ("release", "written", "rollback"),
}
COMES_AFTER |= {"drill": ("backup",), "backup-pgbackrest": ()}
COMES_AFTER |= {"drill-pgbackrest": ("backup-pgbackrest",), "unpack": ("backup-pgbackrest",)}
AFTER_ELSE = ("release", "written")
# A table that no release changes, and large enough that a last backup takes its rows from the rehearsal's backup.
UNCHANGED = "CREATE TABLE lessons_old AS SELECT n, md5(n::text) AS t FROM generate_series(1, 20000) n"
# What is typed where it is not what the procedure's own page says; `{kept}` is the database that a rollback replaced.
TYPED = {
    "rollback": "inv rollback --backup=latest --freeze --export",
    # It begins by itself, in the call of a release that fails; what is left to type is the way on.
    "auto-rollback": "inv resume",
    "rollback-to-replaced": "inv rollback --to-replaced",
    "discard-replaced": "inv discard-replaced {kept}",
    "drill": "inv drill --backup=latest",
    "drill-pgbackrest": "inv drill",
    "unpack": "inv unpack",
    "salvage": "inv salvage --backup=latest --table=lessons_booking",
}
# These remove something for good, so what is typed again is its name.
CONFIRMED = {"discard-replaced": "{kept}"}

Applied = tuple[str, ...]
Tables = dict[str, tuple[int, str]]


@dataclass
class Facts:
    """What there is: of production, on the server, in the store. The ids of runs are numbered, so that two compare."""

    applied: Applied
    tables: Tables
    frozen: bool
    databases: dict[str, str]
    store: list[str]


@dataclass
class Stage:
    """One server with one project.

    Args:
        folder: for everything; the server keeps its data below.
        far: whether backups go to a remote store, and the test database is masked.
        kind: what is released, on what production.
    """

    folder: Path
    far: bool = False
    kind: Kind = PLAIN
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    kept: dict[tuple[str, ...], Facts] = field(default_factory=dict)
    legal: dict[Applied, list[Tables]] = field(default_factory=dict)
    mounts: list[Path] = field(default_factory=list)

    def open(self) -> None:
        """Start the server, and fill a production at the old release."""
        home = self.folder / "server"
        home.mkdir(parents=True)
        self.server = self._server(home)
        self.server.start()
        self.project_folder, self.broken = self.folder / "project", self.folder / "broken"
        self.disk, self.space = self.project_folder / (".store" if self.far else "backups"), self.server.home / "space"
        self.project_folder.mkdir()
        self.disk.mkdir(mode=0o700)
        # The remote store is on the same disk as its working copy: what fills one fills both.
        self.url = f"file://{self.disk / 'far'}" if self.far else "backups"
        self.store = self.project_folder / store_folder(self.url)
        self.space.mkdir()
        # The disk that a blow fills, beside the store's.
        self.filled = self.space
        if os.geteuid() == 0:
            self._mount(self.disk, 48)
            self._mount(self.space, 200)
            os.chown(self.space, *self.server.owner[2:4])  # type: ignore[index]
        with self.connect("postgres") as c:
            for setting in ("fsync = off", "max_connections = 40", "max_wal_size = '64MB'", "min_wal_size = '32MB'"):
                c.execute(f"ALTER SYSTEM SET {setting}")
            if os.geteuid() == 0:
                c.execute(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(str(self.space))))
        self._prepare()
        self._control("restart")
        self._fill()
        self._keep(())

    def _server(self, home: Path) -> Server:
        return Server(home)

    def _prepare(self) -> None:
        """What else the server needs."""

    def _mount(self, path: Path, megabytes: int) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(path)], check=True)
        self.mounts.append(path)

    def _control(self, word: str, mode: str = "fast") -> None:
        self.server._call("pg_ctl", "-D", str(self.server.data), "-m", mode, "-w", "-s", word)

    def _fill(self) -> None:
        """Production at the old release; and, on a copy of it, what each migration makes of it."""
        where = " TABLESPACE small" if os.geteuid() == 0 else ""
        production, test = self.server.url("shop"), self.server.url("shop_test")
        with self.connect("postgres") as c:
            c.execute(f"CREATE DATABASE shop{where}")
        projects.write_project(self.project_folder, "b", self._target())
        app = self.project_folder / "shop" / "lessons"
        for name, given in self.kind.migrations.items():
            (app / f"migrations/{name}.py").write_text(MORE % given)
        models = app / "models.py"
        field_ = "    name = models.CharField(max_length=50)\n"
        models.write_text(
            models.read_text().replace(field_, field_ + "    email = models.CharField(max_length=50, null=True)\n")
        )
        self._commit()
        # What a strike leaves running is found by its environment, which a fork does not have.
        self.env = project_env(self.server, production, test, quick=False) | {"FAULTS_TOKEN": self.token}
        self.project = Project(self.project_folder, production, test, self.env)
        for words in (["migrate", "lessons", "0001"], ["migrate", "contenttypes"], ["migrate", "auth"], ["fill"]):
            self.project.manage(*words)
        with self.connect() as c:
            c.execute(UNCHANGED.encode())
            c.execute(self.kind.filled.encode())
        with self._copy("shop") as scratch:
            self.legal[applied(scratch)] = [tables(scratch)]
            for name in ("0002_session", *self.kind.migrations):
                scratch.manage("migrate", "lessons", name)
                self.legal.setdefault(applied(scratch), []).append(tables(scratch))
        if self.kind.batches:
            with self._copy("shop") as scratch:
                scratch.manage("migrate", "lessons", self.kind.last[0])  # type: ignore[index]
                for batch in self.kind.batches:
                    scratch.query(batch)
                    self.legal[applied(scratch)].append(tables(scratch))

    @contextlib.contextmanager
    def _copy(self, name: str) -> Iterator[Project]:
        """The project on a copy of a database."""
        with self.connect("postgres") as c:
            c.execute(f"CREATE DATABASE scratch TEMPLATE {name}".encode())
        url = self.server.url("scratch")
        yield Project(self.project_folder, url, url, self.env | {"DATABASE_URL": url})
        with self.connect("postgres") as c:
            c.execute("DROP DATABASE scratch")

    def _target(self) -> dict[str, object]:
        """What the inventory says of production."""
        target: dict[str, object] = {"lock_timeout": 2.0, "retries": 1, "health": ["true"], "keep_replaced": 0}
        # It fails once: what takes a release back deploys, too.
        target["deploy"] = ["sh", "-c", f"! rm {shlex.quote(str(self.broken))} 2> /dev/null"]
        return target | self.kind.target | ({"store": self.url, "defang": projects.DEFANG} if self.far else {})

    def _commit(self) -> None:
        """A repository of its own: a commit in the one around it, amid a test, would make a certificate not hold."""
        who = ("-c", "user.name=tests", "-c", "user.email=tests@localhost", "-c", "commit.gpgsign=false")
        for words in (("init", "-q"), ("add", "shop"), (*who, "commit", "-q", "-m", "The release")):
            subprocess.run(["git", "-C", str(self.project_folder), *words], check=True)

    def close(self) -> None:
        """Stop the server and take the mounts away."""
        with contextlib.suppress(Exception):
            self._control("stop", "immediate")
        clear(self.folder)

    def connect(self, database: str = "shop") -> psycopg.Connection[Any]:
        return psycopg.connect(self.server.url(database), autocommit=True, application_name="the tests")

    # What it looks like, kept and put back

    def at(self, done: tuple[str, ...]) -> Project:
        """The project as it is when these procedures are done, one after the other; ``written``: users wrote."""
        if done not in self.kept:
            self.at(done[:-1])
            if done[-1] == "written":
                with self.connect() as c:
                    c.execute("INSERT INTO lessons_teacher (name) VALUES ('written since')")
                    c.execute("DELETE FROM lessons_booking WHERE id <= 5")
            elif done[-1] == "failed":
                self._fail_at_the_end()
            else:
                ended = self.project.inv(*self.words(done[-1]))
                assert ended.code == 0, ended.out + ended.err
            self._keep(done)
        self._put_back(done)
        return self.project

    def _fail_at_the_end(self) -> None:
        """A release that failed when production was migrated, killed as it began to take that back."""
        words = ["release", "--auto-rollback", "--confirm=shop"]
        first = next(step.name for step, _ in PROCEDURES["auto-rollback"].entries)
        self.forget()
        self.broken.touch()
        done, dealt = self.struck(words, "before", blow="kill", only=f"{first}/do/0")
        assert dealt and done.code == -9, done.out + done.err

    def start_of(self, name: str) -> tuple[str, ...]:
        """What comes before a procedure."""
        return COMES_AFTER.get(name, AFTER_ELSE)

    def words(self, name: str) -> list[str]:
        """What one types for a procedure, without a terminal."""
        words = shlex.split(self._filled(TYPED.get(name, PROCEDURES[name].task)))[1:]
        takes = {argument.name for argument in namespace[words[0]].get_arguments()}
        return [*words, *([self.confirm(name)] if "confirm" in takes else [])]

    def confirm(self, name: str) -> str:
        """What a person would type when asked, as a flag."""
        return f"--confirm={self._filled(CONFIRMED.get(name, 'shop'))}"

    def _filled(self, text: str) -> str:
        if "{kept}" not in text:
            return text
        with self.connect("postgres") as c:
            named = c.execute("SELECT datname FROM pg_database WHERE starts_with(datname, 'shop_replaced_')").fetchone()
        return text.replace("{kept}", named[0] if named else "gone")

    def end_of(self, name: str) -> Facts:
        """What there is when a procedure went well from its start."""
        self.at((*self.start_of(name), name))
        return self.kept[*self.start_of(name), name]

    def _keep(self, done: tuple[str, ...]) -> None:
        facts = self.facts()
        folder = self.folder / "kept" / ("-".join(done) or "start")
        with self.connect("postgres") as c:
            c.execute("CHECKPOINT")
        self._control("stop")
        for name, path in self._parts().items():
            shutil.copytree(path, folder / name, symlinks=True)
        self.server.start()
        self.kept[done] = facts

    def _put_back(self, done: tuple[str, ...]) -> None:
        self._control("stop", "immediate")
        folder = self.folder / "kept" / ("-".join(done) or "start")
        for name, path in self._parts().items():
            for entry in path.iterdir():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
            subprocess.run(["cp", "-a", f"{folder / name}/.", str(path)], check=True)
            if name != "store" and self.server.owner:
                subprocess.run(["chown", "-R", f"{self.server.owner.pw_uid}:{self.server.owner.pw_gid}", str(path)])
        self.server.start()

    def _parts(self) -> dict[str, Path]:
        return {"data": self.server.data, "space": self.space, "store": self.disk}

    # What there is

    def facts(self) -> Facts:
        numbers: dict[str, str] = {}

        def plain(text: str) -> str:
            return re.sub(r"\d{8}_\d{6}_[0-9a-f]{4}", lambda m: numbers.setdefault(m[0], f"RUN{len(numbers)}"), text)

        folders = sorted(p.relative_to(self.store) for p in self.store.glob("*/*/*") if not p.name.startswith("."))
        store = [plain(str(p)) for p in folders]
        if self.far:
            store += sorted({plain("/".join(key.split("/")[:3])) for key in Store(self.url).listed("shop")})
        store += [plain(line) for line in self._also()]
        with self.connect("postgres") as c:
            found = c.execute(
                "SELECT datname, coalesce(shobj_description(oid, 'pg_database'), '') || "
                "CASE WHEN datallowconn THEN '' ELSE ' CLOSED' END FROM pg_database WHERE NOT datistemplate ORDER BY 1"
            ).fetchall()
        databases = {plain(name): plain(mark) for name, mark in found}
        frozen = self.project.query("SHOW default_transaction_read_only") == [("on",)]
        return Facts(applied(self.project), tables(self.project), frozen, databases, store)

    def _also(self) -> list[str]:
        """What is kept elsewhere."""
        return []

    def processes(self) -> list[str]:
        """What still runs of what this stage has started, but for the server."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"FAULTS_TOKEN={self.token}".encode() in (path / "environ").read_bytes():
                    line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    # A server that was restarted by a strike has the strike's environment.
                    if line and "/bin/postgres " not in line and not line.startswith("postgres:"):
                        found.append(f"{path.name} {line[:150]}")
        return found

    # Strikes

    def struck(
        self, words: Sequence[str], phase: str, *, blow: str = "", only: str = "", undo: bool = False, amid: str = ""
    ) -> tuple[Done, list[tuple[str, str]]]:
        """Call ``inv`` and strike it at the next place of a phase, or at one place; amid a program when a query finds
        something on production.

        Returns:
            how it ended, and the places with their blows; none where no place was left. More than one where the first
            were of no consequence.
        """
        log = self.folder / "struck"
        log.touch()
        known = len(log.read_text().splitlines())
        order = {"log": str(log), "phase": phase, "blow": blow, "only": only, "undo": undo, "amid": amid}
        order |= {"store": str(self.disk)}
        order |= {"space": str(self.filled), "server": str(self.folder / "server"), "data": str(self.server.data)}
        order["bin"] = str(self.server.bin)
        (self.folder / "order").write_text(json.dumps(order))
        path = os.pathsep.join([str(Path(__file__).parent / "hook"), str(ROOT)])
        plain = self.project.env
        self.project.env = plain | {"PYTHONPATH": path, "OPS_STRIKE": str(self.folder / "order")}
        self.project.env |= drawn().environ
        try:
            done = self.project.process(*words)
        finally:
            self.project.env = plain
        dealt = [json.loads(line) for line in log.read_text().splitlines()[known:]]
        # A kill amid a short program falls up to 40 ms later, when the run may have ended and told so.
        if done.code == -9 and re.search(r" (?:is done|was undone) \(run \w+\)\s*\Z", done.out):
            done = replace(done, code=0)
        return done, [(place, blow) for place, _, blow in dealt]

    def forget(self) -> None:
        """Begin a new list of struck places."""
        (self.folder / "struck").unlink(missing_ok=True)

    def mend(self) -> None:
        """What a person does about a full or read-only disk."""
        mend(self.disk, self.filled)


def clear(folder: Path) -> None:
    """Take away a stage's mounts and files, also those of tests that were killed."""
    known = Path("/proc/mounts")
    mounts = [line.split()[1] for line in known.read_text().splitlines()] if known.exists() else []
    for path in reversed([path for path in mounts if path.startswith(f"{folder}/")]):
        subprocess.run(["umount", "-l", path], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def applied(project: Project) -> Applied:
    """The migrations of the application that production says it has."""
    found = project.query("SELECT name FROM django_migrations WHERE app = 'lessons' ORDER BY name")
    return tuple(name for (name,) in found)


def tables(project: Project) -> Tables:
    """Rows and checksum of the application's tables."""
    return {name: found for name, found in project.fingerprint().items() if name.startswith("public.lessons_")}

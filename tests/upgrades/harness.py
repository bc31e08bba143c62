"""Fills a database through the old release, switches to the new one, releases it with ``inv release``, and says how
it ended."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ops.infra.postgres.embedded_server import Server
from tests.upgrades.case import Case
from tests.upgrades.site import add_sabotage, write_inventory, write_site
from tests.upgrades.venvs import cache, python_with


class CannotFill(Exception):
    """The old release does not run, or its data can't be made: the case is wrong, not the product."""


@dataclass
class Result:
    """How a release ended."""

    case: Case
    exit: int
    seconds: float
    outcome: dict[str, Any]
    said: str
    folder: Path
    tables: list[dict[str, Any]] = field(default_factory=list)
    wrong_queries: list[str] = field(default_factory=list)

    @property
    def ended(self) -> str:
        """``promoted``, ``refused`` (data would be lost or changed), or ``failed``."""
        return {0: "promoted", 5: "refused"}.get(self.exit, "failed")

    @property
    def blamed(self) -> list[str]:
        """The tables that the verdict speaks against."""
        return sorted(
            t["table"] for t in self.tables if t["lost"] or t["changed"] or any(c["lost"] for c in t["columns"])
        )

    @property
    def as_expected(self) -> bool:
        """Whether it ended as is right, and where refused, for exactly the tables that the migrations really harm."""
        if self.ended != self.case.expect or self.wrong_queries:
            return False
        missed = {f"public.{name}" for name in self.case.tables} ^ set(self.outcome_tables)
        return self.ended == "promoted" or not missed

    @property
    def outcome_tables(self) -> list[str]:
        """The blamed tables without those that Django keeps itself."""
        kept = ("django_content_type", "auth_permission", "django_migrations")
        return [name for name in self.blamed if name.split(".")[-1] not in kept]


class Harness:
    """One case on a server of the cache's own.

    Args:
        case: what is upgraded.
        tool: the checkout whose ``inv`` is used.
    """

    def __init__(self, case: Case, tool: Path) -> None:
        self.case, self.tool = case, tool
        self.server = Server(cache())
        self.folder = cache() / "runs" / case.name
        self.filled = cache() / "filled" / f"{case.name}-{case.filled}.dump"
        self.production = f"up_{case.name}".replace("-", "_")

    def release(self, fresh: bool = False, sabotage: str = "") -> Result:
        """Fill production at the old release (from the cache where it is there), and release the new one.

        Args:
            fresh: fill it anew.
            sabotage: SQL that the new release executes after its migrations.

        Raises:
            CannotInstall, CannotFill: the case itself does not run here.
        """
        old = python_with(self.case.python_for_old, self.case.old)
        new = python_with(self.case.python, self.case.new)
        self.server.start()
        self._prepare(old, fresh)
        self._restore()
        site = self.folder / "new"
        write_site(self.case, site, True, self.folder / "old")
        if self.case.makemigrations_new:
            self._python(new, site, "manage.py", "makemigrations", "--noinput", *self.case.makemigrations_new)
        if sabotage:
            add_sabotage(site, sabotage)
        target = self.case.name
        operator = self.folder / "operator"
        shutil.rmtree(operator, ignore_errors=True)
        write_inventory(operator, target, site, new)
        counted = self._ask(0)
        begun = time.monotonic()
        words = [str(self.tool / ".venv/bin/python"), "-m", "invoke", "release", "--json", f"--confirm={target}"]
        done = subprocess.run(
            words,
            cwd=operator,
            env=self._env(self.tool),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=900,
        )
        result = self._result(done, time.monotonic() - begun)
        if result.ended == "promoted":
            now = self._ask(1)
            result.wrong_queries = [f"{k}: {counted[k]} → {now[k]}" for k in now if now[k] != counted[k]]
        return result

    def _result(self, done: subprocess.CompletedProcess[str], seconds: float) -> Result:
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        stray = [line for line in done.stdout.splitlines() if not line.startswith("{")]
        outcome = events[-1] if events else {}
        (self.folder / "events.jsonl").write_text(done.stdout)
        (self.folder / "stderr.txt").write_text(done.stderr)
        reports = sorted((self.folder / "operator").glob("backups/*/runs/*/verdict.json"))
        tables = json.loads(reports[-1].read_text())["tables"] if reports else []
        said = "\n".join(stray) + done.stderr.strip()
        return Result(self.case, done.returncode, seconds, outcome, said, self.folder, tables)

    def _prepare(self, old: str, fresh: bool) -> None:
        """Make the dump of production at the old release, and the old project's folder with its migrations."""
        kept = self.filled.with_suffix(".site")
        site = self.folder / "old"
        if self.filled.exists() and kept.exists() and not fresh:
            shutil.rmtree(site, ignore_errors=True)
            shutil.copytree(kept, site)
            return
        write_site(self.case, site, False)
        self._empty()
        if self.case.makemigrations:
            self._python(old, site, "manage.py", "makemigrations", *self.case.makemigrations)
        self._python(old, site, "manage.py", "migrate", "--noinput")
        for command in self.case.before:
            self._python(old, site, "manage.py", *command.split())
        said = self._python(old, site, "seeding.py", str(self.case.folder / "seed.py"))
        (self.folder / "seeded.txt").write_text(said)
        self.filled.parent.mkdir(parents=True, exist_ok=True)
        url = self.server.url(self.production)
        self._program("pg_dump", "-Fc", "-Z1", f"--dbname={url}", f"--file={self.filled}.part")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(site, kept)
        Path(f"{self.filled}.part").rename(self.filled)

    def _restore(self) -> None:
        self._empty()
        url = self.server.url(self.production)
        self._program("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={url}", str(self.filled))

    def _empty(self) -> None:
        """Drop what an earlier run left, and create production anew."""
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT datname FROM pg_database").fetchall()
            mine = [name for (name,) in known if name == self.production or name.startswith(f"{self.production}_")]
            for name in mine:
                if not self._other(name):
                    connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.production)))

    def _other(self, name: str) -> bool:
        """Whether a database belongs to another case whose name begins with this one's."""
        from tests.upgrades.case import names

        others = [f"up_{other}".replace("-", "_") for other in names() if other != self.case.name]
        return any(name.startswith(other) and other.startswith(f"{self.production}_") for other in others)

    def _ask(self, side: int) -> dict[str, Any]:
        """The case's own questions, each in its wording before and after: the answers must be equal."""
        with psycopg.connect(self.server.url(self.production), autocommit=True) as connection:
            asked = {k: connection.execute(texts[side].encode()).fetchall() for k, texts in self.case.queries.items()}
        return asked

    def _env(self, tool: Path | None = None) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "OPS_", "DJANGO"))}
        env = {k: v for k, v in env.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
        first = [str(tool / ".venv/bin")] if tool else []
        return env | {
            "PATH": os.pathsep.join([*first, str(self.server.bin), env["PATH"]]),
            "DATABASE_URL": self.server.url(self.production),
            "TEST_DATABASE_URL": self.server.url(f"{self.production}_test"),
            "PYTHONWARNINGS": "ignore",
        }

    def _python(self, python: str, site: Path, *words: str) -> str:
        done = subprocess.run([python, *words], cwd=site, env=self._env(), capture_output=True, text=True, timeout=900)
        if done.returncode:
            said = "\n".join(f"{done.stdout}\n{done.stderr}".strip().splitlines()[-15:])
            raise CannotFill(f"{self.case.name}: {' '.join(words)}: {said}")
        return done.stdout

    def _program(self, name: str, *words: str) -> None:
        done = subprocess.run([str(self.server.bin / name), *words], env=self._env(), capture_output=True, text=True)
        if done.returncode:
            raise CannotFill(f"{self.case.name}: {name}: {done.stderr.strip()[-800:]}")

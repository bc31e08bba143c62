"""A project on the fake Railway: production and test are two environments of one project."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Project, psql_env

FAKE = Path(__file__).parent / "fake"


@dataclass
class Rail:
    """A project and the state of the fake that its targets are on."""

    project: Project
    file: Path

    @property
    def state(self) -> dict[str, Any]:
        """What the fake knows."""
        return dict(json.loads(self.file.read_text()))

    def change(self, **values: Any) -> None:
        """Change what the fake knows."""
        self.file.write_text(json.dumps(self.state | values))

    @property
    def calls(self) -> list[tuple[list[str], dict[str, str]]]:
        """What it was asked: words, and what was set for it."""
        path = self.file.with_name("calls")
        return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []

    def live(self) -> str:
        """The commit of the live deployment."""
        return next(str(d["meta"]["commitHash"]) for d in self.state["deployments"] if d["status"] == "SUCCESS")


def edges(*nodes: dict[str, str]) -> dict[str, Any]:
    """Nodes as GraphQL lists them."""
    return {"edges": [{"node": node} for node in nodes]}


def container(url: str) -> dict[str, str]:
    """What the database's own container knows of it."""
    given = psql_env(url)
    return {**given, "PGHOST": "postgres.railway.internal"} if "PGPORT" in given else {}


def state(production: str, test: str, head: str) -> dict[str, Any]:
    """What the fake knows at first."""
    private = "postgresql://postgres:secretword@postgres.railway.internal:5432/railway"
    return {
        "id": "prj-1",
        "name": "shop",
        "environments": [
            {"id": one, "name": name, "volumeInstances": edges({"id": f"vi-{one}", "serviceId": "svc-db"})}
            for one, name in (("env-p", "production"), ("env-t", "staging"))
        ],
        "services": [{"id": "svc-db", "name": "Postgres"}, {"id": "svc-web", "name": "web"}],
        "variables": {
            one: {"svc-db": {"DATABASE_URL": private, "DATABASE_PUBLIC_URL": url, **container(url)}}
            for one, url in (("env-p", production), ("env-t", test))
        },
        "deployments": [
            {
                "id": "dep-0",
                "status": "SUCCESS",
                "environment": "env-p",
                "service": "svc-web",
                "createdAt": "2026-01-01T00:00:00Z",
                "meta": {"commitHash": head},
            }
        ],
        "head": head,
        "project_tokens": {"token-p": "env-p"},
        "api_tokens": ["token-account"],
        "faults": [],
    }


@pytest.fixture
def rail(project: Callable[..., Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Rail]:
    """Makes a project whose databases the fake's variables lead to. The fake is asked again sooner than Railway."""
    for module in ("ops.release.railway_deploy", "ops.recovery.rollback.railway_volume"):
        monkeypatch.setattr(f"{module}.PAUSE", 0.2)

    def make(variant: str, **target: object) -> Rail:
        shop = project(variant, **target)
        file = tmp_path / "fake.json"
        file.write_text(json.dumps(state(shop.production, shop.test, "0" * 40)))
        inventory = yaml.safe_load((shop.folder / "inventory.yaml").read_text())
        for group, name, environment in (("production", "shop", "production"), ("test", "shop-test", "staging")):
            entry = inventory["all"]["children"][group]["hosts"][name]
            entry["database"] = "railway:Postgres/DATABASE_PUBLIC_URL"
            entry["railway"] = {"project": "shop", "environment": environment, "service": "web"}
        inventory["all"]["children"]["production"]["hosts"]["shop"]["railway"]["deploy"] = "redeploy"
        (shop.folder / "inventory.yaml").write_text(yaml.safe_dump(inventory))
        shop.env = {name: value for name, value in shop.env.items() if not name.endswith("DATABASE_URL")}
        shop.env |= {"PATH": f"{FAKE}{os.pathsep}{shop.env['PATH']}", "RAILWAY_FAKE": str(file)}
        shop.env["RAILWAY_API_TOKEN"] = "token-account"
        return Rail(shop, file)

    return make

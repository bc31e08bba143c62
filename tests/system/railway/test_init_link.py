"""`generalprobe init` in a folder that is linked to Railway, with the CLI at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ops.cli.init.entry import run
from ops.inventory.load import load
from tests.system.railway.conftest import FAKE, state


def test_services_and_environments_are_those_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith(("DATABASE", "TEST_DATABASE", "RAILWAY", "DJANGO"))]:
        monkeypatch.delenv(name)
    known = state("postgresql://keeper:hunter2word@127.0.0.1:9/shop", "postgresql://127.0.0.1:9/test", "head")
    known["services"][0]["name"] = "Shop-Postgres"
    (tmp_path / "railway.json").write_text(json.dumps(known))
    link = {"projectPath": str(tmp_path), "project": "prj-1", "environment": "env-p", "environmentName": "production"}
    (tmp_path / "home/.railway").mkdir(parents=True)
    (tmp_path / "home/.railway/config.json").write_text(json.dumps({"projects": {str(tmp_path): link}}))
    given = {"HOME": str(tmp_path / "home"), "RAILWAY_FAKE": str(tmp_path / "railway.json")}
    given |= {"RAILWAY_API_TOKEN": next(iter(known["api_tokens"])), "PATH": f"{FAKE}{os.pathsep}{os.environ['PATH']}"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    (folder := tmp_path / "shop").mkdir()
    assert run(["init", "--yes", "--stdout", "--host=web"], folder) == 0  # No project has to start here.
    said = capsys.readouterr()
    (folder / "inventory.yaml").write_text(said.out.split("# inventory.yaml\n")[1].split("# tasks.py\n")[0])
    found = load(folder / "inventory.yaml")
    places = [(str(one.database), one.railway and one.railway.environment) for one in found.targets.values()]
    reference = "railway:Shop-Postgres/DATABASE_PUBLIC_URL"
    assert places == [(reference, "production"), (reference, "staging")]
    assert "hunter2word" not in said.out + said.err

"""The traps of the CLI that the fake has, too."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.system.railway.conftest import FAKE, state

HERE = ["--project", "prj-1", "--environment", "production", "--service", "Postgres"]


@pytest.fixture
def call(tmp_path: Path):  # type: ignore[no-untyped-def]
    file = tmp_path / "fake.json"
    file.write_text(json.dumps(state("postgresql://here", "postgresql://there", "0" * 40)))

    def run(*words: str, faults: tuple[str, ...] = (), **env: str) -> subprocess.CompletedProcess[str]:
        found = json.loads(file.read_text())
        file.write_text(json.dumps(found | {"faults": list(faults)}))
        given = {"PATH": os.environ["PATH"], "RAILWAY_FAKE": str(file), "RAILWAY_API_TOKEN": "token-account"} | env
        return subprocess.run([str(FAKE / "railway"), *words], env=given, capture_output=True, text=True)

    return run


def test_run_ends_with_0_where_its_child_was_killed(call) -> None:  # type: ignore[no-untyped-def]
    assert call("run", *HERE, "--", "sh", "-c", "kill -9 $$").returncode == 0
    assert call("run", *HERE, "--", "sh", "-c", "exit 7").returncode == 7
    assert "postgresql://here" in call("run", *HERE, "--", "sh", "-c", "echo $DATABASE_PUBLIC_URL").stdout


def test_the_relay_of_ssh_can_end_with_0_without_running(call) -> None:  # type: ignore[no-untyped-def]
    done = call("ssh", *HERE, "--", "echo", "sentinel", faults=("relay-does-nothing",))
    assert done.returncode == 0 and "sentinel" not in done.stdout


def test_run_takes_no_name_of_a_project(call) -> None:  # type: ignore[no-untyped-def]
    words = ["--project", "shop", *HERE[2:]]
    assert call("variable", "list", *words, "--json").returncode == 0
    assert "Project not found" in call("run", *words, "--", "true").stderr


def test_errors_of_up_are_an_object_on_standard_output(call) -> None:  # type: ignore[no-untyped-def]
    done = call("up", *HERE, "--json", "-y", RAILWAY_API_TOKEN="old")
    assert done.returncode == 1 and json.loads(done.stdout)["code"] == "UNAUTHORIZED" and not done.stderr


def test_redeploy_without_yes_refuses(call) -> None:  # type: ignore[no-untyped-def]
    assert "non-interactive mode" in call("redeploy", *HERE, "--json").stderr


def test_an_environment_without_its_project_is_an_error(call) -> None:  # type: ignore[no-untyped-def]
    assert call("status", *HERE[:4], RAILWAY_ENVIRONMENT_ID="env-p").returncode == 1
